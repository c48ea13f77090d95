"""The cases in the Markdown report that pass in no sample and are not regressed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import fence, labelled
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.case_text import cell_name, count_text
from pytest_evals.reporters.trial_samples import CellKey
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class FailingCases(Section):
    """Cases that no sample passes, with an answer and the reasons."""

    id = "failing"
    title = "Failing"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the failing cases, as far as their answers were read."""
        items = [_item(view, key) for key in view.failing if not view.cells.cells[key].passed]
        title = f"### {self.title}: {len(items):,}"
        return [TextSection(title, items, "cases", share=0.2)] if items else []


def _item(view: "MarkdownView", key: CellKey) -> str:
    """Return one case with an answer and the reasons of its failure."""
    cell = view.cells.cells[key]
    trial = view.samples[key].wrong if key in view.samples else None
    text = f"{cell_name(view, key)} · {count_text(cell, view.entries.get(key))}"
    if not cell.untolerated:
        text += " · failed (tolerated by a gate)"
    if trial is not None:
        lines = [labelled("answer  ", "(none)" if trial.answer is None else trial.answer)]
        lines += [labelled("why     ", reason, 500) for reason in trial.reasons[:4]]
        text += f"\n\n{fence(chr(10).join(lines))}"
    return text
