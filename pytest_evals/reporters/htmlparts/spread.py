"""Figures of the distributions of scores and latencies, a row per model. Pure."""

from collections.abc import Callable, Sequence
from math import fsum

from markupsafe import Markup

from pytest_evals.ground.plain_text import format_seconds, shorten
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.reporters.htmlparts.figure import Figure, figure_title, select_models
from pytest_evals.reporters.htmlparts.svg import Scale, line, picture, tag, text, ticks
from pytest_evals.stats.quantiles import quantile

_WIDTH = 520.0
_LEFT = 150.0
_BINS = 20
_ROWS = 14

Row = tuple[str, int, list[float]]
"""(label, place of the model's colour, values)."""


def score_spread(table: TrialTable, declared: Sequence[str], *, several: bool) -> Figure | None:
    """Return the histograms of scores; None if every score is 0 or 1.

    Args:
        table: a dataset's trials.
        declared: its models, in the order of their colours.
        several: whether the report has several datasets.
    """
    models, rest = select_models(list(declared))
    rows = _rows(table, models, "score", lambda trial: trial.score if trial.scored else None)
    for scorer in table.scorers:
        rows += _graded(table, models, scorer)
    if not any(_is_graded(values) for _, _, values in rows):
        return None
    cut = f" {len(rows) - _ROWS} more rows are not drawn." if len(rows) > _ROWS else ""
    rows = rows[:_ROWS]
    every = [value for _, _, values in rows for value in values]
    low, high = min(0.0, *every), max(1.0, *every)
    scale = Scale(low, high, _LEFT, _WIDTH - 58)
    height = len(rows) * 38.0 + 30
    marks = _scale_below(scale, height, lambda value: f"{value:g}")
    for place, row in enumerate(rows):
        marks += _histogram(row, place * 38.0 + 34, scale)
    return Figure(
        title=figure_title("Scores", table.dataset, several),
        note="Trials by score; the mark is the mean. score is a trial's weighted mean over its "
        f"scorers.{rest}{cut}",
        drawing=picture(_WIDTH, height, "Distribution of scores by scorer and model", *marks),
    )


def latency_spread(table: TrialTable, declared: Sequence[str], *, several: bool) -> Figure | None:
    """Return the distribution of latencies; None if all are 0 or unknown.

    Args:
        table: a dataset's trials.
        declared: its models, in the order of their colours.
        several: whether the report has several datasets.
    """
    models, rest = select_models(list(declared))
    rows = _rows(table, models, "", lambda trial: trial.latency_s)
    if not rows or not max(max(values) for _, _, values in rows):
        return None
    longest = max(quantile(values, 0.99) for _, _, values in rows) or 1.0
    scale = Scale(0, longest, _LEFT, _WIDTH - 20)
    height = len(rows) * 44.0 + 30
    marks = _scale_below(scale, height, format_seconds)
    for place, row in enumerate(rows):
        marks += _box(row, place * 44.0 + 30, scale)
    return Figure(
        title=figure_title("Latency", table.dataset, several),
        note="Line: from the 5th to the 95th percentile. Box: the middle half. Mark: the median."
        + rest,
        drawing=picture(_WIDTH, height, "Spread of latencies by model", *marks),
    )


def _rows(
    table: TrialTable, models: Sequence[str], name: str, read: Callable[[TrialStats], float | None]
) -> list[Row]:
    """Return a row of values for each model with values."""
    rows = []
    for place, model in enumerate(models):
        values = [value for trial in table.trials(model) if (value := read(trial)) is not None]
        label = model if not name else name if len(models) == 1 else f"{name} {model}"
        if values:
            rows.append((label, place, values))
    return rows


def _graded(table: TrialTable, models: Sequence[str], scorer: str) -> list[Row]:
    """Return the rows of a scorer with values other than 0 and 1."""

    def read(trial: TrialStats) -> float | None:
        scores = dict(zip(trial.names, trial.values, strict=True))
        return scores.get(scorer) if trial.scored else None

    rows = _rows(table, models, scorer, read)
    return rows if any(_is_graded(values) for _, _, values in rows) else []


def _is_graded(values: list[float]) -> bool:
    """Whether any value is other than 0 and 1."""
    return any(value not in {0, 1} for value in values)


def _scale_below(scale: Scale, height: float, written: Callable[[float], str]) -> list[Markup]:
    """Return the grid with its labels."""
    marks = []
    for value in ticks(scale.low, scale.high, 4):
        x = scale(value)
        marks.append(line(x, 4, x, height - 22))
        marks.append(text(x, height - 6, written(value), "middle"))
    return marks


def _label(row: Row, y: float) -> Markup:
    """Return a row's name."""
    return text(0, y, shorten(row[0], 20), class_="label")


def _histogram(row: Row, base: float, scale: Scale) -> list[Markup]:
    """Return one histogram with its mean."""
    label, place, values = row
    counts = [0] * _BINS
    span = scale.high - scale.low
    for value in values:
        counts[min(_BINS - 1, int((value - scale.low) / span * _BINS))] += 1
    wide = (scale.end - scale.start) / _BINS
    bars = [
        tag(
            "rect",
            tag("title", f"{label}: {count} of {len(values)}"),
            x=scale.start + i * wide + 0.75,
            y=base - 26 * count / max(counts),
            width=wide - 1.5,
            height=26 * count / max(counts),
            class_="bar",
        )
        for i, count in enumerate(counts)
        if count
    ]
    mean = fsum(values) / len(values)
    return [
        _label(row, base - 8),
        line(scale.start, base, scale.end, base, "base"),
        tag("g", *bars, class_=f"s{place}"),
        line(scale(mean), base - 29, scale(mean), base + 3, "mean"),
        text(_WIDTH, base - 8, f"{mean:.2f}", "end", "number"),
    ]


def _box(row: Row, middle: float, scale: Scale) -> list[Markup]:
    """Return one box plot: whiskers, box, median, and numbers."""
    _, place, values = row
    p5, p25, p50, p75, p95 = (quantile(values, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
    box = tag(
        "g",
        line(scale(p5), middle, scale(p95), middle, "whisker"),
        tag(
            "rect",
            tag("title", f"{format_seconds(p25)} to {format_seconds(p75)}, n = {len(values)}"),
            x=scale(p25),
            y=middle - 8,
            width=max(2.0, scale(p75) - scale(p25)),
            height=16,
            class_="box",
        ),
        line(scale(p50), middle - 10, scale(p50), middle + 10, "median"),
        class_=f"s{place}",
    )
    numbers = f"p50 {format_seconds(p50)}, p95 {format_seconds(p95)}"
    return [_label(row, middle - 2), text(0, middle + 13, numbers), box]
