"""The verdict on a bar in words, with its numbers. Text from numbers; nothing is decided here."""

from pytest_evals.metrics.metric import Metric, Unit
from pytest_evals.stats.sequential import Sprt
from pytest_evals.verdict.gate.spec import GateSpec
from pytest_evals.verdict.gate.write import threshold_text

_UNITS: dict[Unit, str] = {"rate": "", "score": "", "s": " s", "tokens": " tokens", "USD": " USD"}


def format_number(value: float, *marks: float | None, digits: int = 3) -> str:
    """Return a number with at least three digits, more where rounding would hide a difference.

    Args:
        value: the number.
        marks: numbers it must not look equal to unless it is.
        digits: significant digits to begin with.
    """
    while digits < 9 and any(
        mark is not None
        and abs(value - mark) > 1e-9
        and f"{value:.{digits}g}" == f"{mark:.{digits}g}"
        for mark in marks
    ):
        digits += 1
    text = f"{value:.{digits}g}"
    if "e" in text:
        text = f"{value:,.0f}" if abs(value) >= 1 else f"{value:.6f}".rstrip("0")
    return text


def threshold_sentence(gate: GateSpec, metric: Metric, *, passed: bool) -> str:
    """Return the verdict on a metric's value against a gate's bar."""
    head = "PASSED" if passed else "FAILED"
    if metric.value is None:
        return f"{head}: {metric.metric} is absent: {metric.absent}."
    bars = (gate.min, gate.max)
    value = f"{format_number(metric.value, *bars)}{_UNITS[metric.unit]}"
    asked = f"{threshold_text(gate)} was asked for"
    if gate.min_n is not None and metric.n < gate.min_n:
        basis = f"{metric.metric} rests on {format_samples(metric)}"
        return f"{head}: {basis}, and {gate.min_n} are needed."
    if gate.confidence is not None:
        asked += f" with {100 * gate.confidence:g} % confidence"
    said = f"{head}: {metric.metric} is {value}{_interval(metric, bars)}; {asked}"
    if not passed and gate.confidence is not None and metric.low is None:
        said += f", and there is no interval: {metric.unknown}"
    return f"{said} ({format_samples(metric)})."


def sequential_sentence(test: Sprt, said: str | None, passes: int, n: int) -> str:
    """Return what a sequential test says of a case."""
    of = f"{passes} of {n} samples passed"
    rates = f"a pass rate of {format_number(test.good)} rather than {format_number(test.bad)}"
    risk = f"wrong in at most about {100 * max(test.alpha, test.beta):g} % of such cases"
    if said == "good":
        return f"PASSED: {of}, which speaks for {rates} ({risk})."
    if said == "bad":
        turned = f"a pass rate of {format_number(test.bad)} rather than {format_number(test.good)}"
        return f"FAILED: {of}, which speaks for {turned} ({risk})."
    return f"INCONCLUSIVE: {of}, which does not tell {rates}; more samples would."


def _interval(metric: Metric, bars: tuple[float | None, float | None]) -> str:
    if metric.low is None or metric.high is None:
        return ""
    low, high = format_number(metric.low, *bars), format_number(metric.high, *bars)
    return f" ({100 * metric.confidence:g} % interval {low} to {high})"


def format_samples(metric: Metric) -> str:
    """Return what a metric rests on: ``60 samples of 20 cases``."""
    cases = "1 case" if metric.cases == 1 else f"{metric.cases:,} cases"
    if metric.n == metric.cases:
        return cases
    return f"{metric.n:,} samples of {cases}"
