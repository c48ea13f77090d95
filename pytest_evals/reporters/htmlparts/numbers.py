"""Tables of metrics for the HTML page: by model, by scorer, by tag. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_evals.metrics.compute import compute_slice_metrics
from pytest_evals.metrics.metric import Metric, interval_text
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.reporters.htmlparts.gates import format_points, format_value
from pytest_evals.reporters.text import count_noun
from pytest_evals.verdict.evaluation import Evaluation

_COLUMNS = {
    "pass@1": "pass@1",
    "score": "score",
    "error_rate": "errors",
    "p95(latency_s)": "p95 latency",
    "cost_usd": "cost",
}
_POWER = re.compile(r"pass([@^])(\d+)")
_MOST_TAGS = 40


@dataclass(frozen=True, slots=True)
class NumberCell:
    """One cell."""

    text: str
    interval: str = ""
    why: str = ""
    """Why there is no value, or its samples and cases."""
    level: int | None = None
    """0..10 for a coloured share; None for others."""


@dataclass(frozen=True, slots=True)
class NumberTable:
    """One table."""

    title: str
    corner: str
    """The noun of the rows."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[NumberCell, ...]], ...]


def model_table(title: str, evaluation: Evaluation, models: Sequence[str]) -> NumberTable:
    """Return the metrics of each model, in this order."""
    by_model: dict[str, dict[str, Metric]] = {}
    ordered = {model: place for place, model in enumerate(models)}
    for metric in sorted(
        evaluation.metrics, key=lambda metric: ordered.get(metric.model, len(ordered))
    ):
        if metric.slice is None:
            by_model.setdefault(metric.model, {})[metric.metric] = metric
    named = _named(evaluation.metrics)
    names = [*named[:1], *(name for name in named[1:] if _has_value(by_model.values(), name))]
    if not names:
        return NumberTable(title, "model", (), ())
    changes = _changes(evaluation)
    rows = []
    for model, metrics in by_model.items():
        first, *rest = [to_cell(metrics.get(name)) for name in names]
        against = [changes.get(model, NumberCell("-"))] if changes else []
        rows.append((model, (first, *against, *rest)))
    columns = [_COLUMNS.get(name, name) for name in names]
    if changes:
        columns.insert(1, "vs. baseline")
    return NumberTable(title, "model", tuple(columns), tuple(rows))


def scorer_table(title: str, evaluation: Evaluation, models: Sequence[str]) -> NumberTable | None:
    """Return the mean of every scorer by model; None with fewer than two scorers."""
    by_scorer: dict[str, dict[str, Metric]] = {}
    for metric in evaluation.metrics:
        if metric.slice is None and metric.metric.startswith("mean(") and metric.unit == "score":
            by_scorer.setdefault(metric.metric[5:-1], {})[metric.model] = metric
    if len(by_scorer) < 2:
        return None
    rows = (
        (name, tuple(to_cell(cell.get(model)) for model in models))
        for name, cell in by_scorer.items()
    )
    return NumberTable(f"{title}By scorer", "scorer", tuple(models), tuple(rows))


def other_table(title: str, evaluation: Evaluation, models: Sequence[str]) -> NumberTable | None:
    """Return the metrics of no other table, by model; None without any."""
    shown = {*_named(evaluation.metrics)}
    by_metric: dict[str, dict[str, Metric]] = {}
    for metric in evaluation.metrics:
        scorers = metric.metric.startswith("mean(") and metric.unit == "score"
        if metric.slice is None and metric.metric not in shown and not scorers:
            by_metric.setdefault(metric.metric, {})[metric.model] = metric
    rows = tuple(
        (name, tuple(to_cell(cell.get(model)) for model in models))
        for name, cell in by_metric.items()
    )
    return NumberTable(f"{title}Other metrics", "metric", tuple(models), rows) if rows else None


