"""ModelCaller: the one path of every model call, with stored answers, limits, retries and budget.

Models under test and judges are both called through `ModelCaller.call`, so every call is stored,
limited, counted and priced in the same way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pytest_evals.engine.budget import Breaker, Budget
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.retry import LONGEST_WAIT_S, RetryPolicy
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.engine.worker_share import Turns, at_each
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response
from pytest_evals.ground.canonical import Json, digest
from pytest_evals.ground.errors import AnswerError, StoreError
from pytest_evals.ground.user_code import user_traceback
from pytest_evals.model import Model
from pytest_evals.providers.base import Provider
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.responses.stale import explain

GRACE_S = 1.0
"""Seconds a cancelled call has to let go before it is left behind."""
_OVER = "the session's time (--evals-timeout) is up"


@dataclass(slots=True)
class Line:
    """The way to one model: its provider, its limits and its breaker."""

    model: Model
    provider: Provider
    limiter: Limiter
    breaker: Breaker
    policy: RetryPolicy
    attempt_timeout_s: float
    host: Limiter | None = None
    """Shared by the models on one server."""
    turns: tuple[Turns, ...] = ()
    """Limits that are smaller than the number of this session's engines."""
    chain: str | None = None
    """Where answers are only good for finishing an interrupted run (or for a replay): that run's
    mark."""
    code: Provider | None = None
    """What runs the user's code, where it runs each time, also in a replay, and the calls that it
    makes are stored and counted in its place."""
    priced: bool = False
    """Whether such calls have prices of their own."""
    within: bool = False
    """Whether this is such a call: who asks it holds a place in the session already."""


