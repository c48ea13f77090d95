"""How whole a model's set of trials is, and which failed trials a gate answers for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_evals.metrics.compute import TrialGroup
from pytest_evals.metrics.spec import Slice, parse_metric
from pytest_evals.metrics.trial_stats import TrialStats, TrialTable
from pytest_evals.run import DatasetInfo
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.spec import GateSpec


@dataclass(frozen=True, slots=True)
class ModelState:
    """What was recorded of one model."""

    whole: Literal["whole", "narrowed", "cut short"]
    """Whether every planned trial was recorded, and if not, why: the user chose a part of them, or
    the run ended too early."""
    planned: int
    """Trials in the whole matrix."""
    recorded: int
    """Trials with a record, those that were not run left out."""
    errored: int
    """Trials without an answer or a score."""
    allowed: float
    """The share of trials that may be errored."""

    @property
    def error_rate(self) -> float:
        """The share of recorded trials that errored; 0 where none was recorded."""
        return self.errored / self.recorded if self.recorded else 0.0

    @property
    def too_many_errors(self) -> bool:
        """Whether more trials errored than may."""
        return self.error_rate > self.allowed + 1e-12

    @property
    def comparable(self) -> bool:
        """Whether answers can be judged at all."""
        return self.whole == "whole" and not self.too_many_errors


def model_states(
    table: TrialTable, info: DatasetInfo, gates: Sequence[GateSpec]
) -> dict[str, ModelState]:
    """Return the state of every model that was planned or recorded.

    Args:
        table: the recorded trials of the dataset.
        info: what was planned and selected.
        gates: the dataset's gates; ``error_rate <= X`` says how many errors its models may have.
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
    not_run = sum(one.outcome == "skipped" and not one.unneeded for one in trials)
    recorded = len(trials) - not_run
    whole: Literal["whole", "narrowed", "cut short"] = "whole"
    if not_run or (len(trials) < planned and missing):
        whole = "cut short"
    elif len(trials) < planned:
        whole = "narrowed"
    errored = sum(one.outcome == "errored" for one in trials)
    asked = recorded - sum(one.unneeded for one in trials)
    allowed = max(info.max_error_rate, *_error_bars(gates, model))
    return ModelState(whole, max(planned, len(trials)), asked, errored, allowed)


def _error_bars(gates: Iterable[GateSpec], model: str) -> list[float]:
    """Return the error rates that gates on all cases of a model allow; 0 at least."""
    bars = [
        gate.max
        for gate in gates
        if gate.metric == "error_rate"
        and gate.max is not None
        and gate.applies(model)
        and gate.where is None
        and gate.per is None
    ]
    return [0.0, 0.0, *bars]


def count_missing_scores(group: TrialGroup, scorer: str) -> int:
    """Return how many scored trials a scorer could not score: never dropped without a word."""
    return sum(
        scorer in one.unscored and scorer not in one.names for cell in group.scored for one in cell
    )


def gate_slices(gate: GateSpec, table: TrialTable) -> tuple[Slice | None, ...]:
    """Return the slices a gate is judged on; one None where it is all cases."""
    if gate.per is None:
        return (gate.where,)
    if gate.where is None:
        return table.slices(gate.per)
    inside = TrialTable(table.dataset)
    for one in table:
        if one.within(gate.where):
            inside.add(one)
    return inside.slices(gate.per)


def gates_cover(gates: Iterable[GateSpec], trial: TrialStats, *, compared: bool) -> bool:
    """Whether the gates answer for a failed trial, so that it may be tolerated.

    A gate answers for a trial of its models and cases. Gates on what became of the trials (pass@k,
    pass^k, the score) answer for every assertion, gates on a scorer for that one alone; gates on
    errors, time or cost for none. ``no regressions`` answers only for a case that can be compared.

    Args:
        gates: the dataset's gates.
        trial: a failed trial.
        compared: whether the baseline has a line to compare it with (`is_compared`).
    """
    mine = [gate for gate in gates if _is_for(gate, trial)]
    needed: Mapping[str, None] | Sequence[None] = dict.fromkeys(trial.failing) or [None]
    return all(any(_answers_for(gate, name, compared=compared) for gate in mine) for name in needed)


def _is_for(gate: GateSpec, trial: TrialStats) -> bool:
    if not gate.applies(trial.model) or not trial.within(gate.where):
        return False
    return gate.per is None or bool(trial.slice_values(gate.per))


def is_compared(baseline: Baseline | None, trial: TrialStats) -> bool:
    """Whether a baseline knows a trial's case and model, with the same question and assertions.

    Args:
        baseline: of the trial's dataset; None knows nothing.
        trial: the trial.
    """
    line = None if baseline is None else baseline.cells.get((trial.case, trial.model))
    if line is None:
        return False
    pairs = (
        (line.digests.case, trial.case_digest),
        (line.digests.scorers, trial.scorers_digest),
    )
    return all(not one or not two or one == two for one, two in pairs)


_OF_ANSWERS = frozenset({"pass@", "pass^", "mean", "median", "quantile", "min"})


def _answers_for(gate: GateSpec, scorer: str | None, *, compared: bool) -> bool:
    if gate.compares:
        return compared and gate.of in {None, scorer}
    measure = parse_metric(gate.metric)
    if gate.min is None or measure.kind not in _OF_ANSWERS or measure.better != "higher":
        return False
    return measure.scorer in {None, scorer}
