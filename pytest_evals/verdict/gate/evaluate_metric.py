"""Evaluate a gate on a metric: its value, or its interval, against the required value."""

from pytest_evals.ground.plain_text import listed
from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.shared_draws import repeated_cases
from pytest_evals.metrics.spec import QUANTITIES, MetricSpec
from pytest_evals.stats.estimate import two_sided
from pytest_evals.stats.sequential import Sprt
from pytest_evals.verdict.gate.completeness import count_missing_scores, gate_cells
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.outcome import (
    MAX_CASES,
    blank_verdict,
    error_verdict,
    incomplete_verdict,
    name_trials,
    trials_to_rerun,
    with_outcome,
)
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict, Verdict
from pytest_evals.verdict.gate.state import ModelState
from pytest_evals.verdict.gate.words import format_number, sequential_sentence, threshold_sentence

_TOLERANCE = 1e-9
_DEFAULT_CONFIDENCE = 0.95


def evaluate_metric(
    context: GateContext, gate: GateSpec, model: str, part: Slice | None, state: ModelState
) -> GateVerdict:
    """Return the verdict of a gate on a metric, for one model and slice.

    Args:
        context: the trials, the diff and the settings.
        gate: the gate.
        model: the model's id.
        part: the slice; None is all cases.
        state: how complete the model's trials are.
    """
    blank, spec = blank_verdict(context, gate, model, part), parse_metric(gate.metric)
    missing = incomplete_verdict(blank, state)
    if missing is not None and not (spec.kind == "completeness" and state.status == "interrupted"):
        return missing
    group = TrialGroup(gate_cells(context.table, model, gate, part))
    if spec.measures_quality:
        problem = error_verdict(blank, state, context.table) or _unscored(blank, spec, group, state)
        if problem is not None:
            return problem
    confidence = _DEFAULT_CONFIDENCE if gate.confidence is None else two_sided(gate.confidence)
    selection = gate.where if gate.per is None else part
    planned = state.planned if selection is None else None
    value = estimate_metric(group, spec, confidence=confidence, planned=planned)
    metric = to_metric(context.info.name, model, part, spec, value, confidence)
    if gate.sprt is not None:
        return _sequential(context, blank, gate.sprt, group, metric)
    passed = meets_threshold(gate, metric)
    unbounded = not passed and is_unbounded(gate, metric)
    cases = () if passed or unbounded else _worst_cases(group, spec)
    outcome: Verdict = "passed" if passed else "incomplete" if unbounded else "failed"
    return with_outcome(
        blank,
        outcome,
        threshold_sentence(gate, metric, outcome),
        **_numbers(metric),
        low=metric.low,
        high=metric.high,
        confidence=metric.confidence if metric.low is not None else None,
        notes=(*_notes(metric), *_repeated(group, spec)),
        behind=cases,
        trials=trials_to_rerun(group, cases),
        **_change(context, model, spec, part),
    )


def _numbers(metric: Metric) -> dict[str, object]:
    return {"value": metric.value, "n": metric.n, "cases": metric.cases}


def _sequential(
    context: GateContext, blank: GateVerdict, test: Sprt, group: TrialGroup, metric: Metric
) -> GateVerdict:
    """Return the verdict of a sequential test on the samples of one case, in order."""
    outcomes = [trial.passed for cell in group.scored for trial in cell]
    decision = test.first(outcomes)
    words: dict[str | None, Verdict] = {"good": "passed", "bad": "failed", None: "inconclusive"}
    cases = () if decision == "good" else tuple(group.cells)
    verdict = with_outcome(
        blank,
        words[decision],
        sequential_sentence(test, decision, sum(outcomes), len(outcomes)),
        **_numbers(metric),
        behind=cases,
        trials=trials_to_rerun(group, cases),
    )
    undecided = decision is None and context.strict
    return verdict.model_copy(update={"blocking": verdict.blocking or undecided})


