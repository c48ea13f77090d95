"""A diff on a terminal: the verdicts first, then the cases by what they did, then the rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.output import Paper, say
from pytest_evals.comparison.changes_text import TITLES, counts, facts, headline, where_of
from pytest_evals.comparison.text_changes import Part, lines_changed, words_changed
from pytest_evals.ground.plain_text import (
    counted,
    neutral,
    shorten,
)

if TYPE_CHECKING:
    from pytest_evals.comparison.changes import DatasetChanges, RunChanges
    from pytest_evals.verdict.diff import DiffEntry


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


def tell(paper: Paper, found: "RunChanges", *, limit: int) -> None:
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


def _verdicts(paper: Paper, one: "DatasetChanges") -> None:
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


def _entries(paper: Paper, one: "DatasetChanges", limit: int) -> None:
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


def _details(paper: Paper, one: "DatasetChanges", entry: "DiffEntry") -> None:
    _answer(paper, one, entry)
    for label, text in facts(entry):
        paper.sentence(text, indent=_LABEL, first=f"    {label}")


def _answer(paper: Paper, one: "DatasetChanges", entry: "DiffEntry") -> None:
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


def _explored(paper: Paper, one: "DatasetChanges") -> None:
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
