"""Which failed trials the gates of a dataset account for. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.completeness import allowed_error_rate
from pytest_evals.verdict.gate.spec import GateSpec


def gates_cover(gates: Iterable[GateSpec], trial: TrialStats, *, compared: bool) -> bool:
    """Whether the gates account for a failed trial, so that it is tolerated.

    A gate accounts for trials of its models and cases. Gates on the outcome (pass@k, pass^k, the
    score) account for every assertion; gates on a scorer account for that scorer only; gates on
    errors, time or cost account for none. ``no regressions`` accounts for comparable cases only.

    Args:
        gates: the dataset's gates.
        trial: a failed trial.
        compared: whether the baseline has a line for comparison (`is_compared`).
    """
    mine = [gate for gate in gates if _is_for(gate, trial)]
    needed: Mapping[str, None] | Sequence[None] = dict.fromkeys(trial.failing) or [None]
    return all(any(_answers_for(gate, name, compared=compared) for gate in mine) for name in needed)


def uncovered_trials(
    gates: Sequence[GateSpec], table: TrialTable, info: DatasetInfo, baseline: Baseline | None
) -> tuple[list[str], list[str]]:
    """Return the trials that no gate accounts for: failed ones, and ones without a result.

    Gates of a run that is not whole are not evaluated and account for none.

    Args:
        gates: the dataset's gates.
        table: the recorded trials.
        info: the planned and selected trials.
        baseline: of the dataset; None if there is none.

    Returns:
        Node ids of failed trials, and of trials that errored or were not run.
    """
    whole = info.selected >= info.planned
    failing, unresolved = [], []
    for trial in table:
        if trial.outcome == "failed":
            compared = is_compared(baseline, trial)
            if not (whole and gates_cover(gates, trial, compared=compared)):
                failing.append(trial.id)
        elif trial.outcome == "errored":
            if not (whole and allowed_error_rate(info.max_error_rate, gates, trial.model)):
                unresolved.append(trial.id)
        elif trial.outcome == "skipped" and not trial.unneeded:
            unresolved.append(trial.id)
    return failing, unresolved


def _is_for(gate: GateSpec, trial: TrialStats) -> bool:
    if not gate.applies(trial.model) or not trial.within(gate.where):
        return False
    return gate.per is None or bool(trial.slice_values(gate.per))


def is_compared(baseline: Baseline | None, trial: TrialStats) -> bool:
    """Whether a baseline has a trial's case and model, with the same input and assertions.

    Args:
        baseline: of the trial's dataset; None has no case.
        trial: the trial.
    """
    line = None if baseline is None else baseline.cells.get((trial.case, trial.model))
    if line is None:
        return False
    pairs = (
        (line.digests.case, trial.case_digest),
        (line.digests.scorers, trial.scorers_digest),
    )
    return all(not before or not now or before == now for before, now in pairs)


_OF_ANSWERS = frozenset({"pass@", "pass^", "mean", "median", "quantile", "min"})


def _answers_for(gate: GateSpec, scorer: str | None, *, compared: bool) -> bool:
    if gate.compares:
        return compared and gate.of in {None, scorer}
    measure = parse_metric(gate.metric)
    if gate.min is None or measure.kind not in _OF_ANSWERS or measure.better != "higher":
        return False
    return measure.scorer in {None, scorer}
