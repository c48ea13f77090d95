"""Cases as Markdown: the name of a cell, its counts, and its answers before and now. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import code, fence, prefixed
from pytest_evals.reporters.trial_samples import CellCounts, CellKey
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.verdict.diff import DiffEntry, class_words

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView

CLASS_WORDS = {
    "drifted": "still passes with a different answer",
    "case_edited": "edited, not compared",
    "added_passing": "new, passes",
    "added_failing": "new, fails",
    "removed": "not in this run",
    "errored": "no answer or no score",
}
"""What a class of change says of a case."""


def cell_name(view: "MarkdownView", key: CellKey) -> str:
    """Return the case and the model of a cell."""
    of = f" in {code(key.dataset)}" if view.has_several_datasets else ""
    return f"{code(key.case)} for {code(key.model)}{of}"


def count_text(cell: CellCounts, entry: DiffEntry | None) -> str:
    """Return how many samples passed now, and in the baseline."""
    now = f"{cell.passed} of {cell.scored}"
    if entry is not None and entry.kind == "added_failing":
        return f"new, passed {now}"
    if entry is None or entry.n_before is None:
        return f"passed {now}"
    text = f"passed {entry.passes_before} of {entry.n_before} before, {now} now"
    return f"{text}, {class_words(entry.kind)}" if entry.kind.startswith("newly_") else text


def changed_cases(
    view: "MarkdownView", title: str, entries: Sequence[tuple[CellKey, DiffEntry]], share: float
) -> list[TextSection]:
    """Return changed cases with their answers before and now; nothing if there are none."""
    items = [_item(view, key, entry) for key, entry in entries]
    return [TextSection(f"### {title}: {len(items):,}", items, "cases", share)] if items else []


def _item(view: "MarkdownView", key: CellKey, entry: DiffEntry) -> str:
    """Return one case with its answers before and now, and the reasons of its failure."""
    words = [cell_name(view, key)]
    if entry.n_before is not None and entry.n is not None:
        words.append(
            f"passed {entry.passes_before} of {entry.n_before} before, "
            f"{entry.passes} of {entry.n} now"
        )
    if entry.blocking:
        words.append("**blocks**")
    shown, fixed = view.samples.get(key), entry.kind == "fixed"
    trial = None if shown is None else shown.right if fixed else shown.wrong
    answer = entry.answer if trial is None else trial.answer
    reasons = entry.reasons if trial is None else trial.reasons
    lines = [] if entry.answer_before is None else [prefixed("- ", entry.answer_before)]
    lines += [] if answer is None else [prefixed("+ ", answer)]
    lines += [] if fixed else [prefixed("! ", reason, 500) for reason in reasons[:4]]
    block = f"\n\n{fence(chr(10).join(lines), 'diff')}" if lines else ""
    return f"{' · '.join(words)}{block}"
