"""A diff on a terminal: the verdicts, then the changed cases by class, then the counts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.output import Paper, say
from pytest_evals.comparison.changes_text import TITLES, counts_text, facts, headline, verdict_scope
from pytest_evals.comparison.text_changes import Part, lines_changed, words_changed
from pytest_evals.ground.plain_text import counted, neutral, shorten

if TYPE_CHECKING:
    from pytest_evals.comparison.changes import DatasetChanges, RunChanges
    from pytest_evals.verdict.diff import DiffEntry


_BRIEF = {"case_edited", "removed", "added_passing"}
_COLORS = {
    "regressed": "red",
    "errored": "red",
    "drifted": "yellow",
    "newly_failing": "yellow",
    "added_failing": "red",
    "fixed": "green",
}
_VERDICT_STYLES = {
    "passed": ("green",),
    "failed": ("red", "bold"),
    "incomplete": ("red", "bold"),
    "inconclusive": ("yellow",),
    "skipped": ("yellow",),
}
_LABEL = 13


def print_changes(paper: Paper, run_changes: "RunChanges", *, limit: int) -> None:
    """Print the diffs of a run.

    Args:
        paper: where they are printed.
        run_changes: the diffs.
        limit: cases of each class; 0 is all.
    """
    for i, changes in enumerate(run_changes.changes):
        if i:
            paper.say()
        heading = f"{changes.info.name}: run {run_changes.run.id} against {changes.diff.baseline}"
        paper.sentence(heading, "bold")
        _verdicts(paper, changes)
        _entries(paper, changes, limit)
        _exploratory(paper, changes)
        paper.say()
        paper.sentence(counts_text(changes) + ".")
    for name, reason in run_changes.failures:
        paper.say()
        paper.sentence(f"{name} was not compared: {reason}", "red")


def _verdicts(paper: Paper, changes: "DatasetChanges") -> None:
    """Print the verdicts of the comparisons."""
    names = {verdict.gate for verdict in changes.verdicts}
    for verdict in changes.verdicts:
        gate = f" ({verdict.gate})" if len(names) > 1 else ""
        styles = ("red", "bold") if verdict.blocking else _VERDICT_STYLES[verdict.verdict]
        text = f"{verdict_scope(verdict)}{gate}: {verdict.sentence}"
        paper.sentence(text, *styles, indent=2, first="*")
        for note in verdict.notes:
            paper.sentence(note, indent=4)
    if not changes.declared:
        paper.sentence(
            "The dataset's gates declare no comparison; this is `no regressions` of every model.",
            "dim",
            indent=2,
        )


def _entries(paper: Paper, changes: "DatasetChanges", limit: int) -> None:
    """Print the changed cases, class by class."""
    by_class: dict[str, list[DiffEntry]] = {}
    for entry in changes.diff.entries:
        by_class.setdefault(entry.kind, []).append(entry)
    for name, entries in by_class.items():
        shown = entries if not limit else entries[:limit]
        paper.say()
        styles = (_COLORS[name], "bold") if name in _COLORS else ("bold",)
        paper.say(f"{TITLES.get(name, name)}: {len(entries):,}", *styles)
        for entry in shown:
            paper.sentence(headline(entry), indent=2)
            if name not in _BRIEF:
                _details(paper, changes, entry)
        if len(shown) < len(entries):
            paper.say(f"  and {len(entries) - len(shown):,} more (--limit 0 shows all)", "dim")


def _details(paper: Paper, changes: "DatasetChanges", entry: "DiffEntry") -> None:
    """Print the answer of a case, and what else changed."""
    _answer(paper, changes, entry)
    for label, text in facts(entry):
        paper.sentence(text, indent=_LABEL, first=f"    {label}")


def _answer(paper: Paper, changes: "DatasetChanges", entry: "DiffEntry") -> None:
    """Print how the answer changed: by lines if it has several, else by words."""
    before, now = changes.answers(entry)
    if before is None or now is None:
        shown = now if now is not None else before
        if shown is not None:
            label = "answer" if now is not None else "was"
            width = (paper.width or 200) - _LABEL
            paper.say(f"    {label.ljust(_LABEL - 4)}{shorten(shown, width)}")
        return
    if before == now:
        return
    if "\n" in before.strip() and "\n" in now.strip():
        paper.say("    answer")
        for mark, line in lines_changed(before, now):
            styles = ("red",) if mark == "-" else ("green",) if mark == "+" else ()
            paper.say(f"      {mark} {shorten(line, (paper.width or 200) - 8)}", *styles)
        return
    for i, parts in enumerate(_wrapped(paper, words_changed(before, now))):
        label = "    answer   " if not i else " " * _LABEL
        say(label + paper.changed(parts))


def _wrapped(paper: Paper, parts: Sequence[Part]) -> list[list[Part]]:
    """Break changed words into lines; without colours the marks take width too."""
    width = 10_000 if paper.width is None else max(24, paper.width - _LABEL)
    lines: list[list[Part]] = [[]]
    used = 0
    for mark, text in parts:
        extra = 0 if paper.color or mark == " " else 4
        for word in _pieces(text):
            if used and used + len(word.rstrip()) + extra > width:
                last_mark, ending = lines[-1][-1]
                lines[-1][-1] = (last_mark, ending.rstrip())
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
    """Split a text after its spaces."""
    pieces, start = [], 0
    for i, character in enumerate(text):
        if character == " " and i + 1 < len(text) and text[i + 1] != " ":
            pieces.append(text[start : i + 1])
            start = i + 1
    return [*pieces, text[start:]]


def _exploratory(paper: Paper, changes: "DatasetChanges") -> None:
    """Print the significant comparisons that no gate declares."""
    tests = [
        test
        for test in changes.diff.tests
        if test.gate is None and (test.result.verdict == "regressed" or test.result.improved)
    ]
    if not tests:
        return
    paper.say()
    title = f"slices that changed (never blocking): {counted(len(tests), 'comparison')}"
    paper.say(title, "bold")
    for test in tests:
        part = "" if test.slice is None else f", {test.slice}"
        of = "" if test.of is None else f" of {test.of}"
        paper.sentence(f"{neutral(test.model)}{part}{of}: {test.result.sentence}", indent=2)
