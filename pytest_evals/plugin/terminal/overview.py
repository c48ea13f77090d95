"""The table of models at the end of a session: as many columns as fit into the terminal."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_evals.ground.plain_text import (
    display_width,
    format_cost,
    format_count,
    format_seconds,
    neutral,
    table,
)
from pytest_evals.metrics.metric import interval_text
from pytest_evals.metrics.run_summary import ModelSummary, RunSummary
from pytest_evals.session.evaluation import Evaluations

if TYPE_CHECKING:
    from pytest_evals.metrics.metric import Metric

GAP = 2


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its title, its cells, and its weight, by which a narrow terminal keeps it."""

    title: str
    cells: tuple[str, ...]
    weight: int


def overview(summary: RunSummary, evaluations: Evaluations, width: int) -> list[str]:
    """Return the table of models as lines; an unknown value is a dash.

    Args:
        summary: the numbers of the trials.
        evaluations: metrics and comparisons, by the dataset's name.
        width: the terminal's, in columns; the columns of least weight are dropped to meet it.
    """
    rows = summary.rows
    columns = [column for column in _columns(rows, evaluations) if column.cells]
    while len(columns) > 2 and _width(columns) > width:
        columns.remove(min(columns, key=lambda column: column.weight))
    head = [column.title for column in columns]
    body = list(zip(*(column.cells for column in columns), strict=True))
    align = "".join("<" if title in {"dataset", "model", "change"} else ">" for title in head)
    return table(head, body, width=width, align=align)


def _width(columns: Sequence[_Column]) -> int:
    widths = (
        max(display_width(text) for text in (column.title, *column.cells)) for column in columns
    )
    return sum(widths) + GAP * (len(columns) - 1)


def _columns(rows: Sequence[ModelSummary], evaluations: Evaluations) -> Iterable[_Column]:
    def of(
        title: str, weight: int, cell: Callable[[ModelSummary], str], *, unless: str | None = None
    ) -> _Column:
        cells = tuple(map(cell, rows))
        return _Column(title, () if all(text == unless for text in cells) else cells, weight)

    def shown(name: str) -> Callable[[ModelSummary], str]:
        return lambda row: _value(_metric(evaluations, row, name))

    k = _samples(rows, evaluations)
    if len({row.dataset for row in rows}) > 1:
        yield of("dataset", 10, lambda row: neutral(row.dataset))
    yield of("model", 12, lambda row: neutral(row.model_id))
    yield of("passed", 12, _passed)
    yield of("95 % CI", 6, lambda row: _interval(_metric(evaluations, row, "pass@1")), unless="")
    yield of("revised", 9, lambda row: str(row.revised), unless="0")
    yield of("failed", 9, lambda row: str(row.failed))
    yield of("errors", 9, lambda row: str(row.errored))
    yield of("not run", 9, lambda row: str(row.skipped), unless="0")
    yield of("change", 8, lambda row: _change(evaluations, row), unless="")
    for name, weight in ((f"pass@{k}", 4), (f"pass^{k}", 5)) if k else ():
        yield of(name, weight, shown(name), unless="-")
    yield of("score", 6, lambda row: _or_dash(row.mean_score, "{:.2f}".format))
    yield of("p50", 2, lambda row: _or_dash(row.latency(0.5), format_seconds), unless="-")
    yield of("p95", 3, lambda row: _or_dash(row.latency(0.95), format_seconds), unless="-")
    yield of("tokens", 1, lambda row: _or_dash(row.tokens, format_count), unless="-")
    yield of("cost", 7, lambda row: _or_dash(row.cost_usd, format_cost))


def _passed(row: ModelSummary) -> str:
    """Format a pass rate with its n."""
    return "-" if not row.scored else f"{row.passed}/{row.scored} {percent(row.passed, row.scored)}"


def percent(part: float, whole: float = 1.0) -> str:
    """Format a share in whole percent; 0 and 100 only if it is exactly that."""
    share = part / whole
    rounded = f"{share:.0%}"
    if rounded == "100%" and share < 1:
        return ">99%"
    return "<1%" if rounded == "0%" and share > 0 else rounded


def _or_dash(value: float | None, write: Callable[..., str]) -> str:
    return "-" if value is None else write(value)


def _samples(rows: Sequence[ModelSummary], evaluations: Evaluations) -> int | None:
    """Return the k of the columns pass@k and pass^k; None if datasets differ in it."""
    numbers = {
        metric.metric.partition("^")[2]
        for row in rows
        if row.dataset in evaluations
        for metric in evaluations[row.dataset].metrics
        if metric.metric.startswith("pass^") and metric.metric.partition("^")[2].isdecimal()
    }
    return max(map(int, numbers)) if len(numbers) == 1 else None


def _metric(evaluations: Evaluations, row: ModelSummary, name: str) -> "Metric | None":
    evaluation = evaluations.get(row.dataset)
    if evaluation is None:
        return None
    mine = (
        m for m in evaluation.metrics if (m.model, m.metric, m.slice) == (row.model_id, name, None)
    )
    return next(mine, None)


def _interval(metric: "Metric | None") -> str:
    if metric is None or metric.value is None:
        return ""
    text = interval_text(metric.low, metric.high, metric.unit, metric.cases, percent, joint="-")
    return text.replace("%-", "-")


def _value(metric: "Metric | None") -> str:
    return "-" if metric is None or metric.value is None else percent(metric.value)


def _change(evaluations: Evaluations, row: ModelSummary) -> str:
    """Format the change of the pass rate against the baseline, in points, and its verdict."""
    evaluation = evaluations.get(row.dataset)
    if evaluation is None or evaluation.diff is None:
        return ""
    for test in evaluation.diff.tests:
        whole = test.gate is not None and test.slice is None and test.of is None
        if test.model == row.model_id and whole and test.result.change is not None:
            points = f"{100 * test.result.change:+.1f}".replace("-", "\N{MINUS SIGN}")
            return f"{points} {test.result.verdict}"
    return "-"
