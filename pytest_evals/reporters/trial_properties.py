"""Properties: the flat values of a trial that reach JUnit reports."""

from collections.abc import Iterator

from pytest_evals.result import TrialResult


def properties(result: TrialResult, run_id: str) -> list[tuple[str, object]]:
    """Return the names and values of a trial's properties."""
    return list(_properties(result, run_id))


def _properties(result: TrialResult, run_id: str) -> Iterator[tuple[str, object]]:
    yield "model", result.model_id
    yield "case", result.case_id
    yield "sample", str(result.sample)
    yield "outcome", str(result.outcome)
    yield "run", run_id
    if result.revisions:
        yield "revisions", str(result.revisions)
    if result.score is not None:
        yield "score", f"{result.score:.4g}"
    for score in result.scores:
        value = getattr(score, "value", None)
        if value is None:
            passed = getattr(score, "passed", None)
            value = None if passed is None else float(passed)
        if value is not None:
            yield f"score.{score.name}", f"{value:.4g}"
    if result.latency_s is not None:
        yield "latency_s", f"{result.latency_s:.3f}"
    if result.usage.total_tokens is not None:
        yield "tokens", str(result.usage.total_tokens)
    if result.cost_usd is not None:
        yield "cost_usd", f"{result.cost_usd:.6g}"