@dataclass(slots=True)
class ModelCaller:
    """Asks models.

    Counters are for the live line; only the event loop's thread changes them.
    """

    everything: Limiter
    """The session's own limit."""
    budget: Budget
    store: ResponseStore | None
    mode: str
    """auto, replay, refresh or off."""
    keep: Callable[[StoredAnswer], Awaitable[None]]
    """Puts an answer into the store, off the event loop, and waits until it is there."""
    redact: Callable[[Response], Response]
    """Takes secrets out of an answer before it is kept."""
    in_flight: int = 0
    asked: int = 0
    reused: int = 0
    retried: int = 0
    notes: list[str] = field(default_factory=list)
    """What the user must know: a store that failed."""
    refusal: str | None = None
    """Why nothing at all may be asked; the first trial is told so, the others were not run."""
    _told: bool = False
    _flying: dict[str, "asyncio.Future[Exchange]"] = field(default_factory=dict)
    _refreshed: set[str] = field(default_factory=set)
    """What ``refresh`` has asked and kept in this session: it is not asked a second time."""

    async def call(
        self, line: Line, request: Request, clock: TrialClock, *, role: str = "answer"
    ) -> Exchange:
        """Ask one question; the answer, or why there is none, is in the exchange."""
        if self.refusal is not None:
            return _failed(line, request, role, "", self._refused(self.refusal), ())
        if line.provider.recorded:
            return await self._play(line, request, role)
        try:
            identity = line.provider.identity(request)
            key = _key(line, identity, request.sample, role)
        except AnswerError as error:
            return _failed(line, request, role, "", error, ())
        except Exception as error:  # noqa: BLE001 - a provider may be a plugin's: it is named
            return _failed(line, request, role, "", _broken(line, error), ())
        while (flying := self._flying.get(key)) is not None:
            shared = await _shared(flying)
            if shared is not None:
                self.reused += shared.response is not None
                return shared.model_copy(
                    update={"request": request, "role": role, "source": "stored", "attempts": ()}
                )
        future = self._flying[key] = asyncio.get_running_loop().create_future()
        try:
            exchange = await self._ask_once(line, request, clock, _Question(key, identity, role))
            future.set_result(exchange)
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._flying[key]
        return exchange

    def _refused(self, reason: str) -> AnswerError:
        """Give the reason once as an error; after that, trials were not run."""
        if self._told:
            return AnswerError("not_run", reason)
        self._told = True
        return AnswerError("unauthorized", reason)

    async def _play(self, line: Line, request: Request, role: str) -> Exchange:
        """Take an answer that stands in the dataset: nothing is called, nothing is kept."""
        try:
            response = await line.provider.complete(request)
        except AnswerError as error:
            return _failed(line, request, role, "", error, (), source="scripted")
        return Exchange(
            request=request,
            response=response,
            role=role,
            model_id=line.model.id,
            source="scripted",
            cost_usd=_cost(response, line.model),
        )

    async def _ask_once(
        self, line: Line, request: Request, clock: TrialClock, question: "_Question"
    ) -> Exchange:
        """Look for a stored answer, else call."""
        stored = self._stored(line, question)
        if stored is not None:
            self.reused += 1
            return Exchange(
                request=request,
                response=stored.response,
                role=question.role,
                model_id=line.model.id,
                key=question.key,
                source="stored",
                cost_usd=stored.cost_usd,
            )
        attempts: list[ErrorInfo] = []
        try:
            if self.mode == "replay" and line.code is None:
                raise AnswerError("stale", self._stale(line, request, question))
            cost_usd, response = await self._attempts(line, request, clock, question, attempts)
        except AnswerError as error:
            return _failed(line, request, question.role, question.key, error, tuple(attempts))
        return Exchange(
            request=request,
            response=response,
            role=question.role,
            model_id=line.model.id,
            key=question.key,
            source="stored" if line.code and _only_stored(response) else "asked",
            cost_usd=cost_usd,
            attempts=tuple(attempts),
        )

    def _stored(self, line: Line, question: "_Question") -> StoredAnswer | None:
        """Return the stored answer that may be used."""
        if self.store is None or self.mode == "off" or line.code is not None:
            return None
        if self.mode == "refresh" and question.key not in self._refreshed:
            return None
        try:
            found = self.store.get(question.key)
        except StoreError as error:
            self.note(f"stored answers could not be read: {error}")
            return None
        vouched = line.chain is None or self.mode == "replay"
        return found if found is None or vouched or found.chain == line.chain else None

    def _stale(self, line: Line, request: Request, question: "_Question") -> str:
        """Say why nothing stored fits."""
        try:
            found = self.store and self.store.nearest(
                request.case_id, line.model.id, question.role, request.sample, request.turn
            )
        except StoreError as error:
            return f"STALE: stored answers could not be read: {error}"
        if not found:
            return (
                f"STALE: no answer of {line.model.id!r} is stored for this case and sample; "
                "record one with --evals-responses=auto"
            )
        changed = explain(found.parts, question.parts(line, request.sample))
        return (
            f"STALE: {changed} since the answer was stored; "
            "record it again with --evals-responses=auto"
        )

    async def _attempts(
        self,
        line: Line,
        request: Request,
        clock: TrialClock,
        question: "_Question",
        attempts: list[ErrorInfo],
    ) -> tuple[float | None, Response]:
        """Call until there is an answer, which is kept, or no reason to try again.

        Returns:
            The cost in USD, None where it is unknown, and the answer.
        """
        expected = _expected_tokens(request)
        while True:
            self._may_ask(line, clock)
            try:
                async with (
                    asyncio.timeout(clock.session_left()) as patience,
                    line.limiter.slot(expected),
                    line.host.slot() if line.host is not None else _NOTHING,
                    self.everything.slot() if not line.within else _NOTHING,
                    at_each(line.turns) if line.turns else _NOTHING,
                ):
                    patience.reschedule(None)
                    self._may_ask(line, clock)
                    started = monotonic()
                    # What a call teaches is heeded before its place is free for the next one.
                    try:
                        response = await self._call(line, request, clock)
                    except AnswerError as error:
                        pause = self._pause(line, error, started, len(attempts) + 1, clock)
                        attempts.append(ErrorInfo.of(error))
                    else:
                        cost_usd = self._answered(line, response, expected)
                        response = self.redact(response)
                        # While it cannot be kept, no more is asked than the limits allow.
                        await self._keep(line, request, question, response, cost_usd)
                        return cost_usd, response
            except TimeoutError:
                raise AnswerError("not_run", _OVER) from None
            self.retried += 1
            await asyncio.sleep(pause)

    def _answered(self, line: Line, response: Response, expected: float) -> float | None:
        """Count an answer; return its cost in USD."""
        tokens, cost_usd = response.usage.total_tokens, _cost(response, line.model)
        line.breaker.succeeded()
        line.limiter.succeeded(tokens, expected)
        _heed(line.limiter, response.metadata.get("rate_limit"))
        if line.code is None:
            self.budget.add(cost_usd, tokens, model_id=line.model.id)
        return cost_usd

    def _may_ask(self, line: Line, clock: TrialClock) -> None:
        """Refuse a call for which there is no money, no time or no hope.

        Raises:
            AnswerError: of type ``not_run`` or ``deadline``.
        """
        self.budget.check()
        line.breaker.check()
        if clock.session_over():
            raise AnswerError("not_run", _OVER)
        if clock.remaining() <= 0:
            late = AnswerError(
                "deadline", f"the trial used up its {clock.limit_s:g} s (evals_trial_timeout)"
            )
            line.breaker.failed(late)
            raise late

    def _pause(
        self, line: Line, error: AnswerError, started: float, attempt: int, clock: TrialClock
    ) -> float:
        """Return the seconds to wait before the next attempt, or raise the error for good."""
        if error.type in {"rate_limit", "overloaded"}:
            asked_for = error.retry_after_s if error.transient else None
            # A wish that no call will wait for must not hold up the others either.
            too_long = asked_for is not None and asked_for > LONGEST_WAIT_S
            line.limiter.pushed_back(started, None if too_long else asked_for)
        pause = line.policy.pause(error, attempt)
        late = clock.session_end is not None and monotonic() + (pause or 0) > clock.session_end
        if pause is None or late:
            line.breaker.failed(error)
            raise error
        return pause

    async def _call(self, line: Line, request: Request, clock: TrialClock) -> Response:
        """Call once, within the time there is."""
        limit = min(line.model.timeout_s or line.attempt_timeout_s, max(clock.remaining(), 0.001))
        asked = request.model_copy(update={"timeout_s": limit})
        began = monotonic()
        self.in_flight += 1
        self.asked += 1
        task = asyncio.ensure_future(line.provider.complete(asked))
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
            if not done:
                task.cancel()
                await asyncio.wait({task}, timeout=GRACE_S)
                task.add_done_callback(_forget)
                raise AnswerError(
                    "timeout", f"{line.model.id!r} gave no answer within {limit:.3g} s"
                )
            if task.cancelled():
                raise AnswerError("internal", f"{line.model.id!r} cancelled its own call")
            response = task.result()
            if not isinstance(response, Response):
                found = type(response).__name__
                raise TypeError(f"it returned {found}, expected a Response")
        except asyncio.CancelledError:
            task.cancel()
            task.add_done_callback(_forget)
            raise
        except (AnswerError, MemoryError):
            raise
        except Exception as error:
            raise _broken(line, error) from error
        finally:
            self.in_flight -= 1
            clock.used_s += monotonic() - began
        if response.latency_s is None:
            response = response.model_copy(update={"latency_s": monotonic() - began})
        return response

    async def _keep(
        self,
        line: Line,
        request: Request,
        question: "_Question",
        response: Response,
        cost_usd: float | None,
    ) -> None:
        """Store an answer before anybody uses it."""
        if self.store is None or self.mode == "off" or line.code is not None:
            return
        answer = StoredAnswer(
            key=question.key,
            case=request.case_id,
            model=line.model.id,
            role=question.role,
            sample=request.sample,
            turn=request.turn,
            parts=question.parts(line, request.sample),
            response=response,
            cost_usd=cost_usd,
            chain=line.chain or "",
        )
        try:
            await self.keep(answer)
        except StoreError as error:
            self.note(f"answers are not being stored: {error}")
            return
        if self.mode == "refresh":
            self._refreshed.add(question.key)

    def note(self, text: str) -> None:
        """Keep a note once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True)
class _Question:
    """What identifies a question."""

    key: str
    identity: Json
    role: str

    def parts(self, line: Line, sample: int) -> dict[str, str]:
        """Return the digests of the parts of the Key, to say later what changed."""
        parts = {"provider": line.model.provider, "sample": str(sample)}
        if line.model.version is not None:
            parts["version"] = line.model.version
        for name, value in self.identity.items() if isinstance(self.identity, dict) else ():
            if name == "body" and isinstance(value, dict):
                parts.update({inner: digest(item, length=12) for inner, item in value.items()})
            else:
                parts[name] = digest(value, length=12)
        return parts


class _Nothing:
    """A limit that limits nothing."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


