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
    "newly_failing": "newly failing (unconfirmed)",
    "added_failing": "new, failing",
    "flaky": "flaky: their samples disagree",
    "still_failing": "still failing",
    "case_edited": "edited, so not compared",
    "fixed": "fixed",
    "newly_passing": "newly passing (unconfirmed)",
    "removed": "no longer in the dataset",
    "added_passing": "new, passing",
}
"""The title of each class of changes, in the order in which they are shown."""

_COUNTED = {
    "still_passing": "still passing",
    "still_failing": "still failing",
    "case_edited": "edited",
    "added_passing": "new passing",
    "added_failing": "new failing",
    "errored": "without an answer or a score",
    "newly_failing": "newly failing (unconfirmed)",
    "newly_passing": "newly passing (unconfirmed)",
}
"""The word for a class in a count; the class itself by default."""

_PARTS = {"case": "input", "scorers": "assertions", "prompt": "prompt", "model": "model"}
"""The parts of a case's definition in words."""


def counts_text(changes: DatasetChanges) -> str:
    """Write the number of cases (times models) in each class."""
    models = len(set(changes.now.table.models)) if changes.now.table else 1
    noun = "cases" if models == 1 else "cases x models"
    order = [*TITLES, *changes.diff.counts]
    counts = ", ".join(
        f"{count:,} {_COUNTED.get(name, name)}"
        for name, count in sorted(changes.diff.counts.items(), key=lambda it: order.index(it[0]))
    )
    return f"{noun}: {counts or 'none'}"


def verdict_scope(verdict: GateVerdict) -> str:
    """Write the model and the slice of a verdict."""
    return verdict.model if verdict.slice is None else f"{verdict.model}, {verdict.slice}"


def headline(entry: DiffEntry) -> str:
    """Write a case, its model, and how often it passed before and now."""
    words = [f"{entry.case}[{entry.model}]"]
    before = None if entry.n_before is None else f"{entry.passes_before}/{entry.n_before}"
    now = None if not entry.n else f"{entry.passes}/{entry.n}"
    if entry.kind == "case_edited":
        words.append(f"its {' and '.join(_edited(entry)) or 'definition'} changed;")
    if before and now:
        words.append(f"passed {before}, now {now}")
    elif before:
        words.append(f"passed {before} before")
    elif now:
        words.append(f"passes {now}")
    if entry.blocking:
        words.append("(blocks)")
    return "  ".join(words)


def _edited(entry: DiffEntry) -> list[str]:
    """Return the parts of a case's definition that changed, in words."""
    return [_PARTS[name] for name in entry.edited]


def facts(entry: DiffEntry) -> Iterator[tuple[str, str]]:
    """Yield what changed of a case besides its answer: a label and a text."""
    if entry.scores:
        yield "scores", ", ".join(_score(name, change) for name, change in entry.scores.items())
    before, now = entry.tools_before, entry.tools
    if before is not None and now is not None and before != now:
        yield "tools", f"{listed(before) or 'none'} -> {listed(now) or 'none'}"
    quantities = (
        ("tokens", entry.tokens, format_count),
        ("latency", entry.latency_s, format_seconds),
        ("cost", entry.cost_usd, format_cost),
    )
    spent = [
        f"{name} {write(change.before)} -> {write(change.now)}{_percent(change)}"
        for name, change, write in quantities
        if change is not None and write(change.before) != write(change.now)
    ]
    if spent:
        yield "spent", ", ".join(spent)
    if set(entry.failing_before) != set(entry.failing) and entry.failing and entry.failing_before:
        yield "fails", f"{', '.join(entry.failing_before)} -> {', '.join(entry.failing)}"
    for reason in entry.reasons[:3]:
        yield "why", shorten(reason, 200)
    changed = [word for word in _edited(entry) if word in {"prompt", "model"}]
    if changed:
        yield "request", f"its {' and '.join(changed)} changed"


def _score(name: str, change: Change) -> str:
    """Write the change of a score."""
    before, now = ("none" if x is None else f"{x:.3g}" for x in (change.before, change.now))
    return f"{name} {before} -> {now}"


def _percent(change: Change) -> str:
    """Write a change in percent; nothing without a number before and now."""
    if not change.before or change.now is None:
        return ""
    return f" ({100 * (change.now - change.before) / change.before:+.0f}%)"
