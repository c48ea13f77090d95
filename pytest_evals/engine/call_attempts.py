"""CallAttempts: calls a provider within every limit, again after transient errors.

Knows no store: it returns a response, or raises the error that ends the call.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pytest_evals.engine.budget import Budget
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.retry import LONGEST_WAIT_S
from pytest_evals.engine.route import Route
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.engine.worker_share import hold_all
from pytest_evals.exchange import ErrorInfo, Request, Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.user_code import user_traceback

GRACE_S = 1.0
"""Seconds a cancelled call has to end before it is abandoned."""
_SESSION_OVER = "the session's time (--evals-timeout) is up"


@dataclass(slots=True)
class CallCounts:
    """Counters for the live line; only the event loop's thread changes them."""

    in_flight: int = 0
    calls: int = 0
    reused: int = 0
    retries: int = 0


Save = Callable[[Response, float | None], Awaitable[None]]
"""Stores a response and its cost in USD."""


@dataclass(slots=True)
class CallAttempts:
    """Makes calls."""

    session: Limiter
    """The limit of the whole session."""
    budget: Budget
    redact: Callable[[Response], Response]
    """Removes secrets from a response before it is stored."""
    counts: CallCounts = field(default_factory=CallCounts)
    _waiting: list["asyncio.Future[None]"] = field(default_factory=list)
    """Calls that wait until another one has ended and its cost is known."""
    is_over: Callable[[], bool] = bool
    """Whether the session has ended in another process; by default it never has."""

    async def call(
        self,
        route: Route,
        request: Request,
        clock: TrialClock,
        save: Save,
        errors: list[ErrorInfo],
    ) -> tuple[float | None, Response]:
        """Call until there is a response, or no reason to retry.

        Args:
            route: how the call reaches the model.
            request: what is sent.
            clock: the trial's time.
            save: stores the response; the call holds its slots meanwhile, so that no more calls
                are made than the limits allow while the store is slow.
            errors: receives the error of each failed attempt.

        Returns:
            The cost in USD (None if unknown) and the response.

        Raises:
            AnswerError: the error that ends the call.
        """
        limits, expected_tokens = route.limits, _expected_tokens(request)
        while True:
            self._check(route, clock)
            try:
                async with (
                    asyncio.timeout(clock.session_left()) as patience,
                    limits.model.slot(expected_tokens),
                    limits.host.slot() if limits.host is not None else _NO_LIMIT,
                    _NO_LIMIT if limits.holds_session_slot else self.session.slot(),
                    hold_all(limits.processes) if limits.processes else _NO_LIMIT,
                    self._reserve(route) if route.is_stored else _NO_LIMIT,
                ):
                    patience.reschedule(None)
                    self._check(route, clock)
                    started = monotonic()
                    # Update the limiter before releasing the slot: the next call sees the new one.
                    try:
                        response = await self._attempt(route, request, clock)
                    except AnswerError as error:
                        pause = self._pause(route, error, started, len(errors) + 1, clock)
                        errors.append(ErrorInfo.of(error))
                    else:
                        cost_usd = self._count(route, response, expected_tokens)
                        response = self.redact(response)
                        await save(response, cost_usd)
                        return cost_usd, response
            except TimeoutError:
                raise AnswerError("not_run", _SESSION_OVER) from None
            self.counts.retries += 1
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def _reserve(self, route: Route) -> AsyncIterator[None]:
        """Wait until the budget has room for a call, and reserve it for the block.

        Raises:
            AnswerError: of type ``not_run``: the budget is spent.
        """
        model_id = route.model.id
        while not self.budget.has_room(model_id):
            self.budget.check()
            ended = asyncio.get_running_loop().create_future()
            self._waiting.append(ended)
            await ended
        self.budget.begin(model_id)
        try:
            yield
        finally:
            self.budget.end(model_id)
            waiting, self._waiting = self._waiting, []
            for ended in waiting:
                if not ended.done():
                    ended.set_result(None)

    def _check(self, route: Route, clock: TrialClock) -> None:
        """Refuse a call that the budget, the circuit breaker or the time does not allow.

        Raises:
            AnswerError: of type ``not_run`` or ``deadline``.
        """
        if self.is_over():
            raise AnswerError("not_run", "the session was ended")
        self.budget.check()
        route.breaker.check()
        if clock.session_over():
            raise AnswerError("not_run", _SESSION_OVER)
        if clock.remaining() <= 0:
            late = AnswerError(
                "deadline", f"the trial used up its {clock.limit_s:g} s (evals_trial_timeout)"
            )
            route.breaker.failed(late)
            raise late

    async def _attempt(self, route: Route, request: Request, clock: TrialClock) -> Response:
        """Call the provider once, within the time that is left.

        Raises:
            AnswerError: what the provider raised, or why there is no response.
        """
        timeout_s, limit = route.call_timeout(clock.remaining()), route.call_limit(clock)
        began = monotonic()
        self.counts.in_flight += 1
        self.counts.calls += 1
        sent = request.model_copy(update={"timeout_s": timeout_s})
        task = asyncio.ensure_future(route.provider.complete(sent))
        try:
            response = await _result_of(task, route, timeout_s, limit)
        except asyncio.CancelledError:
            _abandon(task)
            raise
        except (AnswerError, MemoryError):
            raise
        except Exception as error:
            raise provider_error(route, error) from error
        finally:
            self.counts.in_flight -= 1
            clock.used_s += monotonic() - began
        if response.latency_s is None:
            response = response.model_copy(update={"latency_s": monotonic() - began})
        return response

    def _count(self, route: Route, response: Response, expected_tokens: float) -> float | None:
        """Update breaker, limiter and budget after a response; return its cost in USD."""
        tokens, cost_usd = response.usage.total_tokens, route.cost_of(response)
        route.breaker.succeeded()
        route.limits.model.succeeded(tokens, expected_tokens)
        _apply_rate_limit(route.limits.model, response.metadata.get("rate_limit"))
        if route.is_stored:
            self.budget.add(cost_usd, tokens, model_id=route.model.id)
        return cost_usd

    def _pause(
        self, route: Route, error: AnswerError, started: float, attempt: int, clock: TrialClock
    ) -> float:
        """Return the seconds to wait before a retry.

        Raises:
            AnswerError: the same error, if there is no retry.
        """
        if error.type in {"rate_limit", "overloaded"}:
            retry_after_s = error.retry_after_s if error.transient else None
            # A wait that no retry accepts must not pause the other calls either.
            too_long = retry_after_s is not None and retry_after_s > LONGEST_WAIT_S
            route.limits.model.pushed_back(started, None if too_long else retry_after_s)
        pause = route.retry.pause(error, attempt)
        late = clock.session_end is not None and monotonic() + (pause or 0) > clock.session_end
        if pause is None or late:
            route.breaker.failed(error)
            raise error
        return pause


