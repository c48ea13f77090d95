"""The figure of pass@k and pass^k over k. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pytest_evals.ground.plain_text import FEWEST_CASES
from pytest_evals.metrics.compute import TrialGroup, estimate_metric
from pytest_evals.metrics.metric import interval_text, shown_interval
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.reporters.htmlparts.figure import (
    Figure,
    figure_title,
    legend,
    mark_offsets,
    percent,
    select_models,
)
from pytest_evals.reporters.htmlparts.svg import Scale, join_points, line, picture, tag, text
from pytest_evals.stats.estimate import Estimate

_WIDTH, _HEIGHT = 520.0, 250.0
_MOST = 8


@dataclass(frozen=True, slots=True)
class _Frame:
    """The scales of the drawing."""

    x: Scale
    y: Scale


@dataclass(frozen=True, slots=True)
class _Curve:
    """The data of one model's curves."""

    group: TrialGroup
    model: str
    ks: list[int]
    colour: str
    aside: float
    """The horizontal offset of its marks, so that models do not hide each other."""


def pass_curves(table: TrialTable, declared: Sequence[str], *, several: bool) -> Figure | None:
    """Return the figure of a dataset; None if a case has one sample only.

    Args:
        table: its trials.
        declared: its models, in the order of their colours.
        several: whether the report has several datasets.
    """
    models, rest = select_models(list(declared))
    groups = {model: TrialGroup(table.cases(model)) for model in models}
    fewest = min(
        (
            sum(not trial.unneeded for trial in cell)
            for g in groups.values()
            for cell in g.cells.values()
        ),
        default=1,
    )
    if fewest < 2:
        return None
    ks = _chosen(fewest)
    frame = _Frame(Scale(ks[0], ks[-1], 70, _WIDTH - 30), Scale(0, 1, _HEIGHT - 34, 12))
    marks = [*_axes(frame, ks)]
    for place, (model, aside) in enumerate(zip(models, mark_offsets(len(models), 40), strict=True)):
        curve = _Curve(groups[model], model, ks, f"s{place}", aside)
        marks += [_drawn(curve, metric, frame) for metric in ("pass^", "pass@")]
    return Figure(
        title=figure_title("How often samples pass", table.dataset, several),
        note="Solid: pass@k, at least one of k samples passes. Dashed: pass^k, all k pass. "
        f"Whiskers are 95% intervals, clustered by case.{rest}",
        drawing=picture(
            _WIDTH, _HEIGHT, f"pass@k and pass^k for k from 1 to {ks[-1]}, by model", *marks
        ),
        legend=legend(models),
    )


def _chosen(fewest: int) -> list[int]:
    """Return the values of k to draw: all, or a few spread out."""
    if fewest <= _MOST:
        return list(range(1, fewest + 1))
    chosen = [k for k in (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100) if k < fewest * 0.9]
    return [*chosen, fewest]


def _axes(frame: _Frame, ks: list[int]) -> list[Markup]:
    """Return the lines behind the curves."""
    marks = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = frame.y(share)
        marks.append(line(44, y, _WIDTH - 8, y))
        marks.append(text(38, y + 4, percent(share), "end"))
    below = [text(frame.x(k), _HEIGHT - 14, str(k), "middle") for k in ks[1:]]
    return [*marks, text(frame.x(ks[0]), _HEIGHT - 14, f"k = {ks[0]}", "middle"), *below]


def _drawn(curve: _Curve, metric: str, frame: _Frame) -> Markup:
    """Return one curve, with an interval at every point of pass@k."""
    points, marks = [], []
    for k in curve.ks:
        value = estimate_metric(curve.group, MetricSpec.model_validate({"kind": metric, "k": k}))
        if not isinstance(value, Estimate):
            continue
        x, y = frame.x(k) + curve.aside, frame.y(value.value)
        points.append((x, y))
        ends = interval_text(value.low, value.high, "rate", value.cases, percent)
        ends = ends and f" ({ends})"
        interval = shown_interval(value.low, value.high, "rate")
        if metric == "pass@" and interval is not None and value.cases >= FEWEST_CASES:
            marks.append(line(x, frame.y(interval[0]), x, frame.y(interval[1]), "whisker"))
        tooltip = tag("title", f"{curve.model} {metric}{k}: {percent(value.value)}{ends}")
        marks.append(
            tag("circle", tooltip, cx=x, cy=y, r=3.5 if metric == "pass@" else 2.5, class_="dot")
        )
    dash = "curve" if metric == "pass@" else "curve dashed"
    return tag(
        "g", tag("polyline", points=join_points(points), class_=dash), *marks, class_=curve.colour
    )
