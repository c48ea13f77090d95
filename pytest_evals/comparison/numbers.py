"""Numbers of a comparison as text: changes, rates, intervals and p-values. Pure."""

from pytest_evals.ground.plain_text import UNKNOWN
from pytest_evals.metrics.metric import Unit, interval_text

MINUS = "\N{MINUS SIGN}"


def points(change: float | None, *, rate: bool) -> str:
    """Write a change with its sign: of a rate in points of 100, else as it is."""
    if change is None:
        return UNKNOWN
    text = f"{abs(100 * change):.1f}" if rate else f"{abs(change):.3g}"
    zero = float(text) == 0
    return text if zero else f"{MINUS if change < 0 else '+'}{text}"


def level(value: float | None, *, rate: bool) -> str:
    """Write a rate in percent, or a score as it is."""
    if value is None:
        return UNKNOWN
    return f"{100 * value:.1f}%" if rate else f"{value:.3g}"


def span(low: float | None, high: float | None, cases: int, *, rate: bool) -> str:
    """Write an interval of a rate or a score."""
    unit: Unit = "rate" if rate else "score"
    return interval_text(low, high, unit, cases, lambda x: level(x, rate=rate)) or UNKNOWN


def change_span(low: float | None, high: float | None, cases: int, *, rate: bool) -> str:
    """Write an interval of a change."""
    unit: Unit = "rate" if rate else "score"
    text = interval_text(low, high, unit, cases, lambda x: points(x, rate=rate), is_change=True)
    return text or UNKNOWN


def p_value(p: float | None) -> str:
    """Write a p-value."""
    if p is None:
        return UNKNOWN
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
