"""The outcome of a marked test: how its phases ended -> the record of its trial.

pytest displays the failure; this module decides whether it is a wrong answer or an error.
"""

import re
import traceback
from collections.abc import Iterator
from itertools import dropwhile
from linecache import getline
from time import monotonic
from typing import Any

import pytest

from pytest_evals.engine.scorers_digest import scorers_digest
from pytest_evals.exchange import ErrorInfo, Exchange
from pytest_evals.ground.errors import AnswerError, EvalsError
from pytest_evals.ground.plain_text import neutral, shorten
from pytest_evals.plugin.exceptions import NoAnswer, WrongAnswer
from pytest_evals.plugin.python.running_test import RunningTest
from pytest_evals.result import AnyScore, Outcome, TrialResult, mean_score
from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoringError
from pytest_evals.session.failure_text import headline_of

ASSERTION = "assert"
"""The name of the score of the test's own assertions."""


class Unmet(WrongAnswer):
    """Scores fail the trial although the body of the test passed."""


def close(test: RunningTest, *, passed: bool) -> None:
    """Run the dataset's scorers on an answer of the test, and evaluate all scores.

    Args:
        test: the test, whose body has ended.
        passed: whether the body passed; else the scores are only recorded.

    Raises:
        EvalsError: the dataset has scorers, and there is no answer to score.
        ScoringError: a scorer could not score.
        Unmet: a score fails the trial.
    """
    __tracebackhide__ = True
    bounds = test.bounds() if test.result is None else ()
    if bounds and test.answers and test.answers[-1].response is not None:
        test.dataset_scores, judged = test.wait(test.score(bounds, test.answers))
        test.judged.extend(judged)
    elif bounds and passed:
        names = ", ".join(dict.fromkeys(bound.name for bound in bounds))
        raise EvalsError(
            f"the dataset asserts {names} of every answer, but this test has none: name `response` "
            "among its arguments, say what it answered by `trial.answered(...)`, or write "
            "`scorers=False` in the mark"
        )
    if not passed:
        return
    voting = [score for score in test.all_scores if not score.advisory]
    for score in voting:
        if isinstance(score, ScoreError):
            raise ScoringError(f"{score.name} could not score: {score.message}")
    failing = [s for s in voting if isinstance(s, Score) and s.passed is False]
    if failing:
        test.failed_by_score = True
        raise Unmet(headline_of(failing))


def ended(test: RunningTest, when: str, error: BaseException | None) -> TrialResult | None:
    """Return the trial's record if this phase of the test ends it; None if it goes on.

    Args:
        test: the test.
        when: ``setup`` or ``call``.
        error: the exception that ended the phase; None if it passed.
    """
    if test.ended or (when == "setup" and error is None) or when not in {"setup", "call"}:
        return None
    test.ended = True
    outcome, info = _outcome(test, when, error)
    scores = test.all_scores
    if when == "call" and outcome in {Outcome.PASSED, Outcome.FAILED}:
        scores += _assertion(scores, error, by_score=test.failed_by_score)
    return _record(test, outcome, info, scores)


def _outcome(
    test: RunningTest, when: str, error: BaseException | None
) -> tuple[Outcome, ErrorInfo | None]:
    """Return the outcome, and the error if it is no verdict on an answer."""
    if error is None:
        return Outcome.PASSED, None
    if isinstance(error, NoAnswer) and test.result is not None:
        return test.result.outcome, test.result.error
    if isinstance(error, pytest.skip.Exception | pytest.xfail.Exception) and (
        when == "setup" or isinstance(error, pytest.skip.Exception)
    ):
        if test.not_run is not None:
            skipped = test.result is not None and test.result.outcome is Outcome.SKIPPED
            return Outcome.SKIPPED, test.result.error if skipped and test.result else test.not_run
        # The author skips it: no trial is missing, and gates evaluate the rest.
        reason = shorten(neutral(str(error)), 200) or "no reason given"
        message = f"skipped by the test: {reason}"
        return Outcome.SKIPPED, ErrorInfo(type="not_needed", message=message)
    if when == "call" and is_wrong_answer(error):
        return Outcome.FAILED, None
    return Outcome.ERRORED, _info(when, error)