def _unscored(
    blank: GateVerdict, spec: MetricSpec, group: TrialGroup, state: ModelState
) -> GateVerdict | None:
    """Return the verdict if the scorer could not score too many trials; None otherwise."""
    if spec.scorer is None:
        return None
    scored = sum(map(len, group.scored))
    missing = count_missing_scores(group, spec.scorer)
    if not missing or missing <= state.allowed * scored:
        return None
    sentence = (
        f"INCOMPLETE: {spec.scorer} could not score {missing} of {scored} trials; at most "
        f"{format_number(100 * state.allowed)} % are allowed without a score."
    )
    unscored = [trial for cell in group.scored for trial in cell if spec.scorer in trial.unscored]
    return with_outcome(blank, "incomplete", sentence, **name_trials(unscored))


def meets_threshold(gate: GateSpec, metric: Metric) -> bool:
    """Whether a metric has the value that a gate requires; an absent value never has."""
    low: float | None
    high: float | None
    low = high = metric.value
    if gate.confidence is not None:
        low, high = metric.low, metric.high
    if low is None or high is None or metric.n < (gate.min_n or 0):
        return False
    step = -_TOLERANCE if gate.strict else _TOLERANCE
    above = gate.min is None or low >= gate.min - step
    return above and (gate.max is None or high <= gate.max + step)


def is_unbounded(gate: GateSpec, metric: Metric) -> bool:
    """Whether a metric meets a gate but has no interval to say so with the gate's confidence."""
    unsure = gate.confidence is not None and metric.value is not None and metric.low is None
    return unsure and meets_threshold(gate.model_copy(update={"confidence": None}), metric)


def _notes(metric: Metric) -> tuple[str, ...]:
    if not metric.dropped:
        return ()
    if metric.dropped == 1:
        return ("1 case has no value and is left out.",)
    return (f"{metric.dropped} cases have no value and are left out.",)


def _repeated(group: TrialGroup, spec: MetricSpec) -> tuple[str, ...]:
    """Return a note if cases share draws, so that n is less than the trials."""
    repeated = repeated_cases(group.cells)
    if not repeated or not spec.measures_quality:
        return ()
    trials, draws = (sum(map(len, cells.values())) for cells in (group.cells, group.distinct.cells))
    number = "1 case repeats" if len(repeated) == 1 else f"{len(repeated)} cases repeat"
    names = listed(list(repeated), 3)
    sentence = f"{number} the question and the checks of another one ({names}): "
    return (f"{sentence}{trials} trials are {draws} draws.",)


def _worst_cases(group: TrialGroup, spec: MetricSpec) -> tuple[str, ...]:
    """Return the cases that move a metric away from the required value, the worst first."""
    is_count = spec.kind in {"error_rate", "completeness"}
    if is_count:
        values = [
            (case, [float(not trial.scored) for trial in cell])
            for case, cell in group.cells.items()
        ]
    elif spec.of in QUANTITIES and spec.of != "score":
        values = list(zip(group.cells, group.numbers(spec.of), strict=True))
    elif spec.of is None:
        counts = zip(group.cells, group.counts(None), strict=True)
        values = [(case, [1 - passes / n]) for case, (passes, n) in counts if n and passes < n]
    else:
        numbers = zip(group.cells, group.numbers(spec.of), strict=True)
        values = [(case, [-x for x in cell]) for case, cell in numbers if cell]
    badness = {case: sum(cell) / len(cell) for case, cell in values if cell}
    if is_count:
        badness = {case: share for case, share in badness.items() if share}
    worst = sorted(badness, key=lambda case: (-badness[case], case))
    return tuple(worst[:MAX_CASES])


def _change(
    context: GateContext, model: str, spec: MetricSpec, part: Slice | None
) -> dict[str, object]:
    """Return how the metric changed against the baseline, if a comparison measured that."""
    if context.diff is None or not spec.measures_quality:
        return {}
    for test in context.diff.tests:
        if (test.model, test.of, test.slice) == (model, spec.scorer, part):
            return {"change": test.result.change, "improved": test.result.improved}
    return {}
