"""A diff on a terminal: the verdicts first, then the cases by what they did, then the rest."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.tables import (
    Paper,
    Part,
    counted,
    lines_changed,
    listed,
    words_changed,
)
from pytest_evals.ground.plain_text import (
    format_cost,
    format_count,
    format_seconds,
    neutral,
    shorten,
)

if TYPE_CHECKING:
    from pytest_evals.cli.diff import Changes, Outcome
    from pytest_evals.verdict.diff import Change, DiffEntry
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

_BRIEF = {"case_edited", "removed", "added_passing"}
_COLORS = {
    "regressed": "red",
    "errored": "red",
    "drifted": "yellow",
    "added_failing": "red",
    "fixed": "green",
}
_WORDS = {
    "passed": ("green",),
    "failed": ("red", "bold"),
    "incomplete": ("red", "bold"),
    "inconclusive": ("yellow",),
    "skipped": ("yellow",),
}
_LABEL = 13


def tell(paper: Paper, found: "Outcome", *, limit: int) -> None:
    """Print all that changed.

    Args:
        paper: what it is printed on.
        found: the diffs.
        limit: cases of each kind; 0 is all.
    """
    for i, one in enumerate(found.changes):
        if i:
            paper.say()
        paper.sentence(f"{one.info.name}: run {found.run.id} against {one.diff.baseline}", "bold")
        _verdicts(paper, one)
        _entries(paper, one, limit)
        _explored(paper, one)
        paper.say()
        paper.sentence(counts(one) + ".")
    for name, why in found.failures:
        paper.say()
        paper.sentence(f"{name} was not compared: {why}", "red")


def counts(one: "Changes") -> str:
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


def _verdicts(paper: Paper, one: "Changes") -> None:
    names = {verdict.gate for verdict in one.verdicts}
    for verdict in one.verdicts:
        gate = f" ({verdict.gate})" if len(names) > 1 else ""
        styles = ("red", "bold") if verdict.blocking else _WORDS[verdict.verdict]
        paper.sentence(
            f"{where_of(verdict)}{gate}: {verdict.sentence}", *styles, indent=2, first="*"
        )
        for note in verdict.notes:
            paper.sentence(note, indent=4)
    if not one.declared:
        paper.sentence(
            "The dataset's gates declare no comparison; this is `no regressions` of every model.",
            "dim",
            indent=2,
        )


def _entries(paper: Paper, one: "Changes", limit: int) -> None:
    by_kind: dict[str, list[DiffEntry]] = {}
    for entry in one.diff.entries:
        by_kind.setdefault(entry.kind, []).append(entry)
    for kind, entries in by_kind.items():
        shown = entries if not limit else entries[:limit]
        paper.say()
        styles = (_COLORS[kind], "bold") if kind in _COLORS else ("bold",)
        paper.say(f"{TITLES.get(kind, kind)}: {len(entries):,}", *styles)
        for entry in shown:
            paper.sentence(headline(entry), indent=2)
            if kind not in _BRIEF:
                _details(paper, one, entry)
        if len(shown) < len(entries):
            paper.say(f"  and {len(entries) - len(shown):,} more (--limit 0 shows all)", "dim")


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


def _details(paper: Paper, one: "Changes", entry: "DiffEntry") -> None:
    _answer(paper, one, entry)
    for label, text in facts(entry):
        paper.sentence(text, indent=_LABEL, first=f"    {label}")


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


def _answer(paper: Paper, one: "Changes", entry: "DiffEntry") -> None:
    """Print how the answer changed: line by line where there are several, else word by word."""
    before, now = one.answers(entry)
    if before is None or now is None:
        shown = now if now is not None else before
        if shown is not None:
            word = "answer" if now is not None else "was"
            room = (paper.width or 200) - _LABEL
            paper.say(f"    {word.ljust(_LABEL - 4)}{shorten(shown, room)}")
        return
    if before == now:
        return
    if "\n" in before.strip() and "\n" in now.strip():
        paper.say("    answer")
        for mark, line in lines_changed(before, now):
            styles = ("red",) if mark == "-" else ("green",) if mark == "+" else ()
            paper.say(f"      {mark} {shorten(line, (paper.width or 200) - 8)}", *styles)
        return
    from pytest_evals.cli.store_options import say

    for i, parts in enumerate(_fitted(paper, words_changed(before, now))):
        label = "    answer   " if not i else " " * _LABEL
        say(label + paper.changed(parts))


def _fitted(paper: Paper, parts: Sequence[Part]) -> list[list[Part]]:
    """Break changed words into lines that fit; marks without colours take room too."""
    room = 10_000 if paper.width is None else max(24, paper.width - _LABEL)
    lines: list[list[Part]] = [[]]
    used = 0
    for mark, text in parts:
        extra = 0 if paper.color or mark == " " else 4
        for word in _pieces(text):
            if used and used + len(word.rstrip()) + extra > room:
                before, ending = lines[-1][-1]
                lines[-1][-1] = (before, ending.rstrip())
                lines.append([(mark, word.lstrip())])
                used = len(word.lstrip()) + extra
            elif lines[-1] and lines[-1][-1][0] == mark:
                lines[-1][-1] = (mark, lines[-1][-1][1] + word)
                used += len(word)
            else:
                lines[-1].append((mark, word))
                used += len(word) + extra
    return lines


def _pieces(text: str) -> list[str]:
    """Split a text behind its spaces."""
    found, start = [], 0
    for i, character in enumerate(text):
        if character == " " and i + 1 < len(text) and text[i + 1] != " ":
            found.append(text[start : i + 1])
            start = i + 1
    return [*found, text[start:]]


def _explored(paper: Paper, one: "Changes") -> None:
    """Print the comparisons that nobody declared and that moved."""
    moved = [
        test
        for test in one.diff.tests
        if test.gate is None and (test.result.verdict == "regressed" or test.result.improved)
    ]
    if not moved:
        return
    paper.say()
    paper.say(f"slices that moved (never blocking): {counted(len(moved), 'comparison')}", "bold")
    for test in moved:
        part = "" if test.slice is None else f", {test.slice}"
        of = "" if test.of is None else f" of {test.of}"
        paper.sentence(f"{neutral(test.model)}{part}{of}: {test.result.sentence}", indent=2)
