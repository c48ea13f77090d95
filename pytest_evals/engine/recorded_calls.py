"""RecordedCalls: the HTTP calls of one run of user code, each stored, limited and counted.

Each call to a model API goes through the same `ModelCaller` as all other calls, so it has a cache
key and a price. This module does not know how the calls are intercepted.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar

from pytest_evals.engine.budget import Breaker
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.route import ModelRoute, RouteLimits
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Exchange, Request, Response, Span, Usage
from pytest_evals.ground.canonical import Frozen, Json, digest
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model, Price
from pytest_evals.providers.error_mapping import map_error
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.http_calls import (
    MAX_STORED_BYTES,
    HttpAnswer,
    HttpCall,
    read_answer,
    replay_answer,
    stored_response,
)
from pytest_evals.providers.loopback import Loopback
from pytest_evals.providers.recorded_tools import recorded_tool_calls
from pytest_evals.providers.recording import KNOWN_ENV, RecordOptions, Send

REFUSED = 400
"""The status of the answer to a refused call: SDKs do not retry it."""
ROLE = "call:"
"""The prefix of such a call's role in the store; its number in the trial follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingDeps:
    """What the recorded calls of one model need from the session."""

    caller: ModelCaller
    limiter: Callable[[str], Limiter]
    """Returns the limit of the server at an address."""
    prices: Mapping[str, Price]
    """Prices of the dataset's models, by the names their servers use."""
    loopback: Loopback
    """The server to which the calls of programs are redirected."""
    timeout_s: float
    """Seconds one call may take, unless the application's own limit is shorter."""


