"""From gates and trials to verdicts, one per gate, model and slice. No gate passes vacuously.

Incomplete trials and errors come first. A run that the user narrowed is not evaluated. A run that
was interrupted or has too many errors is incomplete and fails. An absent value fails.
"""

from collections.abc import Sequence
from itertools import chain

from pytest_evals.verdict.gate.completeness import gate_cells, gate_slices, model_states
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.declare import parse_gates
from pytest_evals.verdict.gate.evaluate_metric import evaluate_metric
from pytest_evals.verdict.gate.evaluate_regressions import evaluate_regressions
from pytest_evals.verdict.gate.evidence import judge_verdict, require_judges
from pytest_evals.verdict.gate.outcome import blank_verdict, incomplete_verdict, with_outcome
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict
from pytest_evals.verdict.gate.state import ModelState


def evaluate_gates(
    context: GateContext, gates: Sequence[GateSpec] | None = None
) -> list[GateVerdict]:
    """Return the verdict of every gate on each of its models and slices.

    A verdict on ``error_rate <= max_error_rate`` is added for a model without a gate on errors, if
    the dataset tolerates errors or the model has any. A dataset without gates has one verdict for
    each model whose judges are not counted, as no valid certificate is there.

    Args:
        context: the trials, the diff and the settings.
        gates: the gates; None takes the dataset's.
    """
    gates = parse_gates(context.info) if gates is None else tuple(gates)
    if not gates:
        judged = (
            judge_verdict(context, model, context.table.trials(model))
            for model in context.table.models
        )
        return [verdict for verdict in judged if verdict is not None]
    states = model_states(context.table, context.info, gates)
    verdicts = [
        verdict
        for gate in gates
        for model, state in states.items()
        if gate.applies(model)
        for verdict in _evaluate(context, gate, model, state)
    ]
    limit = context.info.max_error_rate
    for model, state in states.items():
        has_gate = any(gate.metric == "error_rate" and gate.applies(model) for gate in gates)
        if not has_gate and (state.errored or limit):
            gate = GateSpec(text=f"error_rate <= {limit:g}", metric="error_rate", max=limit)
            verdicts += _evaluate(context, gate, model, state)
    return verdicts


def _evaluate(
    context: GateContext, gate: GateSpec, model: str, state: ModelState
) -> list[GateVerdict]:
    """Return the verdicts of a gate on one model, one per slice."""
    parts = gate_slices(gate, context.table)
    if not parts:
        blank = blank_verdict(context, gate, model, None)
        sentence = f"FAILED: no recorded case has a {gate.per}."
        return [incomplete_verdict(blank, state) or with_outcome(blank, "failed", sentence)]
    evaluate = evaluate_regressions if gate.compares else evaluate_metric
    verdicts = []
    for part in parts:
        verdict = evaluate(context, gate, model, part, state)
        cells = gate_cells(context.table, model, gate, part)
        trials = chain.from_iterable(cells.values())
        verdicts.append(require_judges(context, gate, trials, verdict))
    return verdicts
