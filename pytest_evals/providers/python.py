"""python: a callable of the user's application."""

import asyncio
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.user_code import UserCodeError, load_callable, split_target, user_traceback
from pytest_evals.ground.user_loop import Turns
from pytest_evals.ground.user_process import Job, ProcessError, ProcessPool
from pytest_evals.model import Model
from pytest_evals.providers.base import CONTEXT, ProviderContext
from pytest_evals.providers.otel import Recording, ready, recording
from pytest_evals.providers.parsing import quote, response_of, to_json
from pytest_evals.providers.recording import RecordEnv, RecordHttp
from pytest_evals.providers.target import Target
from pytest_evals.providers.user_call import UserCall
from pytest_evals.trace.attach import attach_trace
from pytest_evals.trace.converted import Converted
from pytest_evals.trace.text import lines

SPANS_SHOWN = 30
"""Maximum number of spans in the detail of an error."""

_OTHER_LOOP = (
    "bound to a different event loop",
    "attached to a different loop",
    "belongs to a different loop",
    "loop is closed",
    "event loop is already running",
)
"""Words of asyncio's errors for an object that is used on another event loop than its own, and for
a loop that two threads run."""


@dataclass(frozen=True, slots=True)
class TargetContext:
    """Further information for a callable that takes a context besides its input."""

    messages: list[dict[str, Any]]
    """The thread so far, rendered from the prompt if there is one: role and content."""
    case_id: str
    """The id of the case; for logs, not for answers."""
    model: Model
    """The model of the dataset."""
    params: dict[str, Any]
    """The model's parameters."""
    variables: dict[str, Any]
    """The case's variables."""
    tools: list[dict[str, Any]]
    """Tool definitions: name, description, parameters."""
    sample: int
    """The number of the sample, from 0."""
    turn: int
    """The index of the user message in the conversation, from 0."""
    turns: int
    """The number of user messages in the conversation."""
    timeout_s: float | None
    """Seconds this call may take."""


class PythonOptions(Frozen):
    """Options of the `python` provider."""

    target: str
    """``package.module:callable`` or ``path/to/file.py:callable``, searched for in the rootdir,
    then beside the dataset."""
    trace: bool = True
    """Whether to keep the OpenTelemetry spans of the callable with its response. It needs
    opentelemetry-sdk."""
    record_http: RecordHttp = False
    """Whether to record its calls to model APIs through httpx (which the SDKs of OpenAI and
    Anthropic use) and replay them later; or a list of address prefixes whose calls are recorded.
    The code itself then runs each time, also in a replay."""
    record_env: RecordEnv = Field(default_factory=dict)
    """For other HTTP clients than httpx: environment variables from which it reads the address of
    an API, with the real address (`{OPENAI_BASE_URL: "https://api.openai.com/v1"}`). They are
    redirected to a server on this machine that records the calls; one trial runs at a time."""
    processes: int | None = Field(default=None, ge=1, le=256)
    """Number of processes that run it; None uses threads of this process. For code that keeps a
    processor busy or must be stopped reliably: a call is killed at its timeout. Its input and its
    result must be picklable, and each process has its own module variables. At most this number of
    calls run concurrently."""

    @model_validator(mode="after")
    def _check_recording(self) -> Self:
        """Reject recording together with processes, whose calls are not visible here."""
        if self.processes is not None and (self.record_http or self.record_env):
            raise ValueError(
                "processes and record_http or record_env exclude each other: calls are recorded "
                "in the session's own process"
            )
        return self

    @field_validator("target")
    @classmethod
    def _check_target(cls, value: str) -> str:
        """Reject a text that names no callable."""
        try:
            split_target(value)
        except UserCodeError as error:
            raise ValueError(error.message) from None
        return value


