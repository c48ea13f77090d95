"""What both kinds of gates share: blank verdicts, incomplete runs, too many errors, trial ids."""

from collections.abc import Iterable, Sequence

from pytest_evals.metrics.compute import TrialGroup
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict, Verdict
from pytest_evals.verdict.gate.state import ModelState
from pytest_evals.verdict.gate.words import format_number
from pytest_evals.verdict.gate.write import threshold_text

MAX_CASES = 50
"""Failing cases that a verdict names."""

_MAX_TRIALS = 500


def blank_verdict(
    context: GateContext, gate: GateSpec, model: str, part: Slice | None
) -> GateVerdict:
    """Return the verdict of a gate before it is evaluated: failed, without a value."""
    return GateVerdict(
        gate=gate.text,
        dataset=context.info.name,
        model=model,
        slice=part,
        verdict="failed",
        blocking=True,
        metric=gate.metric,
        bar=threshold_text(gate),
        role=gate.role,
        unit="rate" if gate.compares else parse_metric(gate.metric).unit,
    )


def with_outcome(
    blank: GateVerdict, verdict: Verdict, sentence: str, **fields: object
) -> GateVerdict:
    """Return a blank verdict with its outcome; failed and incomplete ones block."""
    blocking = verdict in {"failed", "incomplete"}
    return blank.model_copy(
        update={"verdict": verdict, "blocking": blocking, "sentence": sentence, **fields}
    )


def incomplete_verdict(blank: GateVerdict, state: ModelState) -> GateVerdict | None:
    """Return the verdict on a model with missing trials; None if none is missing."""
    trials = f"{state.recorded} of {state.planned} trials of {blank.model}"
    if state.status == "narrowed":
        return with_outcome(blank, "skipped", f"NOT EVALUATED: only {trials} were selected.")
    if state.status == "interrupted":
        return with_outcome(blank, "incomplete", f"INCOMPLETE: the run ended with {trials}.")
    return None


def error_verdict(blank: GateVerdict, state: ModelState, table: TrialTable) -> GateVerdict | None:
    """Return the verdict on a model with too many errors; None if it has not."""
    if not state.too_many_errors:
        return None
    sentence = (
        f"INCOMPLETE: {state.errored} of {state.recorded} trials of {blank.model} errored "
        f"({format_number(100 * state.error_rate)} %); at most "
        f"{format_number(100 * state.allowed)} % are allowed. "
        "An error is neither a right nor a wrong answer."
    )
    errored = [trial for trial in table.trials(blank.model) if trial.outcome == "errored"]
    return with_outcome(blank, "incomplete", sentence, **name_trials(errored))


def name_trials(trials: Iterable[TrialStats]) -> dict[str, tuple[str, ...]]:
    """Return the cases and the node ids of trials, as a verdict names them."""
    trials = list(trials)
    cases = tuple(dict.fromkeys(trial.case for trial in trials))[:MAX_CASES]
    return {"behind": cases, "trials": tuple(trial.id for trial in trials)[:_MAX_TRIALS]}


def trials_to_rerun(group: TrialGroup, cases: Sequence[str]) -> tuple[str, ...]:
    """Return the node ids of the failed and errored trials of some cases."""
    cells = [group.cells[case] for case in cases if case in group.cells]
    ids = [trial.id for cell in cells for trial in cell if not trial.passed]
    return tuple(ids[:_MAX_TRIALS])
