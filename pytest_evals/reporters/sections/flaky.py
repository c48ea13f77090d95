"""The flaky cases in the Markdown report, and those whose change is not significant."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.case_text import cell_name, count_text
from pytest_evals.reporters.trial_samples import CellKey
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class FlakyCases(Section):
    """Cases whose samples disagree, or that changed without significance."""

    id = "flaky"
    title = "Flaky, or changed but not significant"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a line per case, with one reason of a failure."""
        keys = [key for key in view.cells.cells if _is_listed(view, key)]
        items = [_item(view, key) for key in keys]
        title = f"### {self.title}: {len(items):,}"
        return [TextSection(title, items, "cases", share=0.05, between="\n")] if items else []


def _is_listed(view: "MarkdownView", key: CellKey) -> bool:
    """Whether a case passes and fails now, or passes and changed without significance."""
    cell, entry = view.cells.cells[key], view.entries.get(key)
    changed = entry is not None and entry.kind in {"flaky", "newly_failing", "newly_passing"}
    return bool(cell.passed and (cell.failed or changed)) and not view.is_shown_as_change(key)


def _item(view: "MarkdownView", key: CellKey) -> str:
    """Return one case with its counts."""
    cell = view.cells.cells[key]
    text = f"- {cell_name(view, key)}: {count_text(cell, view.entries.get(key))}"
    trial = view.samples[key].wrong if key in view.samples else None
    if trial is not None and trial.reasons:
        text += f"; {prose(trial.reasons[0], 300)}"
    return text
