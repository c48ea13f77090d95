"""The table of tags in the Markdown report: how often the cases of each tag pass."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.ground.plain_text import UNKNOWN
from pytest_evals.metrics.metric import Slice
from pytest_evals.reporters.markup import code
from pytest_evals.reporters.mdtables import (
    CHANGE_TITLE,
    rate_changes,
    table_head,
    table_row,
)
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.trial_samples import RunCells
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class Tags(Section):
    """A row per tag and model, the lowest pass rate first."""

    id = "tags"
    title = "By tag"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the table; nothing if no case has a tag."""
        rates = _rates(view.cells)
        if not rates:
            return []
        several = view.has_several_datasets
        changes = {name: rate_changes(view.report, name) for name in view.report.evaluations}
        has_changes = any(part is not None for of in changes.values() for _, part in of)
        items = []
        for (dataset, tag, model), (passed, scored, cases) in sorted(
            rates.items(), key=lambda row: row[1][0] / row[1][1] if row[1][1] else -1
        ):
            share = f"{passed:,} of {scored:,} ({passed / scored:.0%})" if scored else UNKNOWN
            cells = [code(tag), code(model), f"{cases:,}", share]
            if has_changes:
                part = Slice(key="tag", value=tag)
                cells.append(changes.get(dataset, {}).get((model, part), ""))
            items.append(table_row([code(dataset), *cells] if several else cells))
        titles = ["tag", "model", "cases", "passed", *([CHANGE_TITLE] if has_changes else [])]
        before = table_head(["dataset", *titles] if several else titles, len(titles) - 2)
        title = f"### {self.title}"
        return [TextSection(title, items, "tags", share=0.05, before=before, between="\n")]


def _rates(cells: RunCells) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """Return (passed, scored, cases) by dataset, tag and model."""
    rates: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for key, cell in cells.cells.items():
        for tag in cell.tags:
            row = (key.dataset, tag, key.model)
            passed, scored, cases = rates.get(row, (0, 0, 0))
            rates[row] = (passed + cell.passed, scored + cell.scored, cases + 1)
    return rates
