"""The table of all gates in the Markdown report, folded."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.metrics.metric import interval_text
from pytest_evals.report import Report
from pytest_evals.reporters.markup import code
from pytest_evals.reporters.mdtables import table_head, table_row
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.gates import mark
from pytest_evals.reporters.shape import all_verdicts
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.verdict.gate.spec import GateVerdict

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class GateTable(Section):
    """Every gate with its numbers."""

    id = "all-gates"
    title = "All gates"

    def is_shown(self, report: Report) -> bool:
        """Whether any gate was evaluated."""
        return bool(all_verdicts(report))

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a row per verdict."""
        several = view.has_several_datasets
        items = [_row(verdict, several=several) for verdict in view.verdicts]
        titles = ["", "gate", "model", "slice", "value (interval)", "samples"]
        before = table_head(["dataset", *titles] if several else titles, 2)
        folded = f"{self.title}: {len(items):,}"
        return [TextSection("", items, "gates", before=before, between="\n", folded=folded)]


def _row(verdict: GateVerdict, *, several: bool) -> str:
    """Return one verdict as a row."""
    value = "-" if verdict.value is None else f"{verdict.value:.4g}"
    is_change = verdict.metric == "regressions"
    ends = interval_text(
        verdict.low,
        verdict.high,
        verdict.unit,
        verdict.cases,
        "{:.3g}".format,
        is_change=is_change,
    )
    if ends and verdict.value is not None:
        value += f" ({ends})"
    cells = [
        mark(verdict),
        code(verdict.gate),
        code(verdict.model),
        code(str(verdict.slice)) if verdict.slice else "",
        value,
        str(verdict.n),
    ]
    return table_row([code(verdict.dataset), *cells] if several else cells)
