"""One trial: its conversation, its scores and what became of it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.engine.capture import captured, text_of
from pytest_evals.engine.conversation import first_messages, following, request_of, turns_of
from pytest_evals.engine.model_call import Line, ModelCaller
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.engine.revision import next_request, standing
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import ErrorInfo, Exchange, Request, total_usage
from pytest_evals.ground.canonical import digest
from pytest_evals.ground.errors import AnswerError
from pytest_evals.matrix import Trial
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.result import AnyScore, FirstTry, Outcome, TrialResult, mean_score
from pytest_evals.score import ScoreError
from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.bound import Bound

if TYPE_CHECKING:
    from pytest_evals.certificate import Certificate


@dataclass(frozen=True, slots=True)
class _Conversation:
    """What was said, what the scorers say of it, and the way to who answers."""

    exchanges: tuple[Exchange, ...]
    scores: tuple[AnyScore, ...]
    line: Line


@dataclass(slots=True)
class TrialRunner:
    """Runs trials."""

    caller: ModelCaller
    route: Callable[[Trial, str | Model | None], Line]
    """The way to the trial's model, or to a judge's model by its name or written out."""
    scorers: Callable[[Trial], tuple[Bound, ...]]
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    rootdir: Path
    trial_timeout_s: float
    session_end: float | None = None
    certificates: "Callable[[Dataset], Mapping[str, Certificate]]" = lambda _: {}
    """How a dataset's judges agree with people, by their names."""
    replays: Mapping[str, ReplayRun] = field(default_factory=dict)
    """Answers of an earlier run, by the dataset's name."""

    _digests: dict[tuple[object, ...], str] = field(default_factory=dict)

    async def run(self, trial: Trial, line: Line | None = None) -> TrialResult:
        """Run one trial to its end; every fault ends up in its result.

        Args:
            trial: the trial.
            line: the way to who answers, where that is not the trial's model.
        """
        clock = self.clock()
        line = self.route(trial, None) if line is None else line
        started_at = time()
        with captured() as output:
            exchanges = await self._converse(trial, clock, line)
            judged: list[Exchange] = []
            scores = await self._score(trial, exchanges, clock, judged)
            conversation = _Conversation(exchanges, scores, line)
            exchanges, scores, first = await self._revised(trial, conversation, clock, judged)
        revisions = 0 if first is None else len(exchanges) - len(turns_of(trial))
        outcome, error = _outcome(
            standing(exchanges, revisions), scores, voted=bool(trial.function_digest)
        )
        return TrialResult(
            id=trial.id,
            dataset=trial.dataset.name,
            case_id=trial.case.id,
            model_id=trial.model.id,
            sample=trial.sample,
            outcome=outcome,
            scores=scores,
            score=mean_score(scores),
            error=error,
            exchanges=(*exchanges, *judged),
            tags=trial.case.tags,
            metadata=trial.case.metadata,
            source=trial.case.source,
            started_at=started_at,
            duration_s=clock.used_s,
            case_digest=trial.case.digest,
            output=text_of(output),
            beyond=trial.is_optional,
            scorers_digest=self._scorers_digest(trial),
            revisions=revisions,
            first=first,
        )

    def clock(self) -> TrialClock:
        """Return the time a trial may take, none of it used."""
        return TrialClock(self.trial_timeout_s, session_end=self.session_end)

    async def score(
        self,
        trial: Trial,
        bounds: Sequence[Bound],
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
    ) -> tuple[tuple[AnyScore, ...], tuple[Exchange, ...]]:
        """Score a conversation by some scorers; return their scores, and what judges were asked.

        Args:
            trial: whose conversation it is.
            bounds: the scorers, in the order of their scores.
            exchanges: the conversation; at least one exchange.
            clock: the trial's time.
        """
        judged: list[Exchange] = []
        with captured():
            ctx = self._context(trial, exchanges, clock, judged)
            scores = [
                bound.evaluate_now(ctx) if bound.cheap else await self._scored(bound, ctx, clock)
                for bound in bounds
            ]
        return tuple(scores), tuple(judged)

    async def _revised(
        self,
        trial: Trial,
        conversation: "_Conversation",
        clock: TrialClock,
        judged: list[Exchange],
    ) -> tuple[tuple[Exchange, ...], tuple[AnyScore, ...], FirstTry | None]:
        """Send the answer back as long as a judge wants a better one and may have it."""
        exchanges, scores = conversation.exchanges, conversation.scores
        bounds = self.scorers(trial)
        if all(bound.cheap for bound in bounds) or trial.dataset.name in self.replays:
            return exchanges, scores, None
        first: FirstTry | None = None
        done = 0
        while len(scores) == len(bounds):
            request = next_request(bounds, scores, exchanges, trial.dataset, done=done)
            if request is None:
                break
            if first is None:
                outcome, _ = _outcome(exchanges, scores, voted=bool(trial.function_digest))
                first = FirstTry(outcome=outcome, scores=scores, score=mean_score(scores))
            exchange = await self.caller.call(conversation.line, request, clock)
            exchanges = (*exchanges, exchange)
            scores = await self._score(trial, exchanges, clock, judged)
            done += 1
        return exchanges, scores, first

    def _scorers_digest(self, trial: Trial) -> str:
        """Return 16 digits over a trial's assertions, computed once for all that share them."""
        bounds = self.scorers(trial)
        key = (trial.dataset.name, *map(id, bounds))
        found = self._digests.get(key)
        if found is None:
            found = scorers_digest(trial.dataset, trial.case, bounds, code=trial.function_digest)
            self._digests[key] = found
        return found

    async def _converse(self, trial: Trial, clock: TrialClock, line: Line) -> tuple[Exchange, ...]:
        """Ask turn by turn; the first error ends the conversation."""
        replay = self.replays.get(trial.dataset.name)
        exchanges: list[Exchange] = []
        turns = turns_of(trial)
        try:
            messages = first_messages(trial)
        except AnswerError as error:
            request = Request(messages=(), case_id=trial.case.id, model_id=trial.model.id)
            return (Exchange(request=request, error=ErrorInfo.of(error), model_id=trial.model.id),)
        for turn in range(len(turns)):
            request = request_of(trial, messages, turn)
            if replay is None:
                exchange = await self.caller.call(line, request, clock)
            else:
                exchange = replay.exchange(line.model.id, request)
            exchanges.append(exchange)
            if exchange.response is None:
                break
            if turn + 1 < len(turns):
                messages = following(messages, exchange.response, turns[turn + 1])
        return tuple(exchanges)

    async def _score(
        self,
        trial: Trial,
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
        judged: list[Exchange],
    ) -> tuple[AnyScore, ...]:
        """Let every scorer speak, in the order they were written."""
        last = exchanges[-1]
        bounds = self.scorers(trial)
        if last.response is None:
            bounds = tuple(bound for bound in bounds if bound.scores_errors)
            if not bounds or (last.error is not None and last.error.type in _NEVER_SCORED):
                return ()
        ctx = self._context(trial, exchanges, clock, judged)
        scores: list[AnyScore] = []
        for bound in bounds:
            if bound.cheap:
                scores.append(bound.evaluate_now(ctx))
                continue
            began, used = monotonic(), clock.used_s
            scores.append(await self._scored(bound, ctx, clock))
            clock.used_s = max(clock.used_s, used + monotonic() - began)
        return tuple(scores)

    async def _scored(self, bound: Bound, ctx: ScoreContext, clock: TrialClock) -> AnyScore:
        """Run a scorer that may take its time, within the trial's."""
        import asyncio

        left = clock.remaining()
        task = asyncio.ensure_future(bound.evaluate(ctx, self.run_sync))
        done, _ = await asyncio.wait({task}, timeout=max(left, 0.001))
        if done:
            return task.result()
        task.cancel()
        return ScoreError(
            name=bound.name,
            type=bound.type,
            version=bound.version,
            weight=bound.weight,
            message=f"the scorer did not end within the trial's {clock.limit_s:g} s",
        )

    def _context(
        self,
        trial: Trial,
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
        judged: list[Exchange],
    ) -> ScoreContext:
        """Make what the scorers see."""
        answered = [e for e in exchanges if e.response is not None]
        responses = [e.response for e in answered if e.response is not None]
        last = exchanges[-1]
        costs = [e.cost_usd for e in answered]
        times = [response.latency_s for response in responses]
        final = responses[-1] if responses else None
        return ScoreContext(
            case=trial.case,
            model=trial.model,
            dataset=trial.dataset,
            sample=trial.sample,
            answer=final.text if final is not None and last.response is not None else "",
            response=last.response,
            error=last.error,
            exchanges=exchanges,
            usage=total_usage([response.usage for response in responses]),
            cost_usd=_total(costs),
            latency_s=_total(times),
            rootdir=self.rootdir,
            ask=self._ask(trial, clock, judged),
            certificates=self.certificates(trial.dataset),
        )

    def _ask(self, trial: Trial, clock: TrialClock, judged: list[Exchange]) -> Any:
        """Make the function by which judges ask."""

        async def ask(
            messages: Iterable[Message],
            *,
            model: str | Model,
            role: str,
            response_format: Mapping[str, Any] | None = None,
            params: Mapping[str, Any] | None = None,
            sample: int = 0,
        ) -> Exchange:
            line = self.route(trial, model)
            request = Request(
                messages=tuple(messages),
                params={**line.model.params, **(params or {})},
                response_format=None if response_format is None else dict(response_format),
                case_id=trial.case.id,
                model_id=line.model.id,
                sample=sample,
            )
            exchange = await self.caller.call(line, request, clock, role=role)
            judged.append(exchange)
            if exchange.error is not None:
                error = exchange.error
                raise AnswerError(
                    error.type, error.message, status=error.status, detail=error.detail
                )
            return exchange

        return ask


