"""The calls that an application under test makes itself: stored, limited and counted one by one.

Every HTTP call of the user's code to a model API goes through `RecordedCalls.ask`. It uses the same
`ModelCaller` as all other calls, so each is stored under a Key, limited, counted and priced. This
module does not know how the calls are intercepted.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar

from pytest_evals.engine.budget import Breaker
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import Line, ModelCaller
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Exchange, Request, Response, Span, Usage
from pytest_evals.ground.canonical import Frozen, Json, digest
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model, Price
from pytest_evals.providers.error_mapping import map_error
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.http_calls import (
    MOST_KEPT_BYTES,
    HttpAnswer,
    HttpCall,
    kept,
    read,
    replayed,
)
from pytest_evals.providers.loopback import Loopback
from pytest_evals.providers.recording import KNOWN_ENV, RecordOptions, Send

REFUSED = 400
"""The status an application gets for a call that is not made: no SDK tries again after it."""
ROLE = "call:"
"""How the role of such a call begins in the store; its number in the trial follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecordingDeps:
    """What the calls of one model need of the session."""

    caller: ModelCaller
    limiter: Callable[[str], Limiter]
    """The limit of the server at an address."""
    prices: Mapping[str, Price]
    """What the dataset's models cost, by the names their servers know them by."""
    loopback: Loopback
    """The server that leads the calls of programs here."""
    timeout_s: float
    """Seconds one call may take, unless the application's own limit is shorter."""


