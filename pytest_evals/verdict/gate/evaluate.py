"""From gates and trials to verdicts: each a test of its own. Nothing passes vacuously.

Incomplete sets and errors are dealt with first: a set that the user narrowed is not judged, one
that was cut short or has too many errors fails as incomplete, a value that does not exist fails.
"""

from collections.abc import Mapping, Sequence

from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.spec import QUANTITIES, MetricSpec
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.stats.estimate import two_sided
from pytest_evals.stats.sequential import Sprt
from pytest_evals.verdict.diff import RowTest, failing_cases
from pytest_evals.verdict.gate.completeness import count_missing_scores, gate_slices, model_states
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.declare import parse_gates
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict, Verdict
from pytest_evals.verdict.gate.state import ModelState
from pytest_evals.verdict.gate.words import format_number, sequential_sentence, threshold_sentence
from pytest_evals.verdict.gate.write import threshold_text

_MOST_BEHIND = 50
_MOST_TRIALS = 500
_CLOSE = 1e-9


def evaluate_gates(
    judge: GateContext, gates: Sequence[GateSpec] | None = None
) -> list[GateVerdict]:
    """Return the verdict of every gate on every model and slice it is for.

    Where the dataset tolerates errors, or there are some and no gate speaks of them, the verdict on
    ``error_rate <= max_error_rate`` is added.

    Args:
        judge: what the verdicts rest on.
        gates: the gates; None takes the dataset's.
    """
    gates = parse_gates(judge.info) if gates is None else tuple(gates)
    if not gates:
        return []
    known = model_states(judge.table, judge.info, gates)
    found = [
        verdict
        for gate in gates
        for model, state in known.items()
        if gate.applies(model)
        for verdict in _of_gate(judge, gate, model, state)
    ]
    for model, state in known.items():
        told = any(gate.metric == "error_rate" and gate.applies(model) for gate in gates)
        if not told and (state.errored or judge.info.max_error_rate):
            most = judge.info.max_error_rate
            gate = GateSpec(text=f"error_rate <= {most:g}", metric="error_rate", max=most)
            found += _of_gate(judge, gate, model, state)
    return found


def _of_gate(
    judge: GateContext, gate: GateSpec, model: str, state: ModelState
) -> list[GateVerdict]:
    parts = gate_slices(gate, judge.table)
    if not parts:
        blank = _blank(judge, gate, model, None)
        reason = f"no recorded case has a {gate.per}"
        return [_held_back(blank, state) or _with(blank, "failed", f"FAILED: {reason}.")]
    judged = _compared if gate.compares else _bar
    return [judged(judge, gate, model, part, state) for part in parts]


def _blank(judge: GateContext, gate: GateSpec, model: str, part: Slice | None) -> GateVerdict:
    return GateVerdict(
        gate=gate.text,
        dataset=judge.info.name,
        model=model,
        slice=part,
        verdict="failed",
        blocking=True,
        metric=gate.metric,
        bar=threshold_text(gate),
        role=gate.role,
        unit="rate" if gate.compares else parse_metric(gate.metric).unit,
    )


def _with(blank: GateVerdict, verdict: Verdict, sentence: str, **more: object) -> GateVerdict:
    blocking = verdict in {"failed", "incomplete"}
    return blank.model_copy(
        update={"verdict": verdict, "blocking": blocking, "sentence": sentence, **more}
    )


def _held_back(blank: GateVerdict, state: ModelState) -> GateVerdict | None:
    """Return the verdict on a set that cannot be judged; None where it can be."""
    of = f"{state.recorded} of {state.planned} trials of {blank.model}"
    if state.whole == "narrowed":
        return _with(blank, "skipped", f"NOT JUDGED: only {of} were selected.")
    if state.whole == "cut short":
        return _with(blank, "incomplete", f"INCOMPLETE: the run ended with {of}.")
    return None


def _too_many_errors(
    blank: GateVerdict, state: ModelState, table: TrialTable
) -> GateVerdict | None:
    """Return the verdict where more trials errored than may; None where not."""
    if not state.too_many_errors:
        return None
    sentence = (
        f"INCOMPLETE: {state.errored} of {state.recorded} trials of {blank.model} errored "
        f"({format_number(100 * state.error_rate)} %), and at most "
        f"{format_number(100 * state.allowed)} % may; "
        "errors are neither right nor wrong answers."
    )
    return _with(blank, "incomplete", sentence, **_errors_behind(table.trials(blank.model)))


