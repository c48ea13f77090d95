"""The verdict on a required value in words. Text from numbers; nothing is decided here."""

from pytest_evals.ground.plain_text import FEWEST_CASES
from pytest_evals.metrics.metric import Metric, Unit, shown_interval
from pytest_evals.stats.sequential import Sprt
from pytest_evals.verdict.gate.spec import GateSpec, Verdict
from pytest_evals.verdict.gate.write import threshold_text

_UNITS: dict[Unit, str] = {"rate": "", "score": "", "s": " s", "tokens": " tokens", "USD": " USD"}


def format_number(value: float, *marks: float | None, digits: int = 3) -> str:
    """Return a number with three or more digits: enough to differ from every mark.

    Args:
        value: the number.
        marks: numbers that it must not look equal to unless it is.
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


def threshold_sentence(gate: GateSpec, metric: Metric, outcome: Verdict) -> str:
    """Return the verdict on a metric's value and a gate's required value."""
    head = outcome.upper()
    if metric.value is None:
        return f"{head}: {metric.metric} is absent: {metric.absent}."
    if gate.min_n is not None and metric.n < gate.min_n:
        samples = "sample is" if gate.min_n == 1 else "samples are"
        return (
            f"{head}: {metric.metric} rests on {format_samples(metric)}; "
            f"at least {gate.min_n} {samples} required."
        )
    thresholds = (gate.min, gate.max)
    value = f"{format_number(metric.value, *thresholds)}{_UNITS[metric.unit]}"
    required = f"{threshold_text(gate)} is required"
    if gate.confidence is not None:
        required += f" with {100 * gate.confidence:g} % confidence"
    if outcome != "passed" and gate.confidence is not None and metric.low is None:
        required += f", and there is no interval: {metric.unknown}"
    interval = _interval(metric, thresholds, decides=gate.confidence is not None)
    return f"{head}: {metric.metric} is {value}{interval}; {required} ({format_samples(metric)})."


def sequential_sentence(test: Sprt, decision: str | None, passes: int, n: int) -> str:
    """Return the verdict of a sequential test on a case."""
    counts = f"{passes} of {n} samples passed"
    good, bad = format_number(test.good), format_number(test.bad)
    risk = f"wrong in at most about {100 * max(test.alpha, test.beta):g} % of such cases"
    if decision == "good":
        return f"PASSED: {counts}: evidence for a pass rate of {good} rather than {bad} ({risk})."
    if decision == "bad":
        return f"FAILED: {counts}: evidence for a pass rate of {bad} rather than {good} ({risk})."
    return (
        f"INCONCLUSIVE: {counts}: not enough to distinguish a pass rate of {good} from {bad}; "
        "more samples are needed."
    )


def _interval(
    metric: Metric, thresholds: tuple[float | None, float | None], *, decides: bool
) -> str:
    """Return the interval in brackets; of too few cases only where it decides the gate."""
    ends = shown_interval(metric.low, metric.high, metric.unit)
    if ends is None or (metric.cases < FEWEST_CASES and not decides):
        return ""
    low, high = (format_number(end, *thresholds) for end in ends)
    return f" ({100 * metric.confidence:g} % interval {low} to {high})"


def format_samples(metric: Metric) -> str:
    """Return the number of samples and cases of a metric: ``60 samples of 20 cases``."""
    cases = "1 case" if metric.cases == 1 else f"{metric.cases:,} cases"
    if metric.n == metric.cases:
        return cases
    return f"{metric.n:,} samples of {cases}"
