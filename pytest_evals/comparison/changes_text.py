"""A change of a case in words, for a terminal and for Markdown. Pure."""

from collections.abc import Iterator

from pytest_evals.comparison.changes import DatasetChanges
from pytest_evals.ground.plain_text import (
    format_cost,
    format_count,
    format_seconds,
    listed,
    shorten,
)
from pytest_evals.verdict.diff.nouns import Change, DiffEntry
from pytest_evals.verdict.gate.spec import GateVerdict

TITLES = {
    "regressed": "regressed",
    "errored": "no answer, or no score",
    "drifted": "drifted: they pass, but the answer or its calls changed",
    "added_failing": "new, failing",
    "flaky": "moved within noise",
    "still_failing": "still failing, by other assertions",
    "case_edited": "edited, so not compared",
    "fixed": "fixed",
    "removed": "no longer in the dataset",
    "added_passing": "new, passing",
}
"""What a class of cases is called."""


COUNTED = {
    "still_passing": "still passing",
    "still_failing": "still failing",
    "case_edited": "edited",
    "added_passing": "new passing",
    "added_failing": "new failing",
    "errored": "without an answer or a score",
}
"""What a class is called in a count."""


def counts(one: "DatasetChanges") -> str:
    """Write how many pairs of case and model did what."""
    models = len(set(one.now.table.models)) if one.now.table else 1
    what = "cases" if models == 1 else "cases x models"
    order = [*TITLES, *one.diff.counts]
    told = ", ".join(
        f"{number:,} {COUNTED.get(kind, kind)}"
        for kind, number in sorted(one.diff.counts.items(), key=lambda it: order.index(it[0]))
    )
    return f"{what}: {told or 'none'}"


def where_of(verdict: "GateVerdict") -> str:
    """Write which model and slice a verdict is of."""
    return verdict.model if verdict.slice is None else f"{verdict.model}, {verdict.slice}"


def headline(entry: "DiffEntry") -> str:
    """Write which case it is, under which model, and how often it passed before and now."""
    words = [f"{entry.case}[{entry.model}]"]
    before = None if entry.n_before is None else f"{entry.passes_before}/{entry.n_before}"
    now = None if not entry.n else f"{entry.passes}/{entry.n}"
    if entry.kind == "case_edited":
        words.append(f"its {' and '.join(edited(entry)) or 'definition'} changed;")
    if before and now:
        words.append(f"passed {before}, now {now}")
    elif before:
        words.append(f"passed {before} before")
    elif now:
        words.append(f"passes {now}")
    if entry.blocking:
        words.append("(blocks)")
    return "  ".join(words)


def edited(entry: "DiffEntry") -> list[str]:
    """Return what of a case's definition changed, in words."""
    words = {"case": "question", "scorers": "assertions", "prompt": "prompt", "model": "model"}
    return [words[name] for name in entry.edited]


def facts(entry: "DiffEntry") -> Iterator[tuple[str, str]]:
    """Yield what changed of a case besides its answer: a label and a text."""
    if entry.scores:
        yield "scores", ", ".join(_moved(name, it) for name, it in entry.scores.items())
    before, now = entry.tools_before, entry.tools
    if before is not None and now is not None and before != now:
        yield "tools", f"{listed(before) or 'none'} -> {listed(now) or 'none'}"
    numbers = (
        ("tokens", entry.tokens, format_count),
        ("latency", entry.latency_s, format_seconds),
        ("cost", entry.cost_usd, format_cost),
    )
    told = [
        f"{name} {write(it.before)} -> {write(it.now)}{_percent(it)}"
        for name, it, write in numbers
        if it is not None and write(it.before) != write(it.now)
    ]
    if told:
        yield "spent", ", ".join(told)
    if set(entry.failing_before) != set(entry.failing) and entry.failing and entry.failing_before:
        yield "fails", f"{', '.join(entry.failing_before)} -> {', '.join(entry.failing)}"
    for reason in entry.reasons[:3]:
        yield "why", shorten(reason, 200)
    changed = [word for word in edited(entry) if word in {"prompt", "model"}]
    if changed:
        yield "asked", f"its {' and '.join(changed)} changed"


def _moved(name: str, it: "Change") -> str:
    before, now = ("none" if x is None else f"{x:.3g}" for x in (it.before, it.now))
    return f"{name} {before} -> {now}"


def _percent(it: "Change") -> str:
    if not it.before or it.now is None:
        return ""
    return f" ({100 * (it.now - it.before) / it.before:+.0f}%)"
