"""TrialScorer: runs the scorers of a conversation, and makes the calls of its judges."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from pytest_evals.dataset import Dataset
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.route import Route
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Exchange, Request, total_usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.matrix import Trial
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.result import AnyScore
from pytest_evals.score import ScoreError
from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.bound import Bound

if TYPE_CHECKING:
    from pytest_evals.certificate import Certificate


@dataclass(slots=True)
class TrialScorer:
    """Scores conversations."""

    caller: ModelCaller
    route: Callable[[Trial, str | Model | None], Route]
    """Returns the route to a trial's model, or to a judge's model by name or definition."""
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a blocking callable in a thread."""
    rootdir: Path
    certificates: "Callable[[Dataset], Mapping[str, Certificate]]" = lambda _: {}
    """Returns the calibration of a dataset's judges, by name."""

    async def score(
        self,
        trial: Trial,
        bounds: Sequence[Bound],
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
        judge_exchanges: list[Exchange],
        *,
        counts_time: bool = True,
    ) -> tuple[AnyScore, ...]:
        """Run scorers in their order.

        Args:
            trial: the trial.
            bounds: the scorers.
            exchanges: the conversation; at least one exchange.
            clock: the trial's time.
            judge_exchanges: receives the calls of judges.
            counts_time: whether slow scorers use up the trial's time.
        """
        ctx = self._context(trial, exchanges, clock, judge_exchanges)
        scores: list[AnyScore] = []
        for bound in bounds:
            if bound.cheap:
                scores.append(bound.evaluate_now(ctx))
                continue
            began, used_s = monotonic(), clock.used_s
            scores.append(await self._evaluate(bound, ctx, clock))
            if counts_time:
                clock.used_s = max(clock.used_s, used_s + monotonic() - began)
        return tuple(scores)

    async def _evaluate(self, bound: Bound, ctx: ScoreContext, clock: TrialClock) -> AnyScore:
        """Run a scorer that may wait, within the time that the trial has left."""
        timeout_s, limit = max(clock.remaining(), 0.001), clock.limit_name()
        task = asyncio.ensure_future(bound.evaluate(ctx, self.run_sync))
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if done:
            return task.result()
        task.cancel()
        return ScoreError(
            name=bound.name,
            type=bound.type,
            version=bound.version,
            weight=bound.weight,
            message=f"the scorer did not end within {limit}",
        )

    def _context(
        self,
        trial: Trial,
        exchanges: tuple[Exchange, ...],
        clock: TrialClock,
        judge_exchanges: list[Exchange],
    ) -> ScoreContext:
        """Make what the scorers see."""
        answered = [e for e in exchanges if e.response is not None]
        responses = [e.response for e in answered if e.response is not None]
        last = exchanges[-1]
        return ScoreContext(
            case=trial.case,
            model=trial.model,
            dataset=trial.dataset,
            sample=trial.sample,
            answer=last.response.text if last.response is not None else "",
            response=last.response,
            error=last.error,
            exchanges=exchanges,
            usage=total_usage([response.usage for response in responses]),
            cost_usd=_total([e.cost_usd for e in answered]),
            latency_s=_total([response.latency_s for response in responses]),
            rootdir=self.rootdir,
            ends_at=monotonic() + clock.remaining(),
            ask=self._judge_call(trial, clock, judge_exchanges),
            certificates=self.certificates(trial.dataset),
        )

    def _judge_call(self, trial: Trial, clock: TrialClock, judge_exchanges: list[Exchange]) -> Any:
        """Make the function by which judges call their models."""

        async def ask(
            messages: Iterable[Message],
            *,
            model: str | Model,
            role: str,
            response_format: Mapping[str, Any] | None = None,
            params: Mapping[str, Any] | None = None,
            sample: int = 0,
        ) -> Exchange:
            route = self.route(trial, model)
            request = Request(
                messages=tuple(messages),
                params={**route.model.params, **(params or {})},
                response_format=None if response_format is None else dict(response_format),
                case_id=trial.case.id,
                model_id=route.model.id,
                sample=sample,
            )
            exchange = await self.caller.call(route, request, clock, role=role)
            judge_exchanges.append(exchange)
            if exchange.error is not None:
                error = exchange.error
                raise AnswerError(
                    error.type, error.message, status=error.status, detail=error.detail
                )
            return exchange

        return ask


def _total(values: list[float | None]) -> float | None:
    """Sum values; None if there is none or any is unknown."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if values and len(numbers) == len(values) else None
