"""From a GateSpec back to its text. Pure."""

from pytest_evals.metrics.spec import quote_name
from pytest_evals.verdict.gate.spec import GateSpec


def threshold_text(spec: GateSpec) -> str:
    """Return the required value in short: ``>= 0.9``, ``in 0.2..0.4``.

    It is empty for ``no regressions``.
    """
    low, high = spec.min, spec.max
    if low is not None and high is not None:
        between = f"{'inside' if spec.strict else 'in'} {low:.12g}..{high:.12g}"
        return f"== {low:.12g}" if low == high else between
    if low is not None:
        return f"{'>' if spec.strict else '>='} {low:.12g}"
    return "" if high is None else f"{'<' if spec.strict else '<='} {high:.12g}"


def write_gate(spec: GateSpec) -> str:
    """Return a gate as a text; `parse_gate` reads it back unless it has both `min` and `max`."""
    required = threshold_text(spec)
    parts = ["no regressions" if spec.compares else f"{spec.metric} {required}"]
    if spec.of is not None:
        parts.append(f"of {quote_name(spec.of)}")
    if spec.where is not None:
        parts.append(f"where {quote_name(spec.where.key)} = {quote_name(spec.where.value)}")
    if spec.per is not None:
        parts.append(f"per {quote_name(spec.per)}")
    if spec.on:
        parts.append(f"on {', '.join(map(quote_name, spec.on))}")
    if spec.confidence is not None:
        parts.append(f"with confidence {spec.confidence:.12g}")
    if spec.min_n is not None:
        parts.append(f"min n {spec.min_n}")
    if spec.against is not None:
        parts.append(f"against {spec.against:.12g}")
    if spec.margin is not None:
        parts.append(f"within {spec.margin:.12g}")
    if spec.role is not None:
        parts.append(f"as {spec.role}")
    return " ".join(parts)