@dataclass(eq=False)
class RecordedCalls:
    """The calls of one run of the user's code: a `CallLog`."""

    deps: RecordingDeps
    model: Model
    options: RecordOptions
    request: Request
    refused: AnswerError | None = None
    """Why a call was refused; the trial has this error, whatever the code does about it."""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _began: float = field(default_factory=monotonic)
    _repetitions: dict[str, set[int]] = field(default_factory=dict)
    """The repetitions in use of each call; the n-th equal call has a stored answer of its own."""
    _number: int = 0
    """How many calls were begun."""
    _counts: dict[str, int] = field(default_factory=lambda: {"asked": 0, "stored": 0})
    _spans: list[Span] = field(default_factory=list)
    _bodies: dict[int, tuple[str, Json, Json]] = field(default_factory=dict)
    """Address, request and stored answer of each call by its number."""
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
        return self.options.wants(method, url) and not self.deps.loopback.owns(url)

    def miss(self, method: str, url: str, client: str) -> None:
        """Note a call of a client that is not recorded; refuse it in a replay.

        Raises:
            ConnectionRefusedError: in a replay.
        """
        address, caller = HttpCall(method, url, {}).public_url(), self.deps.caller
        problem = (
            f"{method} {address} by {client} is not recorded, as `record_http` records httpx; "
            "redirect this client with `record_env`"
        )
        if not caller.answers.replays:
            caller.notes.add(f"{self.model.id!r}: {problem}, or it is sent in each run and replay")
            return
        if self.refused is None:
            self.refused = AnswerError("stale", f"STALE: {problem}", transient=False)
        raise ConnectionRefusedError(f"{problem}; it was not made in this replay")

    async def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return a program's environment with its API addresses redirected to the loopback."""
        loopback = self.deps.loopback
        await loopback.serve()
        if self._token is None:
            defaults = {name: environ.get(name) or url for name, url in KNOWN_ENV.items()}
            self._token = loopback.open(self, {**defaults, **self.options.env})
        return loopback.environ(self._token, environ)

    async def ask(self, call: HttpCall, send: Send) -> HttpAnswer:
        """Return the stored answer to a call; else send it and store the answer.

        Raises:
            Exception: what `send` raised.
        """
        if self._closed:
            return await self._answer_late_call(send)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await self._answer_call(call, send)
        finally:
            self._tasks.discard(task)

    async def _answer_late_call(self, send: Send) -> HttpAnswer:
        """Answer a call made after its trial has ended: it belongs to no trial."""
        if self.deps.caller.answers.replays:
            return refusal("this call came after its trial had ended")
        self.deps.caller.notes.add(
            f"{self.model.id!r} made calls after their trial had ended; they were not stored"
        )
        return await send()

    async def _answer_call(self, call: HttpCall, send: Send) -> HttpAnswer:
        """Answer a call, and record its span."""
        if self.refused is not None:
            return refusal(self.refused.message)
        identity = call.identity()
        used = self._repetitions.setdefault(digest(identity), set())
        again = next(n for n in range(len(used) + 1) if n not in used)
        used.add(again)
        number, began = self._number, monotonic()
        self._number += 1
        content = {**identity, "again": again, "turn": self.request.turn}
        provider = _HttpCallProvider(call, content, send)
        route, exchange = self._route(provider), None
        request = self.request.model_copy(update={"messages": (), "input": None, "params": {}})
        try:
            role = f"{ROLE}{number:03}"
            while exchange is None or provider.failed_elsewhere(exchange):
                clock = TrialClock(self.request.timeout_s or self.deps.timeout_s)
                exchange = await self.deps.caller.call(route, request, clock, role=role)
            return self._http_answer(exchange, provider, number)
        finally:
            if exchange is None or exchange.response is None:
                used.discard(again)
            self._record(number, provider, exchange, began)

    def _route(self, provider: "_HttpCallProvider") -> ModelRoute:
        """Make the route of one call: without retries, as the application's SDK makes them."""
        name = provider.call.model()
        price = self.deps.prices.get(name or "", self.model.price)
        limiter = self.deps.limiter(provider.call.public_url())
        return ModelRoute(
            model=Model(id=self.model.id, provider="http call", model=name, price=price),
            provider=provider,
            limits=RouteLimits(model=limiter, holds_session_slot=True),
            breaker=Breaker(self.model.id, max_failures=2),
            retry=RetryPolicy(0),
            attempt_timeout_s=self.deps.timeout_s,
        )

    def _http_answer(
        self, exchange: Exchange, provider: "_HttpCallProvider", number: int
    ) -> HttpAnswer:
        """Return what the application receives.

        Raises:
            Exception: what sending the call raised.
        """
        if exchange.response is not None:
            if provider.answer is not None and exchange.response.data == provider.stored_data:
                return provider.answer
            return replay_answer(exchange.response)
        if provider.raised is not None:
            raise provider.raised
        if provider.answer is not None:
            return provider.answer
        error = exchange.error
        assert error is not None
        call = provider.call
        message = error.message.removeprefix("STALE: ")
        stale = "STALE: " if error.type == "stale" else ""
        message = (
            f"{stale}call {number + 1} of the code, {call.method} {call.public_url()}: {message}"
        )
        if self.refused is None:
            self.refused = AnswerError(error.type, message, transient=False)
        return refusal(message)

    def _record(
        self,
        number: int,
        provider: "_HttpCallProvider",
        exchange: Exchange | None,
        began: float,
    ) -> None:
        """Add the span of a call, its usage and its cost."""
        call, answer = provider.call, provider.answer
        response = None if exchange is None else exchange.response
        stored = exchange is not None and response is not None and exchange.source != "asked"
        attributes: dict[str, Any] = {
            "model": call.model(),
            "url": call.public_url(),
            "answer": "stored" if stored else "asked" if response is not None else "none",
        }
        if response is not None and exchange is not None:
            self._counts["stored" if stored else "asked"] += 1
            self._bodies[number] = (call.public_url(), call.content(), response.data)
            self._usage = self._usage + response.usage
            self._costs.append(exchange.cost_usd)
            attributes["input_tokens"] = response.usage.input_tokens
            attributes["output_tokens"] = response.usage.output_tokens
            attributes["cost_usd"] = exchange.cost_usd
        if answer is not None:
            attributes["status"] = answer.status
            if response is None and answer.status < 300:
                self._count_unstored(call, answer, exchange)
        error = None if exchange is None or exchange.error is None else exchange.error.message
        if exchange is None:
            error = "the code did not wait for the answer"
        self._spans.append(
            Span(
                id=f"call-{number + 1}",
                name=str(call.model() or call.method),
                kind="llm_call",
                start_s=began - self._began,
                end_s=monotonic() - self._began,
                error=error,
                attributes={name: value for name, value in attributes.items() if value is not None},
            )
        )

    def _count_unstored(
        self, call: HttpCall, answer: HttpAnswer, exchange: Exchange | None
    ) -> None:
        """Count an answer that was paid for and could not be stored, and add a note."""
        usage = Usage() if answer.not_stored else read_answer(answer).usage
        cost_usd = usage.cost(self.deps.prices.get(call.model() or "", self.model.price))
        caller = self.deps.caller
        caller.attempts.budget.add(cost_usd, usage.total_tokens, model_id=self.model.id)
        if exchange is not None and exchange.error is not None:
            caller.notes.add(f"{self.model.id!r}: {exchange.error.message}")

    def complete_response(self, response: Response) -> Response:
        """Add what the calls show, unless the code reports it: usage, cost, spans, tool calls."""
        update: dict[str, Any] = {}
        if not response.tool_calls:
            tools = recorded_tool_calls(self._bodies[n] for n in sorted(self._bodies))
            if tools or (tools is not None and not response.tool_calls_known):
                update |= {"tool_calls": tools, "tool_calls_known": True}
        if not any(span.kind == "llm_call" for span in response.trace):
            update["trace"] = (*response.trace, *self._spans)
        made = sum(self._counts.values())
        if made:
            update["metadata"] = {**response.metadata, "recorded_calls": dict(self._counts)}
            costs = [cost for cost in self._costs if cost is not None]
            if response.cost_usd is None:
                update["cost_usd"] = sum(costs) if len(costs) == made else None
            if response.usage.total_tokens is None:
                update["usage"] = self._usage
        else:
            usage, cost_usd = response.usage, response.cost_usd
            cost_usd = usage.cost(self.model.price) if cost_usd is None else cost_usd
            budget = self.deps.caller.attempts.budget
            budget.add(cost_usd, usage.total_tokens, model_id=self.model.id)
        return response.model_copy(update=update)

    def close(self) -> None:
        """Record no further call, and cancel those under way."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._token is not None:
            self.deps.loopback.shut(self._token)


@dataclass(eq=False, slots=True)
class _HttpCallProvider:
    """One HTTP call as a `Provider`, so that `ModelCaller` can make it."""

    call: HttpCall
    content: dict[str, Json]
    """Everything that can change the answer."""
    send: Send
    answer: HttpAnswer | None = None
    """What the server answered."""
    stored_data: Json = None
    """The form of the answer that is stored."""
    raised: Exception | None = None
    sent: bool = False

    name: ClassVar[str] = "http call"
    Options: ClassVar[type[Frozen]] = Frozen
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def failed_elsewhere(self, exchange: Exchange) -> bool:
        """Whether an equal call of another trial failed: this one may still succeed."""
        error = exchange.error
        return error is not None and not self.sent and error.type not in _NEVER_SENT

    def identity(self, request: Request) -> Json:
        """Return everything that can change the answer."""
        return self.content

    async def complete(self, request: Request) -> Response:
        """Send the call.

        Raises:
            AnswerError: there is no answer, or none that may be stored.
        """
        self.sent = True
        try:
            self.answer = answer = await self.send()
        except Exception as error:
            self.raised = error
            raise AnswerError("connection", f"{type(error).__name__}: {error}") from error
        sent = f"{self.call.method} {self.call.public_url()}"
        if answer.status >= 300:
            raise map_error(answer.status, Headers(answer.headers), answer.body, endpoint=sent)
        if answer.not_stored is not None:
            raise AnswerError("malformed", f"{sent}: {answer.not_stored}, so it is not stored")
        if len(answer.body) > MAX_STORED_BYTES:
            raise AnswerError("malformed", f"{sent} is too large to be stored")
        content = read_answer(answer)
        if content.fault is not None:
            raise AnswerError("malformed", f"{sent} is not stored: {content.fault}")
        response = stored_response(answer, self.call)
        self.stored_data = response.data
        return response

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """Return nothing: the application has its own key."""
        return ()

    def host(self) -> str | None:
        """Return nothing: the route has the server's limit."""
        return None

    def prepare(self) -> None:
        """Do nothing: there is nothing to check."""

    async def aclose(self) -> None:
        """Do nothing: the application owns the connection."""


_NEVER_SENT: frozenset[str] = frozenset({"stale", "not_run"})
"""Errors of calls that are never sent."""


def refusal(message: str) -> HttpAnswer:
    """Make the answer to a refused call; SDKs raise it and do not retry."""
    import json

    body = {"error": {"type": "pytest_evals", "message": message}}
    headers = (("content-type", "application/json"), ("x-should-retry", "false"))
    return HttpAnswer(REFUSED, headers, json.dumps(body).encode())
