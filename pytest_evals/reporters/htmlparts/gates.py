"""Gates as rows of the HTML page: required value, value, interval, and a drawing of them. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pytest_evals.ground.plain_text import FEWEST_CASES, format_cost, format_count, format_seconds
from pytest_evals.metrics.metric import interval_text, shown_interval
from pytest_evals.reporters.htmlparts.svg import Scale, line, picture, tag
from pytest_evals.reporters.text import count_noun
from pytest_evals.verdict.gate.spec import GateVerdict

_GRAVITY = ("failed", "incomplete", "inconclusive", "skipped", "passed")
_WIDTH, _HEIGHT = 180.0, 26.0


@dataclass(frozen=True, slots=True)
class GateRow:
    """One verdict."""

    verdict: str
    blocking: bool
    gate: str
    whom: str
    """The model; the slice and the dataset if there are several."""
    value: str
    interval: str
    n: str
    sentence: str
    """The reason; empty if the numbers say it."""
    notes: tuple[str, ...]
    drawing: Markup | None


def gate_rows(verdicts: Sequence[GateVerdict], *, several: bool) -> list[GateRow]:
    """Return the verdicts as rows, blocking ones first, then by gravity, then as declared.

    Args:
        verdicts: of all datasets.
        several: whether there are several datasets.
    """
    ordered = sorted(
        verdicts, key=lambda verdict: (not verdict.blocking, _GRAVITY.index(verdict.verdict))
    )
    return [_row(verdict, several=several) for verdict in ordered]


def _row(verdict: GateVerdict, *, several: bool) -> GateRow:
    """Return one row."""
    whom = [
        verdict.model,
        *([str(verdict.slice)] if verdict.slice else []),
        *([verdict.dataset] if several else []),
    ]
    write = _number_format(verdict)
    is_open = verdict.verdict in {"incomplete", "skipped"}  # the number is of a part of the trials
    is_change = verdict.metric == "regressions"
    interval = interval_text(
        verdict.low, verdict.high, verdict.unit, verdict.cases, write, is_change=is_change
    )
    return GateRow(
        verdict=verdict.verdict,
        blocking=verdict.blocking,
        gate=verdict.gate,
        whom=" · ".join(whom),
        value="" if verdict.value is None or is_open else write(verdict.value),
        interval="" if is_open else interval,
        n=f"{count_noun(verdict.n, 'sample')}, {count_noun(verdict.cases, 'case')}"
        if verdict.n
        else "",
        sentence="" if is_measured(verdict) else verdict_reason(verdict),
        notes=verdict.notes,
        drawing=None if is_open else _drawing(verdict),
    )


def is_measured(verdict: GateVerdict) -> bool:
    """Whether the numbers explain the verdict: a value beside the required value."""
    return (
        verdict.value is not None and bool(verdict.bar) and verdict.verdict in {"passed", "failed"}
    )


def verdict_reason(verdict: GateVerdict) -> str:
    """Return the sentence of a verdict without its first word, the verdict itself."""
    first, _, rest = verdict.sentence.partition(": ")
    return rest if rest and first.split(" ")[0].isupper() else verdict.sentence


def verdict_sentence(verdict: GateVerdict) -> str:
    """Return a verdict as one sentence of the headline."""
    part = f" ({verdict.slice})" if verdict.slice else ""
    name = f"{verdict.gate} on {verdict.model}{part}"
    if not is_measured(verdict):
        return f"{name}: {verdict_reason(verdict)}"
    assert verdict.value is not None
    return f"{name}: the value is {format_value(verdict.value, verdict.unit)}."


def format_value(value: float, unit: str) -> str:
    """Write a value in its unit; rates as percents."""
    if unit == "rate":
        return f"{value * 100:.1f}".removesuffix(".0") + "%"
    if unit == "USD":
        return format_cost(value)
    if unit == "s":
        return format_seconds(value)
    if unit == "tokens":
        return format_count(value)
    return f"{value:.3g}"


def _number_format(verdict: GateVerdict) -> Callable[[float], str]:
    """Return how to write a verdict's numbers: values in their unit, changes with a sign."""
    if verdict.metric != "regressions":
        return lambda value: format_value(value, verdict.unit)
    return format_points if verdict.unit == "rate" else "{:+.3g}".format


def format_points(value: float) -> str:
    """Write a change of a rate in points; no rate changes by more than 100."""
    return f"{min(1.0, max(-1.0, value)) * 100:+.1f} pts"


def _required(verdict: GateVerdict) -> float | None:
    """Return the required value; 0 (no change) for a comparison."""
    if verdict.metric == "regressions":
        return 0.0
    number = verdict.bar.split()[-1] if verdict.bar else ""
    try:
        return float(number)
    except ValueError:
        return None


def _drawing(verdict: GateVerdict) -> Markup | None:
    """Draw the value, its interval and the required value on one axis; None without a value."""
    if verdict.value is None:
        return None
    required = _required(verdict)
    scale = _scale(verdict, required)
    middle = _HEIGHT / 2
    marks = [line(6, middle, _WIDTH - 6, middle, "axis")]
    is_change = verdict.metric == "regressions"
    ends = shown_interval(verdict.low, verdict.high, verdict.unit, is_change=is_change)
    if ends is not None and verdict.cases >= FEWEST_CASES:
        x, wide = scale(ends[0]), max(3.0, scale(ends[1]) - scale(ends[0]))
        marks.append(tag("rect", x=x, y=middle - 3, width=wide, height=6, rx=3, class_="range"))
    if required is not None:
        marks.append(line(scale(required), 3, scale(required), _HEIGHT - 3, "asked"))
    marks.append(tag("circle", cx=scale(verdict.value), cy=middle, r=5, class_="dot"))
    requirement = "no change" if verdict.metric == "regressions" else verdict.bar
    label = f"value {verdict.value:.4g}, required {requirement}"
    return picture(_WIDTH, _HEIGHT, label, *marks, class_=f"gauge v-{verdict.verdict}")


def _scale(verdict: GateVerdict, required: float | None) -> Scale:
    """Return the axis: 0 to 1 for rates and scores, else a range around all numbers."""
    numbers = [x for x in (verdict.value, verdict.low, verdict.high, required) if x is not None]
    low, high = min(0.0, *numbers, 0.0), max(numbers)
    if verdict.metric == "regressions":
        high = min(1.0, max(map(abs, numbers)) * 1.2) or 0.1
        low = -high
    elif verdict.unit in {"rate", "score"} and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    else:
        high = high * 1.25 or 1.0
    return Scale(low, high, 6, _WIDTH - 6)
