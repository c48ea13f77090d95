"""The figure of cost against quality, a mark per model. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from pytest_evals.ground.plain_text import FEWEST_CASES, format_cost
from pytest_evals.metrics.metric import Metric, shown_interval
from pytest_evals.reporters.htmlparts.figure import (
    Figure,
    figure_title,
    legend,
    percent,
    select_models,
)
from pytest_evals.reporters.htmlparts.svg import Scale, line, picture, tag, text, ticks

_WIDTH, _HEIGHT = 520.0, 250.0


def cost_against_quality(
    metrics: Sequence[Metric], whose: tuple[str, Sequence[str]], *, several: bool
) -> Figure | None:
    """Return the figure of a dataset; None with fewer than two models of known cost.

    Args:
        metrics: the dataset's.
        whose: its name, and its models in the order of their colours.
        several: whether the report has several datasets.
    """
    dataset, declared = whose
    quality = {m.model: m for m in metrics if m.metric == "pass@1" and m.slice is None}
    costs = {m.model: m for m in metrics if m.metric == "mean(cost_usd)" and m.slice is None}
    priced = [
        model
        for model in declared
        if model in quality and quality[model].value is not None
        if model in costs and costs[model].value is not None
    ]
    models, rest = select_models(priced)
    highest = max((costs[model].value or 0.0 for model in models), default=0.0)
    if len(models) < 2 or not highest:
        return None
    x, y = Scale(0, highest * 1.12, 52, _WIDTH - 16), Scale(0, 1, _HEIGHT - 46, 12)
    per = 1 if highest >= 0.02 else 1000
    marks = _axes(x, y, per)
    for place, model in enumerate(models):
        marks.append(_model(quality[model], costs[model].value or 0.0, x, y, place))
    return Figure(
        title=figure_title("Cost against quality", dataset, several),
        note=f"pass@1 with its 95% interval, over what trials cost. Up and left is better.{rest}",
        drawing=picture(_WIDTH, _HEIGHT, "pass@1 over mean cost of a trial, by model", *marks),
        legend=legend(models),
    )


def _axes(x: Scale, y: Scale, per: int) -> list[Markup]:
    """Return the lines behind the marks."""
    marks = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        marks.append(line(44, y(share), _WIDTH - 8, y(share)))
        marks.append(text(38, y(share) + 4, percent(share), "end"))
    marks += [
        text(x(cost / per), _HEIGHT - 26, f"${cost:,.6g}", "middle")
        for cost in ticks(0, x.high * per, 4)
    ]
    label = "mean cost of a trial" if per == 1 else f"cost of {per:,} trials"
    marks.append(text((x.start + x.end) / 2, _HEIGHT - 8, label, "middle"))
    return marks


def _model(metric: Metric, cost: float, x: Scale, y: Scale, place: int) -> Markup:
    """Return a model's mark with its interval."""
    value = metric.value or 0.0
    marks = []
    ends = shown_interval(metric.low, metric.high, metric.unit)
    if ends is not None and metric.cases >= FEWEST_CASES:
        marks.append(line(x(cost), y(ends[0]), x(cost), y(ends[1]), "whisker"))
    tooltip = tag("title", f"{metric.model}: pass@1 {percent(value)}, {format_cost(cost)} a trial")
    marks.append(tag("circle", tooltip, cx=x(cost), cy=y(value), r=6, class_="dot"))
    return tag("g", *marks, class_=f"s{place}")
