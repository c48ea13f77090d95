"""A baseline summed up, model by model. Pure."""

from typing import Any

from pytest_evals.stats.estimate import Estimate
from pytest_evals.stats.intervals import clustered_rate
from pytest_evals.verdict.baseline import Baseline


def summary_by_model(baseline: Baseline) -> dict[str, dict[str, Any]]:
    """Return for each model its cases, its runs and its pass rate with a 95 % interval."""
    summary = {}
    for model in baseline.models:
        lines = list(baseline.by_model[model].values())
        rate = clustered_rate([(line.passes, line.n) for line in lines])
        estimate = rate if isinstance(rate, Estimate) else None
        runs = [len(line.runs) for line in lines]
        summary[model] = {
            "cases": len(lines),
            "runs": [min(runs), max(runs)],
            "passes": sum(line.passes for line in lines),
            "n": sum(line.n for line in lines),
            "rate": estimate.value if estimate else None,
            "low": estimate.low if estimate else None,
            "high": estimate.high if estimate else None,
            "recorded": all(line.recorded for line in lines),
        }
    return summary
