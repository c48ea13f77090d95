"""Reject gates that can never fail, can never pass, or mean nothing. Pure."""

from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.verdict.gate.error import GateError
from pytest_evals.verdict.gate.spec import GateSpec


def range_problem(key: str, number: float) -> str | None:
    """Return the problem of a confidence, a rate or a margin; None if it has none."""
    if key == "confidence" and not 0.5 < number < 1:
        return f"a confidence must be above 0.5 and below 1, such as 0.95; found {number:g}"
    if key == "against" and not 0 < number < 1:
        return f"the pass rate after `against` must be above 0 and below 1; found {number:g}"
    if key == "margin" and not 0 < number < float("inf"):
        return f"a tolerated drop must be above 0, such as 0.05 for 5 points; found {number:g}"
    return None


def _checked(spec: GateSpec, *, text: str) -> GateSpec:
    """Reject a gate that can never fail, can never pass, or makes no sense."""
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
        return "only `no regressions` takes a tolerated drop", "margin"
    if spec.min is None and spec.max is None:
        return "a gate needs a required value: `min`, `max` or both", "min"
    measure = parse_metric(spec.metric)
    unsure = spec.confidence is not None
    if unsure and measure.kind in {"total", "completeness", "min", "max"}:
        return f"{measure} has no interval, so it takes no confidence", "confidence"
    return _out_of_range(spec, measure) if spec.against is None else _no_test(spec, measure)


def _no_test(spec: GateSpec, measure: MetricSpec) -> tuple[str, str] | None:
    """Return why a gate is no sequential test of single cases; None if it is one."""
    simple = measure.kind == "pass@" and measure.k == 1 and measure.of is None
    if not simple or spec.per != "case" or spec.max is not None or spec.strict or spec.confidence:
        return (
            "a test against another rate is written `pass@1 >= 0.95 per case against 0.7`",
            "against",
        )
    if spec.min is None or not (spec.against or 0) < spec.min < 1:
        return (
            f"both rates must be below 1, and `against` the lower one; found {spec.against:g}",
            "against",
        )
    return None


def _out_of_range(spec: GateSpec, measure: MetricSpec) -> tuple[str, str] | None:
    """Return why a required value is always met, or never; None if neither."""
    low, high = spec.min, spec.max
    if low is not None and high is not None and low > high:
        return f"`min` {low:g} is above `max` {high:g}", "min"
    if measure.unit == "score":
        return None
    greatest = 1.0 if measure.unit == "rate" else float("inf")
    span = "0..1" if measure.unit == "rate" else "0 or more"
    for key, required in (("min", low), ("max", high)):
        if required is not None and not 0 <= required <= greatest:
            hint = f"; write {required / 100:g} or {required:g}%" if 1 < required <= 100 else ""
            return f"{measure} is {span}, found the required value {required:g}{hint}", key
    if spec.strict:
        never = low == greatest or high == 0
        return (f"this can never pass: {measure} is always {span}", "min") if never else None
    if (low or 0) <= 0 and (high is None or high >= greatest):
        return f"this can never fail: {measure} is always {span}", "min"
    return None