class PythonProvider:
    """Calls a function, method or object of your application, sync or async.

    It receives the case's input, and a `TargetContext` if it has a parameter named ``context``, one
    annotated with `TargetContext`, or a second required parameter. It returns a text, a mapping
    (``text`` or ``answer``, ``tool_calls``, ``usage``, ``cost_usd``, ``data``, ``metadata``,
    ``trace``), any other JSON value (its data, with the JSON as text), or a `Response`.
    ``tool_calls`` and ``usage`` may be an SDK's own (``r.usage``); a whole response of an SDK is an
    error that says what to return of it. An exception is an error of the trial, never a wrong
    answer. Sync callables run in threads, several at a time. What they drive an event loop for
    (``asyncio.run``, ``agent.run_sync``) runs on one loop that all of them share, so that clients
    of the module work; what blocks there delays the others. Stored responses are reused only if the
    model has ``stored: true``, since the code may have changed.
    """

    name: ClassVar[str] = "python"
    Options: ClassVar[type[Frozen]] = PythonOptions
    opaque: ClassVar[bool] = True
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = True
    example: ClassVar[str] = '{id: app, provider: python, target: "my_app.agent:answer"}'

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        options = PythonOptions.model_validate(model.options)
        self._target = options.target
        self._record: Callable[[], AbstractContextManager[Recording | None]] = (
            recording if options.trace else _not_recording
        )
        self._loaded: Target | None = None
        self._scope = ""
        self._turns = Turns()
        self.most = options.processes
        """Maximum number of concurrent calls; None is no limit."""
        self._processes = None if self.most is None else ProcessPool(self.most)

    @classmethod
    def calling(
        cls,
        function: Callable[..., Any],
        name: str,
        model: Model,
        context: ProviderContext,
        *,
        scope: str = "",
    ) -> Self:
        """Create the provider of a callable object.

        Args:
            function: the callable.
            name: its name in messages and in the Key.
            model: the model that it implements.
            context: as for any provider.
            scope: a name in the Key that tells objects with one name apart.

        Raises:
            AnswerError: of type ``target``: it cannot be called with an input, or returns no whole
                response.
        """
        provider = cls(model.model_copy(update={"options": {"target": "evals:target"}}), context)
        provider._model, provider._target, provider._scope = model, name, scope
        provider._loaded = Target.of(function, name)
        ready()
        return provider

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """Return nothing: the application reads its own keys."""
        return ()

    def host(self) -> str | None:
        """Return None: no server is called."""
        return None

    def prepare(self) -> None:
        """Import the target and inspect its parameters.

        Raises:
            AnswerError: of type ``target``: it cannot be imported or called with an input, or
                returns no whole response.
        """
        if self._loaded is None:
            try:
                function = load_callable(self._target, self._roots())
            except UserCodeError as error:
                raise AnswerError("target", error.message, detail=error.detail) from None
            self._loaded = Target.of(function, self._target)
            if self._record is recording:
                ready()

    def identity(self, request: Request) -> Json:
        """Return the target's name, its arguments and the rest of its `TargetContext`."""
        return {
            "target": self._target,
            "body": {
                "input": to_json(request.input),
                "messages": [m.model_dump(mode="json") for m in request.messages],
                "variables": request.variables,
                "params": request.params,
                "tools": list(request.tools),
                # the context has the model, so two models with one target differ
                "model": [self._model.id, self._model.model],
            },
            CONTEXT: {
                "case_id": request.case_id,
                "turn": [request.turn, request.turns],
                "folder": self._context.folder_name,
                **({"dataset": self._scope} if self._scope else {}),
            },
        }

    async def complete(self, request: Request) -> Response:
        """Call the target once.

        Raises:
            AnswerError: of type ``target``: it raised, or returned an invalid response; or the
                `AnswerError` that the application raised.
        """
        if self._loaded is None:
            await self._context.run_sync(self.prepare)
        target = self._loaded
        assert target is not None
        arguments = self._arguments(target, request)
        if self._processes is not None:
            return await self._call_in_process(self._processes, arguments)
        call = UserCall(functools.partial(target.function, *arguments[0], **arguments[1]))
        async with self._turns.turn():
            was_alone = self._turns.is_single
            with self._record() as record:
                await self._run(target, call)
            trace = None if record is None else record.finish()
            error = call.error
        if error is not None:
            answer_error = _answer_error(self._target, error, trace)
            if not (was_alone or target.is_async) and _is_of_other_loop(error):
                self._turns.is_single = answer_error.transient = True
            raise answer_error from None if answer_error is error else error
        return self._with_trace(call.value, call.duration_s, trace)

    async def _call_in_process(
        self, processes: ProcessPool, arguments: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> Response:
        """Call the target in a process, which is killed if the call is cancelled."""
        traced = self._record is recording
        job = Job(_run_target, (self._target, self._roots(), arguments, traced))
        try:
            outcome, printed = await self._context.run_sync(functools.partial(processes.call, job))
        except asyncio.CancelledError:
            job.stop()
            raise
        except ProcessError as error:
            message = f"target {self._target!r} has no answer: {error.message}"
            raise AnswerError("target", message, detail=error.detail) from None
        sys.stdout.write(printed)
        if isinstance(outcome, AnswerError):
            raise outcome
        return self._with_trace(*outcome)

    def _with_trace(self, value: object, duration_s: float, trace: Converted | None) -> Response:
        """Return the response that a value means, with the recorded spans."""
        response = self._response(value, duration_s)
        if trace is None or response.trace or not (trace.spans or trace.notes):
            return response
        return attach_trace(response, trace.spans, trace.notes)

    def _roots(self) -> list[Path]:
        """Return the folders in which to search for the target."""
        roots = (self._context.rootdir, self._context.folder or self._context.rootdir)
        return list(dict.fromkeys(roots))

    async def _run(self, target: Target, call: UserCall) -> None:
        """Call the target off the engine's loop, and await its result if necessary."""
        if target.is_async:
            await self._context.run_async(call.run_async)
            return
        await self._context.run_sync(call.run)
        if inspect.isawaitable(call.value):
            call.await_value()
            await self._context.run_async(call.run_async)

    async def aclose(self) -> None:
        """End the processes."""
        if self._processes is not None:
            await asyncio.to_thread(self._processes.close)

    def _arguments(
        self, target: Target, request: Request
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of the callable: copies, since it may change them."""
        positional = (copy.deepcopy(request.input),)
        if target.context is None:
            return positional, {}
        context = TargetContext(
            messages=[m.model_dump(mode="json", exclude_defaults=True) for m in request.messages],
            case_id=request.case_id,
            model=self._model,
            params=copy.deepcopy(request.params),
            variables=copy.deepcopy(request.variables),
            tools=copy.deepcopy(list(request.tools)),
            sample=request.sample,
            turn=request.turn,
            turns=request.turns,
            timeout_s=request.timeout_s,
        )
        if target.context == "":
            return (*positional, context), {}
        return positional, {target.context: context}

    def _response(self, value: object, duration_s: float) -> Response:
        """Return the response that a value means."""
        expected = "return a text, a mapping, a JSON value or a Response"
        if value is None:
            raise AnswerError("target", f"target {self._target!r} returned None; {expected}")
        if inspect.isgenerator(value) or inspect.isasyncgen(value):
            raise AnswerError(
                "target", f"target {self._target!r} returned a generator; {expected}, whole"
            )
        try:
            response = response_of(value)
        except ValueError as error:
            raise AnswerError(
                "target",
                f"target {self._target!r} returned {type(value).__name__} "
                f"{quote(repr(value), 100)}, which is no answer: {error}; {expected}",
            ) from None
        if response.latency_s is not None:
            return response
        return response.model_copy(update={"latency_s": duration_s})


def _answer_error(name: str, error: BaseException, trace: Converted | None) -> AnswerError:
    """Return the error for an exception of user code, with the frames and spans of user code."""
    if isinstance(error, AnswerError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return AnswerError("target", f"target {name!r} cancelled itself")
    message = " ".join(str(error).split())
    reason = type(error).__name__ + (f": {message[:500]}" if message else "")
    if _is_of_other_loop(error):
        reason += (
            ". It uses an object of another event loop: make the target `async def`, or give the "
            "model `concurrency: 1` or `processes`"
        )
    detail = user_traceback(error)
    if trace is not None and trace.spans:
        drawn = "\n".join(lines(trace.spans, trace.notes, limit=SPANS_SHOWN))
        detail = f"{detail}\n\nits trace until then:\n{drawn}"
    return AnswerError("target", f"target {name!r} raised {reason}", detail=detail)


def _is_of_other_loop(error: BaseException | None) -> bool:
    """Whether an exception, or a cause of it, is asyncio's for an object of another loop."""
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, RuntimeError | ValueError) and any(
            words in str(error) for words in _OTHER_LOOP
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _run_target(
    name: str,
    roots: Sequence[Path],
    arguments: tuple[tuple[Any, ...], dict[str, Any]],
    traced: bool,  # noqa: FBT001 - passed to the process as a tuple
) -> tuple[Any, float, Converted | None] | AnswerError:
    """Call a target in a process of the pool.

    Returns:
        The value, the duration in seconds and the spans; or the error of an exception.
    """
    target = Target.of(load_callable(name, roots), name)
    call = UserCall(functools.partial(target.function, *arguments[0], **arguments[1]))
    if traced:
        ready()
    with recording() if traced else _not_recording() as record:
        call.run_here()
    trace = None if record is None else record.finish()
    if call.error is not None:
        return _answer_error(name, call.error, trace)
    return call.value, call.duration_s, trace


def _not_recording() -> nullcontext[None]:
    """Return a context manager that records nothing."""
    return nullcontext()
