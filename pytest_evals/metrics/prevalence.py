"""Pass rates corrected for the measured errors of a judge. Pure; shown, never used by gates.

A calibration report measures a judge's errors on answers with human labels. Its pass rate and these
errors give the pass rate that people would give (`stats.prevalence`).
"""

from collections.abc import Iterator, Mapping

from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.metric import Metric
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.prevalence import JudgeError, rogan_gladen


def corrected_name(scorer: str) -> str:
    """Return the name of a judge's corrected pass rate."""
    return f"corrected({MetricSpec(kind='pass@', of=scorer, k=1)})"


def corrected_rates(table: TrialTable, errors: Mapping[str, JudgeError]) -> tuple[Metric, ...]:
    """Return the pass rate of each judge, followed by the corrected one, model by model.

    Args:
        table: the trials of a dataset.
        errors: the measured errors of judges, by score name.
    """
    return tuple(
        metric
        for model in table.models
        for scorer, error in sorted(errors.items())
        for metric in _pair(table, model, scorer, error)
    )


def _pair(table: TrialTable, model: str, scorer: str, error: JudgeError) -> Iterator[Metric]:
    """Yield the raw rate and the corrected one."""
    spec = MetricSpec(kind="pass@", of=scorer, k=1)
    raw = estimate_metric(TrialGroup(table.cases(model)), spec)
    metric = to_metric(table.dataset, model, None, spec, raw, 0.95)
    yield metric
    corrected: Estimate | Absent = Absent(metric.absent or "")
    if isinstance(raw, Estimate):
        # Samples of one case are correlated; only cases are independent for certain.
        corrected = rogan_gladen(raw.value, raw.cases, error, n=raw.n, cases=raw.cases)
    metric_corrected = to_metric(table.dataset, model, None, spec, corrected, 0.95)
    yield metric_corrected.model_copy(update={"metric": corrected_name(scorer)})