_NEVER_SCORED = frozenset({"not_run", "stale", "internal", "template", "script_mismatch"})
"""Errors that say nothing of the model, so that no assertion may expect them."""


def scorers_digest(dataset: Dataset, case: Case, bounds: Sequence[Bound], *, code: str = "") -> str:
    """Return 16 hexadecimal digits over a case's assertions, their options and versions.

    Args:
        dataset: the dataset.
        case: one of its cases.
        bounds: the case's scorers, in the order they were written.
        code: a digest of the test function that judges it too.
    """
    asked = [spec.model_dump(mode="json") for spec in dataset.scorers_of(case)]
    judges = {} if all(bound.cheap for bound in bounds) else dataset.judges
    more = [code] if code else []
    return digest([asked, [bound.version for bound in bounds], judges, *more], length=16)


def _total(values: list[float | None]) -> float | None:
    """Add up; None where nothing is known or any part is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _outcome(
    exchanges: tuple[Exchange, ...], scores: tuple[AnyScore, ...], *, voted: bool = False
) -> tuple[Outcome, ErrorInfo | None]:
    """Decide what became of a trial, and why where it is no verdict on an answer.

    Args:
        exchanges: the conversation.
        scores: what the scorers say.
        voted: whether somebody else will give a verdict too, so that no scorer need.
    """
    error = exchanges[-1].error
    if error is not None and error.type == "not_run":
        return Outcome.SKIPPED, error
    if error is not None and not scores:
        return Outcome.ERRORED, error
    faults = [fault for e in exchanges if e.response is not None for fault in e.response.faults]
    if faults:
        return Outcome.ERRORED, ErrorInfo(type="script_unused", message="; ".join(faults))
    broken = [score for score in scores if isinstance(score, ScoreError) and not score.advisory]
    if broken:
        return Outcome.ERRORED, None
    votes = [
        score.passed
        for score in scores
        if not isinstance(score, ScoreError) and not score.advisory and score.passed is not None
    ]
    if not votes and not voted:
        nothing = "no scorer gave a verdict, so this trial can neither pass nor fail"
        return Outcome.ERRORED, ErrorInfo(type="internal", message=nothing)
    return (Outcome.PASSED if all(votes) else Outcome.FAILED), None
