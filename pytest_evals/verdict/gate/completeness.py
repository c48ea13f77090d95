"""How complete each model's set of trials is. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pytest_evals.metrics.compute import TrialGroup
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.gate.spec import GateSpec
from pytest_evals.verdict.gate.state import ModelState


def model_states(
    table: TrialTable, info: DatasetInfo, gates: Sequence[GateSpec]
) -> dict[str, ModelState]:
    """Return the state of every model that was planned or recorded.

    Args:
        table: the recorded trials of the dataset.
        info: the planned and selected trials.
        gates: the dataset's gates; ``error_rate <= X`` sets the errors that its models may have.
    """
    models = [model.id for model in info.models] or list(table.models)
    models += [model for model in table.models if model not in models]
    per_model = info.planned // len(info.models) if info.models else 0
    missing = len(table) < info.selected
    return {
        model: _state(table, info, gates, model, per_model, missing=missing) for model in models
    }


def _state(
    table: TrialTable,
    info: DatasetInfo,
    gates: Sequence[GateSpec],
    model: str,
    planned: int,
    *,
    missing: bool,
) -> ModelState:
    trials = table.trials(model)
    not_run = sum(trial.outcome == "skipped" and not trial.unneeded for trial in trials)
    recorded = len(trials) - not_run
    status: Literal["complete", "narrowed", "interrupted"] = "complete"
    if not_run or (len(trials) < planned and missing):
        status = "interrupted"
    elif len(trials) < planned:
        status = "narrowed"
    errored = sum(trial.outcome == "errored" for trial in trials)
    counted = recorded - sum(trial.unneeded for trial in trials)
    allowed = allowed_error_rate(info.max_error_rate, gates, model)
    return ModelState(status, max(planned, len(trials)), counted, errored, allowed)


def allowed_error_rate(limit: float, gates: Iterable[GateSpec], model: str) -> float:
    """Return the share of a model's trials that may end in an error, 0..1.

    Args:
        limit: the dataset's ``max_error_rate``.
        gates: the dataset's; ``error_rate <= X`` on all cases of the model allows X.
        model: the model's id.
    """
    rates = [
        gate.max
        for gate in gates
        if gate.metric == "error_rate"
        and gate.max is not None
        and gate.applies(model)
        and gate.where is None
        and gate.per is None
    ]
    return max([limit, *rates])


def count_missing_scores(group: TrialGroup, scorer: str) -> int:
    """Return the number of scored trials that a scorer could not score."""
    return sum(
        scorer in trial.unscored and scorer not in trial.names
        for cell in group.scored
        for trial in cell
    )


def gate_slices(gate: GateSpec, table: TrialTable) -> tuple[Slice | None, ...]:
    """Return the slices on which a gate is evaluated; None stands for all cases."""
    if gate.per is None:
        return (gate.where,)
    if gate.where is None:
        return table.slices(gate.per)
    inside = TrialTable(table.dataset)
    for trial in table:
        if trial.within(gate.where):
            inside.add(trial)
    return inside.slices(gate.per)


def gate_cells(
    table: TrialTable, model: str, gate: GateSpec, part: Slice | None
) -> Mapping[str, list[TrialStats]]:
    """Return a model's trials in a slice, restricted to the gate's ``where``."""
    cells = table.cases(model, part)
    if gate.where in {None, part}:
        return cells
    return {case: cell for case, cell in cells.items() if cell[0].within(gate.where)}