def tag_table(title: str, table: TrialTable, models: Sequence[str]) -> NumberTable | None:
    """Return pass@1 of every tag by model; None with fewer than two tags."""
    by_tag: dict[str, dict[str, Metric]] = {}
    for metric in compute_slice_metrics(table, "tag", names=("pass@1",)):
        assert metric.slice is not None
        by_tag.setdefault(metric.slice.value, {})[metric.model] = metric
    if len(by_tag) < 2:
        return None
    worst = sorted(by_tag, key=lambda tag: (_least(by_tag[tag].values()), tag))[:_MOST_TAGS]
    rows = ((tag, tuple(to_cell(by_tag[tag].get(model)) for model in models)) for tag in worst)
    return NumberTable(f"{title}By tag (pass@1)", "tag", tuple(models), tuple(rows))


def to_cell(metric: Metric | None) -> NumberCell:
    """Return a metric as a cell."""
    if metric is None or metric.value is None:
        return NumberCell("-", why="" if metric is None else metric.absent or "")
    interval = interval_text(
        metric.low,
        metric.high,
        metric.unit,
        metric.cases,
        lambda end: format_value(end, metric.unit),
    )
    share = metric.unit == "rate" and metric.better == "higher"
    return NumberCell(
        text=format_value(metric.value, metric.unit),
        interval=interval,
        why=f"n = {count_noun(metric.n, 'sample')} of {count_noun(metric.cases, 'case')}",
        level=colour_level(metric.value) if share else None,
    )


def colour_level(share: float) -> int:
    """Return a share in 0..1 as a step 0..10; only 1 is 10, only 0 is 0."""
    return 10 if share >= 1 else 0 if share <= 0 else min(9, max(1, round(share * 10)))


def _named(metrics: Iterable[Metric]) -> list[str]:
    """Return the metrics of the columns, in order."""
    names = dict.fromkeys(metric.metric for metric in metrics if metric.slice is None)
    powers = sorted(
        (match[1], int(match[2]), name)
        for name in names
        if name not in _COLUMNS and (match := _POWER.fullmatch(name))
    )
    ordered = [name for name in _COLUMNS if name in names]
    return [*ordered[:1], *(name for *_, name in powers), *ordered[1:]]


def _has_value(cells: Iterable[dict[str, Metric]], name: str) -> bool:
    """Whether any model has a value of a metric; for the error rate, other than 0."""
    values = [metrics[name].value for metrics in cells if name in metrics]
    return any(values) if name == "error_rate" else any(value is not None for value in values)


def _changes(evaluation: Evaluation) -> dict[str, NumberCell]:
    """Return the change of each model's pass rate against the baseline."""
    if evaluation.diff is None:
        return {}
    changes: dict[str, NumberCell] = {}
    for test in evaluation.diff.tests:
        mean = test.result.mean
        if (
            test.slice is None
            and test.of is None
            and mean is not None
            and test.model not in changes
        ):
            ends = interval_text(
                mean.low,
                mean.high,
                "rate",
                test.result.cases,
                lambda end: format_points(end).removesuffix(" pts"),
                is_change=True,
            )
            changes[test.model] = NumberCell(format_points(mean.change), ends, test.result.verdict)
    return changes


def _least(cells: Iterable[Metric]) -> float:
    """Return the least value of a row; a row without values sorts last."""
    return min((cell.value for cell in cells if cell.value is not None), default=2.0)


def detail_tables(
    evaluations: Mapping[str, Evaluation], trials: Mapping[str, TrialTable], models: Sequence[str]
) -> list[NumberTable]:
    """Return the folded tables below the models: by scorer, by tag, other metrics."""
    made: list[NumberTable | None] = []
    for name, evaluation in evaluations.items():
        title = f"{name}: " if len(evaluations) > 1 else ""
        declared = [model for model in models if name in trials and model in trials[name].models]
        made.append(scorer_table(title, evaluation, declared))
        if name in trials:
            made.append(tag_table(title, trials[name], declared))
        made.append(other_table(title, evaluation, declared))
    return [table for table in made if table is not None]