def is_wrong_answer(error: BaseException) -> bool:
    """Whether an exception of a test means a wrong answer; else it is an error."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_wrong_answer, error.exceptions))
    if isinstance(error, NoAnswer) or "from pytest-timeout" in str(error):
        return False
    return isinstance(error, AssertionError | pytest.fail.Exception)


def _info(when: str, error: BaseException) -> ErrorInfo:
    """Return the error of an exception that is no verdict on an answer."""
    if isinstance(error, AnswerError):
        return ErrorInfo.of(error)
    if isinstance(error, ScoringError):
        return ErrorInfo(type="internal", message=error.message, detail=error.detail)
    if isinstance(error, NoAnswer):
        return ErrorInfo(type="target", message=str(error))
    text = " ".join(str(error).split())[:500]
    if isinstance(error, EvalsError):
        return ErrorInfo(type="target", message=text)
    part = "a fixture of the test" if when == "setup" else "the test"
    return ErrorInfo(
        type="timeout" if "from pytest-timeout" in text else "target",
        message=f"{part} raised {type(error).__name__}{': ' if text else ''}{text}",
        detail=_detail(error),
    )


def _detail(error: BaseException) -> str | None:
    """Return the traceback of an exception, from the first frame of the test.

    Without columns: to underline them Python parses, and another thread may parse too.
    """
    frames = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        frames.append((file, line, name, getline(file, line)))
    test_frames = list(dropwhile(lambda frame: _MACHINERY.search(frame[0]) is not None, frames))
    if not test_frames:
        return None
    shown = "".join(traceback.StackSummary.from_list(test_frames).format())
    ended = "".join(traceback.format_exception_only(error))
    return f"Traceback (most recent call last):\n{shown}{ended}".rstrip()


_MACHINERY = re.compile(r"[/\\](_pytest|pluggy|pytest_evals|asyncio|anyio|pytest_asyncio)[/\\]")
"""Files whose frames come before those of a test."""


def _assertion(
    scores: tuple[AnyScore, ...], error: BaseException | None, *, by_score: bool
) -> tuple[Score, ...]:
    """Return the score of the test's own assertions.

    A failed assertion always has a score; passed ones have a score if no other score passed.
    """
    if error is not None and not by_score:
        # pytest's text of an assertion goes on with the values in it, and a diff of them.
        first = str(error).strip().partition("\n\n")[0].partition("\n +  where ")[0]
        reason = shorten(neutral(" ".join(first.split())), 500) or type(error).__name__
        return (Score(name=ASSERTION, type=ASSERTION, value=0.0, passed=False, reason=reason),)
    voted = any(isinstance(s, Score) and not s.advisory and s.passed is not None for s in scores)
    if error is not None or voted:
        return ()
    return (Score(name=ASSERTION, type=ASSERTION, value=1.0, passed=True),)


def _record(
    test: RunningTest, outcome: Outcome, info: ErrorInfo | None, scores: tuple[AnyScore, ...]
) -> TrialResult:
    """Return the trial's record."""
    trial, base = test.trial, test.result
    used = 0.0 if test.clock is None else test.clock.used_s
    common: dict[str, Any] = {
        "outcome": outcome,
        "error": info,
        "scores": scores,
        "score": mean_score(scores),
        "exchanges": tuple(_exchanges(test)),
        "output": "".join(_output(test)),
    }
    if base is not None:
        return base.model_copy(update={**common, "duration_s": base.duration_s + used})
    return TrialResult(
        id=trial.id,
        dataset=trial.dataset.name,
        case_id=trial.case.id,
        model_id=trial.model.id,
        sample=trial.sample,
        tags=trial.case.tags,
        metadata=trial.case.metadata,
        source=trial.case.source,
        started_at=test.started_at,
        duration_s=max(used, monotonic() - test.began),
        case_digest=trial.case.digest,
        scorers_digest=scorers_digest(
            trial.dataset, trial.case, test.bounds(), code=trial.function_digest
        ),
        **common,
    )


def _exchanges(test: RunningTest) -> Iterator[Exchange]:
    """Yield all calls: of the answer, of the test itself, of judges."""
    base = () if test.result is None else test.result.exchanges
    yield from (e for e in base if e.role == "answer")
    yield from test.asked
    yield from test.given[-1:]
    yield from (e for e in base if e.role != "answer")
    yield from test.judged


def _output(test: RunningTest) -> Iterator[str]:
    """Yield the output printed in the background, and the lines the test logged."""
    if test.result is not None and test.result.output:
        yield test.result.output
    yield from (f"{line}\n" for line in test.log)
