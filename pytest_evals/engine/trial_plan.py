"""TrialPlan: which step of a trial comes next, when it ends, and with which outcome. Pure.

`trial` carries the steps out: it makes the calls and runs the scorers. The plan knows neither
asyncio nor a clock; a call that came too late is an exchange with an error, as any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_evals.engine.conversation import first_messages, following, request_of, turns_of
from pytest_evals.engine.revision import next_request, without_revised
from pytest_evals.exchange import ErrorInfo, Exchange, Request
from pytest_evals.ground.errors import AnswerError
from pytest_evals.matrix import Trial
from pytest_evals.message import Message
from pytest_evals.result import AnyScore, FirstTry, Outcome, mean_score
from pytest_evals.score import ScoreError
from pytest_evals.scorers.bound import Bound


@dataclass(frozen=True, slots=True)
class CallStep:
    """Call the model under test."""

    request: Request


@dataclass(frozen=True, slots=True)
class ScoreStep:
    """Score the conversation so far."""

    exchanges: tuple[Exchange, ...]
    bounds: tuple[Bound, ...]


Step = CallStep | ScoreStep


class TrialPlan:
    """The steps of one trial: turns in order, scoring, revisions.

    Ask for `step`, carry it out, record its result, and so on until `step` is None.

    Args:
        trial: the trial.
        bounds: its scorers.
        can_revise: whether a judge may send an answer back to the model.
    """

    def __init__(self, trial: Trial, bounds: tuple[Bound, ...], *, can_revise: bool) -> None:
        self.trial = trial
        self.exchanges: tuple[Exchange, ...] = ()
        self.scores: tuple[AnyScore, ...] = ()
        self.first: FirstTry | None = None
        """The outcome before the first revision; None if there was none."""
        self._bounds = bounds
        self._can_revise = can_revise and not all(bound.cheap for bound in bounds)
        self._turns = turns_of(trial)
        self._messages: tuple[Message, ...] = ()
        self.step: Step | None = None
        """The next step; None if the trial has ended."""
        try:
            self._messages = first_messages(trial)
        except AnswerError as error:
            request = Request(messages=(), case_id=trial.case.id, model_id=trial.model.id)
            failed = Exchange(request=request, error=ErrorInfo.of(error), model_id=trial.model.id)
            self.exchanges = (failed,)
            self._score_next()
        else:
            self.step = CallStep(request_of(trial, self._messages, 0))

    @property
    def revisions(self) -> int:
        """How often the answer was revised."""
        return 0 if self.first is None else len(self.exchanges) - len(self._turns)

    def record_exchange(self, exchange: Exchange) -> None:
        """Record the result of a call; an error ends the conversation."""
        assert isinstance(self.step, CallStep)
        self.exchanges = (*self.exchanges, exchange)
        turn = len(self.exchanges)
        if exchange.response is None or turn >= len(self._turns):
            self._score_next()
        else:
            self._messages = following(self._messages, exchange.response, self._turns[turn])
            self.step = CallStep(request_of(self.trial, self._messages, turn))

    def record_scores(self, scores: tuple[AnyScore, ...]) -> None:
        """Record the scores; a judge may ask for a better answer."""
        assert isinstance(self.step, ScoreStep)
        self.scores = scores
        self._revise_or_end()

    def outcome(self) -> tuple[Outcome, ErrorInfo | None]:
        """Return the outcome, and the error if it is no verdict on an answer."""
        exchanges = without_revised(self.exchanges, self.revisions)
        return trial_outcome(
            exchanges, self.scores, has_other_verdict=bool(self.trial.function_digest)
        )

    def _score_next(self) -> None:
        """Score the conversation, or end without scores where no scorer applies."""
        last = self.exchanges[-1]
        bounds = self._bounds
        if last.response is None:
            may_score = last.error is None or last.error.type not in _NEVER_SCORED
            bounds = tuple(bound for bound in bounds if bound.scores_errors) if may_score else ()
            if not bounds:
                self.scores = ()
                self.step = None
                return
        self.step = ScoreStep(self.exchanges, bounds)

    def _revise_or_end(self) -> None:
        """Call the model again where a judge wants a better answer and may have it."""
        self.step = None
        if not self._can_revise or len(self.scores) != len(self._bounds):
            return
        request = next_request(
            self._bounds, self.scores, self.exchanges, self.trial.dataset, done=self.revisions
        )
        if request is None:
            return
        if self.first is None:
            outcome, _ = self.outcome()
            self.first = FirstTry(
                outcome=outcome, scores=self.scores, score=mean_score(self.scores)
            )
        self.step = CallStep(request)


_NEVER_SCORED = frozenset({"not_run", "stale", "internal", "template", "script_mismatch"})
"""Errors that say nothing about the model, so no scorer may expect them."""


def trial_outcome(
    exchanges: Sequence[Exchange], scores: Sequence[AnyScore], *, has_other_verdict: bool = False
) -> tuple[Outcome, ErrorInfo | None]:
    """Decide the outcome of a trial, and the error if it is no verdict on an answer.

    Args:
        exchanges: the conversation.
        scores: the scores of its last answer.
        has_other_verdict: whether a test function gives a verdict too, so no scorer has to.
    """
    error = exchanges[-1].error
    if error is not None and error.type == "not_run":
        return Outcome.SKIPPED, error
    if error is not None and not scores:
        return Outcome.ERRORED, error
    faults = [fault for e in exchanges if e.response is not None for fault in e.response.faults]
    if faults:
        return Outcome.ERRORED, ErrorInfo(type="script_unused", message="; ".join(faults))
    if any(isinstance(score, ScoreError) and not score.advisory for score in scores):
        return Outcome.ERRORED, None
    verdicts = [
        score.passed
        for score in scores
        if not isinstance(score, ScoreError) and not score.advisory and score.passed is not None
    ]
    if not verdicts and not has_other_verdict:
        message = "no scorer gave a verdict, so this trial can neither pass nor fail"
        return Outcome.ERRORED, ErrorInfo(type="internal", message=message)
    return (Outcome.PASSED if all(verdicts) else Outcome.FAILED), None