def _errors_behind(trials: Sequence[TrialStats]) -> dict[str, tuple[str, ...]]:
    errored = [one for one in trials if one.outcome == "errored"]
    cases = tuple(dict.fromkeys(one.case for one in errored))[:_MOST_BEHIND]
    return {"behind": cases, "trials": tuple(one.id for one in errored)[:_MOST_TRIALS]}


def _bar(
    judge: GateContext, gate: GateSpec, model: str, part: Slice | None, state: ModelState
) -> GateVerdict:
    """Judge a bar on a metric."""
    blank, what = _blank(judge, gate, model, part), parse_metric(gate.metric)
    held = _held_back(blank, state)
    if held is not None and not (what.kind == "completeness" and state.whole == "cut short"):
        return held
    within = gate.where if gate.per is None else part
    group = TrialGroup(_cells(judge.table, model, gate, part))
    if what.judges_answers:
        errors = _too_many_errors(blank, state, judge.table)
        silent = _silent(blank, what, group, state)
        if errors or silent:
            return errors or silent or blank
    confidence = 0.95 if gate.confidence is None else two_sided(gate.confidence)
    planned = state.planned if within is None else None
    value = estimate_metric(group, what, confidence=confidence, planned=planned)
    metric = to_metric(judge.info.name, model, part, what, value, confidence)
    if gate.sprt is not None:
        return _tested(judge, blank, gate.sprt, group, metric)
    passed = meets_threshold(gate, metric)
    behind = () if passed else _behind(group, what)
    change = _movement(judge, model, what, part)
    return _with(
        blank,
        "passed" if passed else "failed",
        threshold_sentence(gate, metric, passed=passed),
        value=metric.value,
        n=metric.n,
        cases=metric.cases,
        low=metric.low,
        high=metric.high,
        confidence=metric.confidence if metric.low is not None else None,
        notes=_notes(metric),
        behind=behind,
        trials=_trials_of(group, behind),
        **change,
    )


def _tested(
    judge: GateContext, blank: GateVerdict, test: Sprt, group: TrialGroup, metric: Metric
) -> GateVerdict:
    """Judge a case by a sequential test of its samples, in their order."""
    outcomes = [one.passed for cell in group.scored for one in cell]
    said = test.first(outcomes)
    found: dict[str | None, Verdict] = {"good": "passed", "bad": "failed", None: "inconclusive"}
    behind = () if said == "good" else tuple(group.cells)
    verdict = _with(
        blank,
        found[said],
        sequential_sentence(test, said, sum(outcomes), len(outcomes)),
        value=metric.value,
        n=metric.n,
        cases=metric.cases,
        behind=behind,
        trials=_trials_of(group, behind),
    )
    undecided = said is None and judge.strict
    return verdict.model_copy(update={"blocking": verdict.blocking or undecided})


def _cells(
    table: TrialTable, model: str, gate: GateSpec, part: Slice | None
) -> Mapping[str, list[TrialStats]]:
    """Return a model's trials in a slice, inside the gate's own selection."""
    cells = table.cases(model, part)
    if gate.where in {None, part}:
        return cells
    return {case: cell for case, cell in cells.items() if cell[0].within(gate.where)}


def _silent(
    blank: GateVerdict, what: MetricSpec, group: TrialGroup, state: ModelState
) -> GateVerdict | None:
    """Return the verdict where the scorer could not score too many trials; None where it did."""
    if what.scorer is None:
        return None
    scored = sum(map(len, group.scored))
    missing = count_missing_scores(group, what.scorer)
    if not missing or missing <= state.allowed * scored:
        return None
    sentence = (
        f"INCOMPLETE: {what.scorer} could not score {missing} of {scored} trials, and at most "
        f"{format_number(100 * state.allowed)} % may be without a score."
    )
    silent = [one for cell in group.scored for one in cell if what.scorer in one.unscored]
    cases = tuple(dict.fromkeys(one.case for one in silent))[:_MOST_BEHIND]
    ids = tuple(one.id for one in silent)[:_MOST_TRIALS]
    return _with(blank, "incomplete", sentence, behind=cases, trials=ids)


def meets_threshold(gate: GateSpec, metric: Metric) -> bool:
    """Whether a metric meets a gate's bar; an absent value never does."""
    low: float | None
    high: float | None
    low = high = metric.value
    if gate.confidence is not None:
        low, high = metric.low, metric.high
    if low is None or high is None or metric.n < (gate.min_n or 0):
        return False
    step = -_CLOSE if gate.strict else _CLOSE
    above = gate.min is None or low >= gate.min - step
    return above and (gate.max is None or high <= gate.max + step)


def _notes(metric: Metric) -> tuple[str, ...]:
    if not metric.dropped:
        return ()
    what = "1 case" if metric.dropped == 1 else f"{metric.dropped} cases"
    return (f"{what} could not give the value and is left out.",)