_NOTHING = _Nothing()


def _key(line: Line, identity: Json, sample: int, role: str) -> str:
    """Return a question's Key."""
    return digest(
        {
            "provider": line.model.provider,
            "version": line.model.version,
            "asked": identity,
            "sample": sample,
            "judge": role != "answer",
        }
    )


async def _shared(flying: "asyncio.Future[Exchange]") -> Exchange | None:
    """Wait for the same question of another trial; None where that trial gave up, not the model."""
    await asyncio.wait({flying})
    if flying.cancelled():
        return None
    exchange = flying.result()
    gave_up = exchange.error is not None and exchange.error.type == "deadline"
    return None if gave_up else exchange


def _forget(task: "asyncio.Task[Response]") -> None:
    """Take note of a call that nobody waits for any more, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()


def _broken(line: Line, error: Exception) -> AnswerError:
    """Make the error of a provider that raises what it should not."""
    return AnswerError(
        "internal",
        f"provider {line.model.provider!r} failed: {type(error).__name__}: {error}",
        detail=user_traceback(error),
    )


def _failed(
    line: Line,
    request: Request,
    role: str,
    key: str,
    error: AnswerError,
    attempts: tuple[ErrorInfo, ...],
    *,
    source: str = "asked",
) -> Exchange:
    """Make the exchange of a question without an answer."""
    return Exchange(
        request=request,
        error=ErrorInfo.of(error),
        role=role,
        model_id=line.model.id,
        key=key,
        source=source,
        attempts=attempts,
    )


def _only_stored(response: Response) -> bool:
    """Whether code ran and every call it made was answered from the store."""
    calls = response.metadata.get("recorded_calls")
    return isinstance(calls, dict) and calls.get("asked") == 0


def _cost(response: Response, model: Model) -> float | None:
    """Return USD: what the answerer says, else what the price says, else unknown."""
    return response.usage.cost(model.price) if response.cost_usd is None else response.cost_usd


def _expected_tokens(request: Request) -> float:
    """Guess what a call will use: four characters a token, and half of what it may write."""
    written = sum(len(message.text) for message in request.messages) / 4
    most = request.params.get("max_tokens") or request.params.get("max_completion_tokens") or 0
    return written + (most / 2 if isinstance(most, int | float) else 0)


def _heed(limiter: Limiter, state: Any) -> None:
    """Wait when the server says that nothing is left until a later moment."""
    if not isinstance(state, dict):
        return
    for kind in ("requests", "tokens"):
        left, reset = state.get(f"remaining_{kind}"), state.get(f"reset_{kind}_s")
        if left == 0 and isinstance(reset, int | float) and 0 < reset <= 120:
            limiter.pause(float(reset))
