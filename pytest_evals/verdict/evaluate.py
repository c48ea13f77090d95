"""Evaluate one dataset's run: metrics, gate verdicts, diff and decision. Pure.

Sessions, stored runs and merged shards get their verdict here. `plan_run_confirmation` chooses the
cells to call again; then `evaluate_run` evaluates. Confirmation samples decide breaks only: they
are passed in separately, and enter no table, metric or baseline.
"""

from collections.abc import Iterable, Sequence

from pytest_evals.metrics.compute import compute_metrics
from pytest_evals.metrics.confusion import compute_confusions
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.prevalence import corrected_rates
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.decision import Decision
from pytest_evals.verdict.diff import (
    ConfirmationPlan,
    RunSide,
    confirmed_answers,
    diff_with_baseline,
    plan_confirmation,
    plan_shard_confirmation,
)
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput
from pytest_evals.verdict.gate.completeness import model_states
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.coverage import uncovered_trials
from pytest_evals.verdict.gate.declare import (
    declared_comparisons,
    exploratory_comparisons,
    parse_gates,
)
from pytest_evals.verdict.gate.evaluate import evaluate_gates
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict


def run_side(inputs: EvaluationInput) -> RunSide:
    """Return the run's side of the comparison; incomplete models have no cases in it."""
    states = model_states(inputs.table, inputs.info, parse_gates(inputs.info))
    incomplete = frozenset(model for model, state in states.items() if not state.comparable)
    return RunSide(inputs.table, inputs.info, replayed=inputs.replayed, incomplete=incomplete)


def plan_run_confirmation(inputs: EvaluationInput) -> ConfirmationPlan:
    """Choose the cells to call again before the verdict, and how often each.

    The plan is empty without a baseline, or if no case is flagged.
    """
    if inputs.baseline is None:
        return ConfirmationPlan({}, {}, ())
    declared = declared_comparisons(parse_gates(inputs.info), inputs.table, inputs.info)
    return plan_confirmation(declared, inputs.baseline, run_side(inputs), rules=inputs.rules)


def plan_confirmation_of_shard(inputs: EvaluationInput) -> ConfirmationPlan:
    """Choose the cells of a shard to call again, so that the merged run can be judged.

    A shard lacks the cases of the others and has no verdict of its own.
    """
    if inputs.baseline is None:
        return ConfirmationPlan({}, {}, ())
    declared = declared_comparisons(parse_gates(inputs.info), inputs.table, inputs.info)
    run = RunSide(inputs.table, inputs.info, replayed=inputs.replayed)
    return plan_shard_confirmation(declared, inputs.baseline, run, rules=inputs.rules)


def evaluate_run(
    inputs: EvaluationInput,
    *,
    plan: ConfirmationPlan | None = None,
    again: Iterable[TrialStats] = (),
    by: Sequence[str] = ("tag",),
) -> Evaluation:
    """Return metrics, verdicts, diff and decision of a dataset's run.

    Args:
        inputs: the trials, the baseline and the rules.
        plan: the cells to call again (`plan_run_confirmation`); None if confirmation is off.
        again: the confirmation samples; they decide breaks only.
        by: the slice keys to explore: shown, never blocking.
    """
    gates = parse_gates(inputs.info)
    diff = None
    if inputs.baseline is not None:
        declared = declared_comparisons(gates, inputs.table, inputs.info)
        confirmed = None if plan is None else confirmed_answers(declared, plan, again)
        diff = diff_with_baseline(
            inputs.baseline,
            run_side(inputs),
            declared,
            name=inputs.baseline_name,
            rules=inputs.rules,
            confirmed=confirmed,
            by=by,
            also=exploratory_comparisons(gates, inputs.table, inputs.info),
        )
    context = GateContext(inputs.table, inputs.info, diff, inputs.rules.strict, inputs.no_baseline)
    verdicts = evaluate_gates(context, gates)
    named = (parse_metric(gate.metric) for gate in gates if not gate.compares)
    return Evaluation(
        metrics=(
            *compute_metrics(inputs.table, planned=inputs.info.planned_by_model, extra=named),
            *corrected_rates(inputs.table, inputs.judges),
        ),
        gates=tuple(verdicts),
        diff=diff,
        decision=_decide(inputs, gates, verdicts) if verdicts else None,
        confusions=compute_confusions(inputs.table),
    )


def _decide(
    inputs: EvaluationInput, gates: Sequence[GateSpec], verdicts: Sequence[GateVerdict]
) -> Decision:
    failing, unresolved = uncovered_trials(gates, inputs.table, inputs.info, inputs.baseline)
    return decide(verdicts, failing=failing, unresolved=unresolved)