async def _result_of(
    task: "asyncio.Task[Response]", route: Route, timeout_s: float, limit: str
) -> Response:
    """Wait for a provider's call.

    Raises:
        AnswerError: it timed out, or cancelled itself.
        TypeError: it returned no response.
    """
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_S)
        task.add_done_callback(_retrieve_error)
        raise AnswerError("timeout", f"{route.model.id!r} gave no answer within {limit}")
    if task.cancelled():
        raise AnswerError("internal", f"{route.model.id!r} cancelled its own call")
    response = task.result()
    if not isinstance(response, Response):
        raise TypeError(f"it returned {type(response).__name__}, expected a Response")
    return response


class _NoLimit:
    """A slot that is always free."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


_NO_LIMIT = _NoLimit()


def _abandon(task: "asyncio.Task[Response]") -> None:
    """Cancel a call for which no one waits."""
    task.cancel()
    task.add_done_callback(_retrieve_error)


def _retrieve_error(task: "asyncio.Task[Response]") -> None:
    """Retrieve the exception of an abandoned call, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


def provider_error(route: Route, error: Exception) -> AnswerError:
    """Make the error of a provider that raised something other than an `AnswerError`."""
    return AnswerError(
        "internal",
        f"provider {route.model.provider!r} failed: {type(error).__name__}: {error}",
        detail=user_traceback(error),
    )


def _expected_tokens(request: Request) -> float:
    """Estimate the tokens of a call: four characters a token, and half of the output limit."""
    prompt = sum(len(message.text) for message in request.messages) / 4
    limit = request.params.get("max_tokens") or request.params.get("max_completion_tokens") or 0
    return prompt + (limit / 2 if isinstance(limit, int | float) else 0)


def _apply_rate_limit(limiter: Limiter, state: Any) -> None:
    """Pause where the server reports that nothing is left until a later moment."""
    if not isinstance(state, dict):
        return
    for unit in ("requests", "tokens"):
        remaining, reset = state.get(f"remaining_{unit}"), state.get(f"reset_{unit}_s")
        if remaining == 0 and isinstance(reset, int | float) and 0 < reset <= 120:
            limiter.pause(float(reset))