@dataclass(eq=False)
class RecordedCalls:
    """The calls of one run of the user's code: a `CallLog`."""

    desk: CallRecordingDeps
    model: Model
    options: RecordOptions
    request: Request
    refused: AnswerError | None = None
    """Why a call was not made; the trial has no answer then, whatever the code makes of it."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _began: float = field(default_factory=monotonic)
    _given: dict[str, set[int]] = field(default_factory=dict)
    """How often each question was asked here: the n-th time has an answer of its own."""
    _made: int = 0
    _counts: dict[str, int] = field(default_factory=lambda: {"asked": 0, "stored": 0})
    _spans: list[Span] = field(default_factory=list)
    _usage: Usage = field(default_factory=Usage)
    _costs: list[float | None] = field(default_factory=list)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    _token: str | None = None
    _closed: bool = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The engine's event loop."""
        return self._loop

    def wants(self, method: str, url: str) -> bool:
        """Whether a call is recorded."""
        return self.options.wants(method, url) and not self.desk.loopback.owns(url)

    async def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the variables that lead a program here, which would have this environment."""
        loopback = self.desk.loopback
        await loopback.serve()
        if self._token is None:
            known = {name: environ.get(name) or url for name, url in KNOWN_ENV.items()}
            self._token = loopback.open(self, {**known, **self.options.env})
        return loopback.environ(self._token, environ)

    async def ask(self, call: HttpCall, send: Send) -> HttpAnswer:
        """Return the stored answer to a call; else send it and store what comes back.

        Raises:
            Exception: what `send` raised.
        """
        if self._closed:
            return await self._ask_late(send)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await self._ask(call, send)
        finally:
            self._tasks.discard(task)

    async def _ask_late(self, send: Send) -> HttpAnswer:
        """Answer a call that is made after its trial has ended: it is nobody's."""
        if self.desk.caller.mode == "replay":
            return refusal("this call came after its trial had ended")
        self.desk.caller.note(
            f"{self.model.id!r} made calls after their trial had ended; they were not stored"
        )
        return await send()

    async def _ask(self, call: HttpCall, send: Send) -> HttpAnswer:
        """Ask, and take note of what became of it."""
        if self.refused is not None:
            return refusal(self.refused.message)
        identity = call.identity()
        given = self._given.setdefault(digest(identity), set())
        again = next(n for n in range(len(given) + 1) if n not in given)
        given.add(again)
        number, began = self._made, monotonic()
        self._made += 1
        wire = _Wire(call, {**identity, "again": again, "turn": self.request.turn}, send)
        exchange: Exchange | None = None
        try:
            role = f"{ROLE}{number:03}"
            while exchange is None or wire.failed_elsewhere(exchange):
                exchange = await self.desk.caller.call(
                    self._line(wire), self._asked(), self._clock(), role=role
                )
            return self._answer(exchange, wire, number)
        finally:
            if exchange is None or exchange.response is None:
                given.discard(again)
            self._note(number, wire, exchange, began)

    def _line(self, wire: "_Wire") -> Line:
        """Make the way of one call: no second attempt, as the application's SDK makes its own."""
        named = wire.call.model()
        price = self.desk.prices.get(named or "", self.model.price)
        model = Model(id=self.model.id, provider="http call", model=named, price=price)
        return Line(
            model=model,
            provider=wire,
            limiter=self.desk.limiter(wire.call.place()),
            breaker=Breaker(self.model.id, most=2),
            policy=RetryPolicy(0),
            attempt_timeout_s=self.desk.timeout_s,
            within=True,
        )

    def _asked(self) -> Request:
        """Return whose question a call is."""
        return self.request.model_copy(update={"messages": (), "input": None, "params": {}})

    def _clock(self) -> TrialClock:
        """Give a call the time that the code has."""
        return TrialClock(self.request.timeout_s or self.desk.timeout_s)

    def _answer(self, exchange: Exchange, wire: "_Wire", number: int) -> HttpAnswer:
        """Return what the application gets.

        Raises:
            Exception: what sending the call raised.
        """
        if exchange.response is not None:
            if wire.raw is not None and exchange.response.data == wire.data:
                return wire.raw
            return replayed(exchange.response)
        if wire.raised is not None:
            raise wire.raised
        if wire.raw is not None:
            return wire.raw
        error = exchange.error
        assert error is not None
        place = f"call {number + 1} of the code, {wire.call.method} {wire.call.place()}"
        message = error.message.removeprefix("STALE: ")
        told = f"{'STALE: ' if error.type == 'stale' else ''}{place}: {message}"
        if self.refused is None:
            self.refused = AnswerError(error.type, told, transient=False)
        return refusal(told)

    def _note(self, number: int, wire: "_Wire", exchange: Exchange | None, began: float) -> None:
        """Make the span of a call, and count it."""
        response = None if exchange is None else exchange.response
        stored = exchange is not None and response is not None and exchange.source != "asked"
        attributes: dict[str, Any] = {
            "model": wire.call.model(),
            "url": wire.call.place(),
            "answer": "stored" if stored else "asked" if response is not None else "none",
        }
        if response is not None and exchange is not None:
            self._counts["stored" if stored else "asked"] += 1
            self._usage = self._usage + response.usage
            self._costs.append(exchange.cost_usd)
            attributes["input_tokens"] = response.usage.input_tokens
            attributes["output_tokens"] = response.usage.output_tokens
            attributes["cost_usd"] = exchange.cost_usd
        if wire.raw is not None:
            attributes["status"] = wire.raw.status
            if response is None and wire.raw.status < 300:
                self._unkept(wire, wire.raw, exchange)
        error = None if exchange is None or exchange.error is None else exchange.error.message
        if exchange is None:
            error = "the code did not wait for the answer"
        self._spans.append(
            Span(
                id=f"call-{number + 1}",
                name=str(wire.call.model() or wire.call.method),
                kind="llm_call",
                start_s=began - self._began,
                end_s=monotonic() - self._began,
                error=error,
                attributes={name: value for name, value in attributes.items() if value is not None},
            )
        )

    def _unkept(self, wire: "_Wire", raw: HttpAnswer, exchange: Exchange | None) -> None:
        """Count an answer that was paid for and is not stored, and let the user know."""
        usage = Usage() if raw.unkept else read(raw).usage
        price = self.desk.prices.get(wire.call.model() or "", self.model.price)
        cost_usd = usage.cost(price)
        caller = self.desk.caller
        caller.budget.add(cost_usd, usage.total_tokens, model_id=self.model.id)
        if exchange is not None and exchange.error is not None:
            caller.note(f"{self.model.id!r}: {exchange.error.message}")

    def told(self, response: Response) -> Response:
        """Add to the code's answer what its calls took, where it does not say so itself."""
        update: dict[str, Any] = {}
        if not any(span.kind == "llm_call" for span in response.trace):
            update["trace"] = (*response.trace, *self._spans)  # else it tells of them itself
        made = sum(self._counts.values())
        if made:
            update["metadata"] = {**response.metadata, "recorded_calls": dict(self._counts)}
            known = [cost for cost in self._costs if cost is not None]
            if response.cost_usd is None:
                update["cost_usd"] = sum(known) if len(known) == made else None
            if response.usage.total_tokens is None:
                update["usage"] = self._usage
        else:
            usage, cost_usd = response.usage, response.cost_usd
            cost_usd = usage.cost(self.model.price) if cost_usd is None else cost_usd
            self.desk.caller.budget.add(cost_usd, usage.total_tokens, model_id=self.model.id)
        return response.model_copy(update=update)

    def close(self) -> None:
        """Let no call be recorded any more, and give up those under way."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._token is not None:
            self.desk.loopback.shut(self._token)


@dataclass(eq=False, slots=True)
class _Wire:
    """One call as a `Provider`: what the `ModelCaller` asks."""

    call: HttpCall
    asked: dict[str, Json]
    send: Send
    raw: HttpAnswer | None = None
    """What came back."""
    data: Json = None
    """The form of it that is stored."""
    raised: Exception | None = None
    sent: bool = False

    name: ClassVar[str] = "http call"
    Options: ClassVar[type[Frozen]] = Frozen
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def failed_elsewhere(self, exchange: Exchange) -> bool:
        """Whether another trial asked the same at the same time and failed: no reason not to."""
        error = exchange.error
        return error is not None and not self.sent and error.type not in _OURS

    def identity(self, request: Request) -> Json:
        """Return what can change the answer."""
        return self.asked

    async def complete(self, request: Request) -> Response:
        """Send it.

        Raises:
            AnswerError: nothing came back, or what is no answer that may be stored.
        """
        self.sent = True
        try:
            self.raw = answer = await self.send()
        except Exception as error:
            self.raised = error
            raise AnswerError("connection", f"{type(error).__name__}: {error}") from error
        asked = f"{self.call.method} {self.call.place()}"
        if answer.status >= 300:
            raise map_error(answer.status, Headers(answer.headers), answer.body, endpoint=asked)
        if answer.unkept is not None:
            raise AnswerError("malformed", f"{asked}: {answer.unkept}, so it is not stored")
        if len(answer.body) > MOST_KEPT_BYTES:
            raise AnswerError("malformed", f"{asked} is too large to be stored")
        found = read(answer)
        if found.fault is not None:
            raise AnswerError("malformed", f"{asked} is not stored: {found.fault}")
        response = kept(answer, self.call)
        self.data = response.data
        return response

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """The application has its own key."""
        return ()

    def host(self) -> str | None:
        """Its limit is the line's own."""
        return None

    def prepare(self) -> None:
        """Nothing is to be checked."""

    async def aclose(self) -> None:
        """Nothing is held."""


_OURS: frozenset[str] = frozenset({"stale", "not_run"})
"""Why a call is not made at all."""


def refusal(message: str) -> HttpAnswer:
    """Make the answer to a call that is not made; SDKs raise it and do not try again."""
    import json

    body = {"error": {"type": "pytest_evals", "message": message}}
    headers = (("content-type", "application/json"), ("x-should-retry", "false"))
    return HttpAnswer(REFUSED, headers, json.dumps(body).encode())
