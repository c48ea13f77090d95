"""Evaluate ``no regressions``: the verdict of the comparison with the baseline."""

from collections.abc import Sequence

from pytest_evals.ground.plain_text import listed
from pytest_evals.metrics.compute import TrialGroup
from pytest_evals.metrics.metric import Slice
from pytest_evals.stats.rows import NOT_IN_RUN
from pytest_evals.verdict.diff import RowTest, failing_cases
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.outcome import (
    MAX_CASES,
    blank_verdict,
    error_verdict,
    incomplete_verdict,
    trials_to_rerun,
    with_outcome,
)
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict, Verdict
from pytest_evals.verdict.gate.state import ModelState

_MAX_NAMES = 5


def evaluate_regressions(
    context: GateContext, gate: GateSpec, model: str, part: Slice | None, state: ModelState
) -> GateVerdict:
    """Return the verdict of ``no regressions`` on one model and slice.

    Args:
        context: the trials, the diff and the settings.
        gate: the gate.
        model: the model's id.
        part: the slice; None is all cases.
        state: how complete the model's trials are.
    """
    blank = blank_verdict(context, gate, model, part)
    missing = incomplete_verdict(blank, state) or error_verdict(blank, state, context.table)
    if missing is not None:
        return missing
    if context.diff is None:
        if context.no_baseline is not None:
            sentence = f"NOT EVALUATED: {context.no_baseline}."
            return with_outcome(blank, "skipped", sentence, excused=True)
        return with_outcome(
            blank,
            "failed",
            "FAILED: there is no baseline to compare with; "
            "create one with --evals-update-baseline.",
        )
    test = next(
        test
        for test in context.diff.tests
        if (test.gate, test.model, test.slice) == (gate.text, model, part)
    )
    return _verdict(context, blank, test, TrialGroup(context.table.cases(model, part)))


def _verdict(
    context: GateContext, blank: GateVerdict, test: RowTest, group: TrialGroup
) -> GateVerdict:
    """Return the verdict of a comparison, with its numbers."""
    result, mean = test.result, test.result.mean
    failed = result.verdict == "regressed" or bool(test.drifted)
    outcome: Verdict = "failed" if failed else "passed"
    if not failed and result.verdict == "inconclusive":
        outcome = "inconclusive"
    gone = [case.case for case in result.dropped if case.reason == NOT_IN_RUN]
    sentence = _sentence(test)
    if gone and outcome == "passed":
        outcome, sentence = "inconclusive", _gone_sentence(gone, sentence, strict=context.strict)
    cases = failing_cases(test) or (result.worse if outcome == "inconclusive" else ())
    dropped = {case.case for case in result.dropped}
    compared = [cell for case, cell in group.cells.items() if case not in dropped]
    verdict = with_outcome(
        blank,
        outcome,
        sentence,
        value=mean.change if mean else None,
        n=sum(trial.scored for cell in compared for trial in cell),
        cases=result.cases,
        low=mean.low if mean else None,
        high=mean.high if mean else None,
        confidence=mean.confidence if mean and mean.low is not None else None,
        unit="score" if result.unit == "score" else "rate",
        change=result.change,
        improved=result.improved,
        notes=result.notes,
        behind=cases[:MAX_CASES],
        trials=trials_to_rerun(group, cases[:MAX_CASES]),
    )
    if outcome == "inconclusive" and context.strict:
        return verdict.model_copy(update={"blocking": True})
    return verdict


def _gone_sentence(gone: Sequence[str], sentence: str, *, strict: bool) -> str:
    """Return the sentence of a run that lacks cases of the baseline.

    Who changes the dataset would otherwise choose what is compared.
    """
    head = "INCONCLUSIVE" if strict else "INCONCLUSIVE (not blocking)"
    cases = "1 case" if len(gone) == 1 else f"{len(gone)} cases"
    verb = "is" if len(gone) == 1 else "are"
    rest = sentence.removeprefix("PASSED: ")
    return (
        f"{head}: {cases} of the baseline {verb} not in the run: {listed(gone, _MAX_NAMES)}. If "
        f"that is intended, accept with --evals-update-baseline. Of the others: {rest}"
    )


def _sentence(test: RowTest) -> str:
    """Return the sentence of a comparison; recorded answers that changed are named."""
    if not test.drifted:
        return test.result.sentence
    shown = ", ".join(test.drifted[:_MAX_NAMES])
    more = len(test.drifted) - _MAX_NAMES
    several = len(test.drifted) > 1
    drift = (
        f"DRIFTED: {shown}{f' and {more} more' if more > 0 else ''} still "
        f"{'pass' if several else 'passes'}, but {'their' if several else 'its'} recorded answer "
        "or tool calls changed; if that is intended, accept with --evals-update-baseline."
    )
    return drift if test.result.verdict != "regressed" else f"{test.result.sentence} {drift}"