def _behind(group: TrialGroup, what: MetricSpec) -> tuple[str, ...]:
    """Return the cases that pull a metric to the wrong side, the worst first."""
    if what.kind in {"error_rate", "completeness"}:
        bad = [
            (case, [float(not one.scored) for one in cell]) for case, cell in group.cells.items()
        ]
    elif what.of in QUANTITIES and what.of != "score":
        bad = list(zip(group.cells, group.numbers(what.of), strict=True))
    elif what.of is None:
        counts = zip(group.cells, group.counts(None), strict=True)
        bad = [(case, [1 - passes / n]) for case, (passes, n) in counts if n and passes < n]
    else:
        pairs = zip(group.cells, group.numbers(what.of), strict=True)
        bad = [(case, [-x for x in values]) for case, values in pairs if values]
    badness = {case: sum(values) / len(values) for case, values in bad if values}
    if what.kind in {"error_rate", "completeness"}:
        badness = {case: share for case, share in badness.items() if share}
    worst = sorted(badness, key=lambda case: (-badness[case], case))
    return tuple(worst[:_MOST_BEHIND])


def _trials_of(group: TrialGroup, cases: Sequence[str]) -> tuple[str, ...]:
    """Return the failed and errored trials of cases; all of theirs where none failed."""
    cells = {case: group.cells[case] for case in cases if case in group.cells}
    bad = [one.id for cell in cells.values() for one in cell if not one.passed]
    return tuple(bad[:_MOST_TRIALS])


def _movement(
    judge: GateContext, model: str, what: MetricSpec, part: Slice | None
) -> dict[str, object]:
    """Return how the metric moved against the baseline, where a comparison tells."""
    if judge.diff is None or not what.judges_answers:
        return {}
    for test in judge.diff.tests:
        if (test.model, test.of, test.slice) == (model, what.scorer, part):
            return {"change": test.result.change, "improved": test.result.improved}
    return {}


def _compared(
    judge: GateContext, gate: GateSpec, model: str, part: Slice | None, state: ModelState
) -> GateVerdict:
    """Judge ``no regressions``."""
    blank = _blank(judge, gate, model, part)
    held = _held_back(blank, state) or _too_many_errors(blank, state, judge.table)
    if held is not None:
        return held
    if judge.diff is None:
        if judge.no_baseline is not None:
            return _with(blank, "skipped", f"NOT JUDGED: {judge.no_baseline}.")
        return _with(
            blank,
            "failed",
            "FAILED: there is no baseline to compare with; make one with --evals-update-baseline.",
        )
    test = next(
        test
        for test in judge.diff.tests
        if (test.gate, test.model, test.slice) == (gate.text, model, part)
    )
    return _of_test(judge, blank, test, TrialGroup(judge.table.cases(model, part)))


def _of_test(
    judge: GateContext, blank: GateVerdict, test: RowTest, group: TrialGroup
) -> GateVerdict:
    result, mean = test.result, test.result.mean
    failed = result.verdict == "regressed" or bool(test.drifted)
    verdict: Verdict = "failed" if failed else "passed"
    if not failed and result.verdict == "inconclusive":
        verdict = "inconclusive"
    behind = failing_cases(test) or (result.worse if verdict == "inconclusive" else ())
    left_out = {one.case for one in result.dropped}
    compared = [cell for case, cell in group.cells.items() if case not in left_out]
    judged = _with(
        blank,
        verdict,
        _sentence(test),
        value=mean.change if mean else None,
        n=sum(one.scored for cell in compared for one in cell),
        cases=result.cases,
        low=mean.low if mean else None,
        high=mean.high if mean else None,
        confidence=mean.confidence if mean and mean.low is not None else None,
        unit="score" if result.unit == "score" else "rate",
        change=result.change,
        improved=result.improved,
        notes=result.notes,
        behind=behind[:_MOST_BEHIND],
        trials=_trials_of(group, behind[:_MOST_BEHIND]),
    )
    if verdict == "inconclusive" and judge.strict:
        return judged.model_copy(update={"blocking": True})
    return judged


def _sentence(test: RowTest) -> str:
    if not test.drifted:
        return test.result.sentence
    shown = ", ".join(test.drifted[:5])
    more = f" and {len(test.drifted) - 5} more" if len(test.drifted) > 5 else ""
    drift = (
        f"DRIFTED: {shown}{more} still pass, but their recorded answers or calls changed; take "
        "them over with --evals-update-baseline if that is meant."
    )
    return drift if test.result.verdict != "regressed" else f"{test.result.sentence} {drift}"
