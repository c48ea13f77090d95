"""Pass rates corrected for what is known of a judge's errors. Pure; shown, never judged by gates.

A judge with a certificate has known errors on answers that people labelled; from its pass rate and
these follows the pass rate that people would have given (`stats.prevalence`).
"""

from collections.abc import Iterator, Mapping

from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.metric import Metric
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.prevalence import JudgeError, rogan_gladen


def corrected_name(scorer: str) -> str:
    """Return what the corrected pass rate of a judge is called."""
    return f"corrected({MetricSpec(kind='pass@', of=scorer, k=1)})"


def corrected_rates(table: TrialTable, errors: Mapping[str, JudgeError]) -> tuple[Metric, ...]:
    """Return each judge's pass rate and, behind it, what people's would be, model by model.

    Args:
        table: the trials of a dataset.
        errors: the known errors of judges, by the names of their scores.
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
        # Samples of one case are alike: the cases are what is surely independent.
        corrected = rogan_gladen(raw.value, raw.cases, error, n=raw.n, cases=raw.cases)
    metric_corrected = to_metric(table.dataset, model, None, spec, corrected, 0.95)
    yield metric_corrected.model_copy(update={"metric": corrected_name(scorer)})
