"""Reject gates that can never fail, can never pass, or mean nothing. Pure."""

from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.verdict.gate.error import GateError
from pytest_evals.verdict.gate.spec import GateSpec


def range_problem(key: str, number: float) -> str | None:
    """Return what is wrong with a confidence or a margin; None where nothing is."""
    if key == "confidence" and not 0.5 < number < 1:
        return f"a confidence is above 0.5 and below 1, such as 0.95; found {number:g}"
    if key == "against" and not 0 < number < 1:
        return f"the rate of a case to be rejected is above 0 and below 1; found {number:g}"
    if key == "margin" and not 0 < number < float("inf"):
        return f"a tolerated drop is above 0, such as 0.05 for 5 points; found {number:g}"
    return None


def _checked(spec: GateSpec, *, text: str) -> GateSpec:
    """Refuse a gate that can never fail, can never pass, or asks what makes no sense."""
    message, key = _nonsense(spec) or (None, None)
    if message:
        raise GateError(message, text=text, key=key)
    return spec


def _nonsense(spec: GateSpec) -> tuple[str, str] | None:
    if spec.compares:
        keys = ("min", "max", "confidence", "min_n", "against")
        given = next((key for key in keys if getattr(spec, key) is not None), None)
        if given is None:
            return None
        return f"`no regressions` takes no `{given}`; its rules are fixed", given
    if spec.margin is not None:
        return "a tolerated drop belongs to `no regressions` alone", "margin"
    if spec.min is None and spec.max is None:
        return "a gate needs a bar: `min`, `max` or both", "min"
    measure = parse_metric(spec.metric)
    unsure = spec.confidence is not None
    if unsure and measure.kind in {"total", "completeness", "min", "max"}:
        return f"{measure} has no interval, so no confidence can be asked of it", "confidence"
    return _out_of_range(spec, measure) if spec.against is None else _no_test(spec, measure)


def _no_test(spec: GateSpec, measure: MetricSpec) -> tuple[str, str] | None:
    """Say why a gate is no sequential test of single cases."""
    simple = measure.kind == "pass@" and measure.k == 1 and measure.of is None
    if not simple or spec.per != "case" or spec.max is not None or spec.strict or spec.confidence:
        return (
            "a test against another rate is written `pass@1 >= 0.95 per case against 0.7`",
            "against",
        )
    if spec.min is None or not (spec.against or 0) < spec.min < 1:
        return (
            f"both rates are below 1, and the one against is lower; found {spec.against:g}",
            "against",
        )
    return None


def _out_of_range(spec: GateSpec, measure: MetricSpec) -> tuple[str, str] | None:
    """Say why a bar can never be missed, or never be met."""
    low, high = spec.min, spec.max
    if low is not None and high is not None and low > high:
        return f"`min` {low:g} is above `max` {high:g}", "min"
    if measure.unit == "score":
        return None
    greatest = 1.0 if measure.unit == "rate" else float("inf")
    span = "0..1" if measure.unit == "rate" else "0 or more"
    for key, bar in (("min", low), ("max", high)):
        if bar is not None and not 0 <= bar <= greatest:
            hint = f"; write {bar / 100:g} or {bar:g}%" if 1 < bar <= 100 else ""
            return f"{measure} is {span}, found the bar {bar:g}{hint}", key
    if spec.strict:
        never = low == greatest or high == 0
        return (f"this can never pass: {measure} is always {span}", "min") if never else None
    if (low or 0) <= 0 and (high is None or high >= greatest):
        return f"this can never fail: {measure} is always {span}", "min"
    return None
