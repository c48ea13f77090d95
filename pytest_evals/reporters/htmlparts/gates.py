"""Gates as rows: what was asked for, what was found, and a picture of both. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds
from pytest_evals.reporters.htmlparts.svg import Scale, line, picture, tag
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
    """The model, and the slice where there is one."""
    value: str
    interval: str
    n: str
    sentence: str
    notes: tuple[str, ...]
    drawing: Markup | None


def gate_rows(verdicts: Sequence[GateVerdict], *, several: bool) -> list[GateRow]:
    """Return the verdicts as rows, the gravest first, else as they were declared.

    Args:
        verdicts: of all datasets.
        several: whether there are several datasets.
    """
    ordered = sorted(verdicts, key=lambda one: (not one.blocking, _GRAVITY.index(one.verdict)))
    return [_row(one, several=several) for one in ordered]


def _row(one: GateVerdict, *, several: bool) -> GateRow:
    """Return one row."""
    whom = [
        one.model,
        *([str(one.slice)] if one.slice else []),
        *([one.dataset] if several else []),
    ]
    written = _writer(one)
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f"{written(one.low)} to {written(one.high)}"
    return GateRow(
        verdict=one.verdict,
        blocking=one.blocking,
        gate=one.gate,
        whom=" · ".join(whom),
        value="" if one.value is None else written(one.value),
        interval=interval,
        n=f"{one.n:,} samples, {one.cases:,} cases" if one.n else "",
        sentence="" if is_measured(one) else verdict_reason(one),
        notes=one.notes,
        drawing=_drawing(one),
    )


def is_measured(one: GateVerdict) -> bool:
    """Whether a verdict is told by its numbers alone: a metric beside its bar."""
    return one.value is not None and bool(one.bar) and one.verdict in {"passed", "failed"}


def verdict_reason(one: GateVerdict) -> str:
    """Return why, in words, without the verdict's own word before it."""
    first, _, rest = one.sentence.partition(": ")
    return rest if rest and first.split(" ")[0].isupper() else one.sentence


def verdict_sentence(one: GateVerdict) -> str:
    """Return a verdict as one sentence of the headline."""
    part = f" ({one.slice})" if one.slice else ""
    if not is_measured(one):
        return f"{one.gate} on {one.model}{part}: {verdict_reason(one)}"
    assert one.value is not None
    return f"{one.gate} on {one.model}{part}: {format_value(one.value, one.unit)} was found."


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


def _writer(one: GateVerdict) -> Callable[[float], str]:
    """Return how a verdict's numbers are written: values in their unit, changes with a sign."""
    if one.metric != "regressions":
        return lambda value: format_value(value, one.unit)
    return format_points if one.unit == "rate" else "{:+.3g}".format


def format_points(value: float) -> str:
    """Write a change of a rate, in points; no rate changes by more than 100."""
    return f"{min(1.0, max(-1.0, value)) * 100:+.1f} pts"


def _bar(one: GateVerdict) -> float | None:
    """Return the number that was asked for; 0 (no change) for a comparison."""
    if one.metric == "regressions":
        return 0.0
    number = one.bar.split()[-1] if one.bar else ""
    try:
        return float(number)
    except ValueError:
        return None


def _drawing(one: GateVerdict) -> Markup | None:
    """Draw the value, its interval and the bar on one axis; None where there is no value."""
    if one.value is None:
        return None
    bar = _bar(one)
    known = [x for x in (one.value, one.low, one.high, bar) if x is not None]
    low, high = min(0.0, *known, 0.0), max(known)
    if one.metric == "regressions":
        high = min(1.0, max(map(abs, known)) * 1.2) or 0.1
        low = -high
    elif one.unit in {"rate", "score"} and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    else:
        high = high * 1.25 or 1.0
    scale, middle = Scale(low, high, 6, _WIDTH - 6), _HEIGHT / 2
    marks = [line(6, middle, _WIDTH - 6, middle, "axis")]
    if one.low is not None and one.high is not None:
        x, wide = scale(one.low), max(3.0, scale(one.high) - scale(one.low))
        marks.append(tag("rect", x=x, y=middle - 3, width=wide, height=6, rx=3, class_="range"))
    if bar is not None:
        marks.append(line(scale(bar), 3, scale(bar), _HEIGHT - 3, "asked"))
    marks.append(tag("circle", cx=scale(one.value), cy=middle, r=5, class_="dot"))
    asked = "no change" if one.metric == "regressions" else one.bar
    told = f"found {one.value:.4g}, asked for {asked}"
    return picture(_WIDTH, _HEIGHT, told, *marks, class_=f"gauge v-{one.verdict}")
