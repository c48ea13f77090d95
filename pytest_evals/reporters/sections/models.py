"""Models: metrics with intervals, cost and latency, and the change against the baseline."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.ground.plain_text import UNKNOWN, format_cost, format_count, format_seconds
from pytest_evals.metrics.metric import Metric, interval_text
from pytest_evals.report import Report
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
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView

_COLUMN_TITLES = {
    "p95(latency_s)": "p95 latency",
    "cost_usd": "cost",
    "mean(cost_usd)": "cost per trial",
}
_COLUMN_ORDER = (
    "pass@",
    "pass^",
    "score",
    "p95(latency_s)",
    "tokens",
    "cost_usd",
    "mean(cost_usd)",
)


class Models(Section):
    """A row per model of each dataset."""

    id = "models"
    title = "Models and costs"

    def is_shown(self, report: Report) -> bool:
        """Whether any trial was recorded."""
        return bool(report.evaluations)

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the table of models; by scorer, by tag and other metrics folded below."""
        from pytest_evals.reporters.htmlparts.numbers import detail_tables, model_table

        data, evaluations = view.data, view.report.evaluations
        several = view.has_several_datasets
        return view.render(
            "sections/models.jinja",
            title=self.title,
            models=[
                model_table(name if several else "", evaluation, data.declared)
                for name, evaluation in evaluations.items()
            ],
            tables=detail_tables(evaluations, data.tables, data.declared),
        )

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the table of models."""
        report, names = view.report, _columns(view.report)
        rows = []
        for dataset, evaluation in report.evaluations.items():
            by_model: dict[str, dict[str, Metric]] = {}
            for metric in evaluation.metrics:
                if metric.slice is None:
                    by_model.setdefault(metric.model, {})[metric.metric] = metric
            changes = rate_changes(report, dataset)
            rows += [
                [code(dataset), code(model), _passed(view.cells, dataset, model)]
                + [_value_text(metrics.get(column)) for column in names]
                + [changes.get((model, None), "")]
                for model, metrics in by_model.items()
            ]
        if not rows:
            return []
        titles = ["dataset", "model", "passed", *names, CHANGE_TITLE]
        hidden = set() if any(cells[-1] for cells in rows) else {CHANGE_TITLE}
        hidden |= set() if len(report.evaluations) > 1 else {"dataset"}
        kept = [i for i, title in enumerate(titles) if title not in hidden]
        items = [table_row(cells[i] for i in kept) for cells in rows]
        shown = [_COLUMN_TITLES.get(titles[i]) or _column_title(titles[i]) for i in kept]
        before = table_head(shown, len(shown) - shown.index("passed"))
        return [TextSection(f"### {self.title}", items, "models", before=before, between="\n")]


def _column_title(name: str) -> str:
    """Return a column's title; a name with signs becomes code."""
    return code(name) if name.startswith(("pass@", "pass^")) else name


def _columns(report: Report) -> list[str]:
    """Return the metrics of the table: those that a model has a value for."""
    names = dict.fromkeys(
        metric.metric
        for evaluation in report.evaluations.values()
        for metric in evaluation.metrics
        if metric.slice is None
        and metric.value is not None
        and metric.metric.startswith(_COLUMN_ORDER)
        and " of " not in metric.metric
    )
    place = {
        name: next(i for i, word in enumerate(_COLUMN_ORDER) if name.startswith(word))
        for name in names
    }
    return sorted(names, key=lambda name: place[name])


def _passed(cells: RunCells, dataset: str, model: str) -> str:
    """Return how many of a model's scored trials passed."""
    of_model = [c for key, c in cells.cells.items() if (key.dataset, key.model) == (dataset, model)]
    scored = sum(cell.scored for cell in of_model)
    return f"{sum(cell.passed for cell in of_model):,} of {scored:,}" if scored else UNKNOWN


def _value_text(metric: Metric | None) -> str:
    """Return a metric's value in its unit, a rate with its interval."""
    if metric is None or metric.value is None:
        return UNKNOWN
    if metric.unit == "USD":
        return format_cost(metric.value)
    if metric.unit == "s":
        return format_seconds(metric.value)
    if metric.unit == "tokens":
        return format_count(metric.value)
    if metric.unit != "rate":
        return f"{metric.value:.3g}"
    shown = f"{metric.value:.1%}"
    ends = interval_text(metric.low, metric.high, metric.unit, metric.cases, "{:.0%}".format)
    return f"{shown} ({ends})" if ends else shown
