"""Verdicts that miss the evidence of a judge: its verdict is not counted without a certificate."""

from collections.abc import Iterable

from pytest_evals.ground.plain_text import counted
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.outcome import blank_verdict, with_outcome
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict

JUDGES = "judges are certified"
"""The text of the gate on a dataset that has judges without a certificate, and no gates."""


def require_judges(
    context: GateContext, gate: GateSpec, trials: Iterable[TrialStats], verdict: GateVerdict
) -> GateVerdict:
    """Return a verdict, or that it is incomplete if the verdict of a judge is missing from it.

    The judge could only have failed further trials, so a failed gate stays failed. An incomplete
    verdict of this kind blocks with ``--evals-strict`` only.

    Args:
        context: the trials and the settings.
        gate: the gate.
        trials: those of the gate's model and slice.
        verdict: the gate's verdict on them.
    """
    if verdict.verdict not in {"passed", "inconclusive"}:
        return verdict
    missing = [trial for trial in trials if _concerns(gate, trial)]
    return _incomplete(context, verdict, missing) if missing else verdict


def judge_verdict(
    context: GateContext, model: str, trials: Iterable[TrialStats]
) -> GateVerdict | None:
    """Return the verdict on the judges of a model's trials without gates; None if all count."""
    missing = [trial for trial in trials if trial.withheld]
    if not missing:
        return None
    gate = GateSpec(text=JUDGES, metric="completeness")
    return _incomplete(context, blank_verdict(context, gate, model, None), missing)


def _concerns(gate: GateSpec, trial: TrialStats) -> bool:
    """Whether a trial lacks the verdict of a judge that the gate rests on."""
    names = {name for name, _ in trial.withheld}
    if not names:
        return False
    if gate.compares:
        return gate.of is None or gate.of in names
    measure = parse_metric(gate.metric)
    return measure.measures_quality and (measure.scorer is None or measure.scorer in names)


def _incomplete(
    context: GateContext, verdict: GateVerdict, missing: list[TrialStats]
) -> GateVerdict:
    reasons = dict.fromkeys(pair for trial in missing for pair in trial.withheld)
    judges = "; ".join(f"judge {name}: {reason}" for name, reason in reasons)
    lack = "lacks" if len(missing) == 1 else "lack"
    sentence = (
        f"INCOMPLETE: {counted(len(missing), 'trial')} {lack} the verdict of a judge, which is not "
        f"counted. {judges}. A certificate is made by `pytest-evals calibrate`."
    )
    incomplete = with_outcome(verdict, "incomplete", sentence, behind=(), trials=())
    return incomplete.model_copy(update={"blocking": context.strict, "improved": None})
