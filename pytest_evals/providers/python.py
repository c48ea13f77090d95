"""python: a callable of the user's own application."""

import asyncio
import copy
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread
from time import monotonic
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.user_code import UserCodeError, load_callable, split_target, user_traceback
from pytest_evals.ground.user_process import Job, ProcessError, ProcessPool
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.otel import Recording, ready, recording
from pytest_evals.providers.parsing import quote, response_of, to_json
from pytest_evals.providers.recording import RecordEnv, RecordHttp
from pytest_evals.trace.attach import attach_trace
from pytest_evals.trace.convert import Converted
from pytest_evals.trace.text import lines

MOST_TOLD = 30
"""Spans that an error's detail tells of."""

_RAISED = (Exception, SystemExit, KeyboardInterrupt)
"""What user code may raise off the main thread: nobody there presses Ctrl-C."""


@dataclass(frozen=True, slots=True)
class TargetContext:
    """What a callable is given besides the input, if it asks for it."""

    messages: list[dict[str, Any]]
    """The thread so far, rendered from the prompt where there is one: role and content."""
    case_id: str
    """Whose question this is; for logs, not for answers."""
    model: Model
    """The model as the dataset describes it."""
    params: dict[str, Any]
    """The model's parameters."""
    variables: dict[str, Any]
    """The case's variables."""
    tools: list[dict[str, Any]]
    """Tool definitions: name, description, parameters."""
    sample: int
    """The number of the sample, from 0."""
    turn: int
    """The number of the user's message in the conversation, from 0."""
    turns: int
    """How many messages the user has in this conversation."""
    timeout_s: float | None
    """Seconds this call may take."""


class PythonOptions(Frozen):
    """Which callable is asked."""

    target: str
    """``package.module:callable`` or ``path/to/file.py:callable``, looked for in the rootdir, then
    beside the dataset."""
    trace: bool = True
    """Whether the OpenTelemetry spans that the callable makes are kept with its answer; they are
    only where opentelemetry-sdk is installed."""
    record_http: RecordHttp = False
    """Whether the calls it makes to model APIs through httpx (the SDKs of OpenAI and Anthropic do)
    are stored, and answered from the store the next time; or the addresses of which that is true,
    by their beginnings. The code itself then runs each time, also in a replay."""
    record_env: RecordEnv = Field(default_factory=dict)
    """For calls by other means than httpx: environment variables from which it reads where an API
    is, and where that is (`{OPENAI_BASE_URL: "https://api.openai.com/v1"}`). They lead to a server
    on this machine that records; one trial runs at a time."""

    processes: int | None = Field(default=None, ge=1, le=256)
    """How many processes run it; None is threads of this one. For code that keeps a processor busy
    or must be stopped for certain: a call that overruns its time is killed. Its input and its
    answer must be picklable, and what the module keeps in variables is each process's own. No more
    calls run at once than there are processes."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse to record in other processes what only this one could see."""
        if self.processes is not None and (self.record_http or self.record_env):
            raise ValueError(
                "processes and record_http or record_env exclude each other: calls are recorded "
                "in the session's own process"
            )
        return self

    @field_validator("target")
    @classmethod
    def _written(cls, value: str) -> str:
        """Refuse what names no callable."""
        try:
            split_target(value)
        except UserCodeError as error:
            raise ValueError(error.message) from None
        return value


class PythonProvider:
    """Calls a function, method or object of your application, sync or async.

    It gets the case's input, and a `TargetContext` too if it has a parameter named ``context``, one
    annotated with `TargetContext`, or a second required parameter. It returns a text, a mapping
    (``text`` or ``answer``, ``tool_calls``, ``usage``, ``cost_usd``, ``data``, ``metadata``,
    ``trace``), any other JSON value (kept as data, its JSON being the text), or a `Response`. An
    exception is an error of the trial, never a wrong answer. A sync callable runs in a thread, so
    several run at once. Stored answers are not used again unless the model says ``stored: true``,
    since the code may have changed.
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
            recording if options.trace else _nothing
        )
        self._loaded: _Target | None = None
        self.most = options.processes
        """Calls at once, at the most; None is no limit of its own."""
        self._processes = None if self.most is None else ProcessPool(self.most)

    @classmethod
    def calling(
        cls, found: Callable[..., Any], name: str, model: Model, context: ProviderContext
    ) -> Self:
        """Make the provider of a callable that is at hand.

        Args:
            found: what is called.
            name: what it is called in messages and in the Key.
            model: the model it stands for.
            context: as for any provider.

        Raises:
            AnswerError: of type ``target``: it cannot be called so, or give an answer.
        """
        here = model.model_copy(update={"options": {"target": "evals:target"}})
        made = cls(here, context)
        made._model, made._target = model, name
        made._loaded = _Target.of(found, name)
        ready()
        return made

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """No key of ours: the application has its own."""
        return ()

    def host(self) -> str | None:
        """No server is called."""
        return None

    def prepare(self) -> None:
        """Import the target and look at what it takes.

        Raises:
            AnswerError: of type ``target``: it cannot be imported, called so, or give an answer.
        """
        if self._loaded is None:
            try:
                found = load_callable(self._target, self._roots())
            except UserCodeError as error:
                raise AnswerError("target", error.message, detail=error.detail) from None
            self._loaded = _Target.of(found, self._target)
            if self._record is recording:
                ready()

    def identity(self, request: Request) -> Json:
        """Return the target's name and what it is given."""
        return {
            "target": self._target,
            "body": {
                "input": to_json(request.input),
                "messages": [m.model_dump(mode="json") for m in request.messages],
                "variables": request.variables,
                "params": request.params,
                "tools": list(request.tools),
                # the callable is given the model, so two models with one target are two
                "model": [self._model.id, self._model.model],
            },
        }

    async def complete(self, request: Request) -> Response:
        """Call once.

        Raises:
            AnswerError: of type ``target``: it raised, or gave what is no answer; or what the
                application itself raised as an `AnswerError`.
        """
        if self._loaded is None:
            await self._context.run_sync(self.prepare)
        target = self._loaded
        assert target is not None
        arguments = self._arguments(target, request)
        if self._processes is not None:
            return await self._elsewhere(self._processes, arguments)
        attempt = _Attempt(functools.partial(target.call, *arguments[0], **arguments[1]))
        with self._record() as record:
            await self._run(target, attempt)
        trace = None if record is None else record.finish()
        error = attempt.error
        if error is not None:
            blamed = _blamed(self._target, error, trace)
            raise blamed from None if blamed is error else error
        return self._answer(attempt.value, attempt.used_s, trace)

    async def _elsewhere(
        self, processes: ProcessPool, arguments: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> Response:
        """Call in a process; one that is given up is killed."""
        traced = self._record is recording
        job = Job(_in_process, (self._target, self._roots(), arguments, traced))
        try:
            done, printed = await self._context.run_sync(functools.partial(processes.call, job))
        except asyncio.CancelledError:
            job.stop()
            raise
        except ProcessError as error:
            message = f"target {self._target!r} has no answer: {error.message}"
            raise AnswerError("target", message, detail=error.detail) from None
        sys.stdout.write(printed)
        if isinstance(done, AnswerError):
            raise done
        return self._answer(*done)

    def _answer(self, value: object, used_s: float, trace: Converted | None) -> Response:
        """Read what came back, with the spans that were made meanwhile."""
        response = self._response(value, used_s)
        if trace is None or response.trace or not (trace.spans or trace.notes):
            return response
        return attach_trace(response, trace.spans, trace.notes)

    def _roots(self) -> list[Path]:
        """Return the folders in which the target is looked for."""
        roots = (self._context.rootdir, self._context.folder or self._context.rootdir)
        return list(dict.fromkeys(roots))

    async def _run(self, target: "_Target", attempt: "_Attempt") -> None:
        """Call, and await what has to be awaited, off the engine's loop."""
        if target.is_async:
            await self._context.run_async(attempt.run_async)
            return
        await self._context.run_sync(attempt.run)
        if inspect.isawaitable(attempt.value):
            attempt.call = functools.partial(_same, attempt.value)
            await self._context.run_async(attempt.run_async)

    async def aclose(self) -> None:
        """End the processes."""
        if self._processes is not None:
            await asyncio.to_thread(self._processes.close)

    def _arguments(
        self, target: "_Target", request: Request
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make what the callable is given: copies, since it may change them."""
        given = (copy.deepcopy(request.input),)
        if target.context is None:
            return given, {}
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
            return (*given, context), {}
        return given, {target.context: context}

    def _response(self, value: object, used_s: float) -> Response:
        """Read what came back."""
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
        return response.model_copy(update={"latency_s": used_s})


def _blamed(written: str, error: BaseException, trace: Converted | None) -> AnswerError:
    """Make the error of an exception in user code, with its own frames and spans only."""
    if isinstance(error, AnswerError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return AnswerError("target", f"target {written!r} cancelled itself")
    said = " ".join(str(error).split())
    named = type(error).__name__ + (f": {said[:500]}" if said else "")
    detail = user_traceback(error)
    if trace is not None and trace.spans:
        told = "\n".join(lines(trace.spans, trace.notes, limit=MOST_TOLD))
        detail = f"{detail}\n\nits trace until then:\n{told}"
    return AnswerError("target", f"target {written!r} raised {named}", detail=detail)


def _in_process(
    written: str,
    roots: Sequence[Path],
    arguments: tuple[tuple[Any, ...], dict[str, Any]],
    traced: bool,  # noqa: FBT001 - crosses as a tuple
) -> tuple[Any, float, Converted | None] | AnswerError:
    """Call a target in the process that this runs in.

    Returns:
        What it gave, the seconds it took and its spans; or the error of what it raised.
    """
    target = _Target.of(load_callable(written, roots), written)
    attempt = _Attempt(functools.partial(target.call, *arguments[0], **arguments[1]))
    if traced:
        ready()
    with recording() if traced else _nothing() as record:
        attempt.run()
        if attempt.error is None and inspect.isawaitable(attempt.value):
            attempt.call = functools.partial(_same, attempt.value)
            asyncio.run(attempt.run_async())
    trace = None if record is None else record.finish()
    if attempt.error is not None:
        return _blamed(written, attempt.error, trace)
    return attempt.value, attempt.used_s, trace


def _nothing() -> nullcontext[None]:
    """Record nothing."""
    return nullcontext()


@dataclass(slots=True)
class _Attempt:
    """One call: what it gave or raised, and its seconds, without waiting for a thread.

    What it raises stays here: an exit or a StopIteration would stop the loop or the thread it
    passes through.
    """

    call: Callable[[], Any]
    value: Any = None
    error: BaseException | None = None
    used_s: float = 0.0

    def run(self) -> None:
        """Call."""
        began = monotonic()
        try:
            self.value = self.call()
        except (*_RAISED, asyncio.CancelledError) as error:
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise  # a test's own thread: somebody pressed Ctrl-C
            self.error = error
        finally:
            self.used_s += monotonic() - began

    async def run_async(self) -> None:
        """Call, and await what comes back."""
        began = monotonic()
        try:
            value = self.call()
            self.value = await value if inspect.isawaitable(value) else value
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.error = error
        except _RAISED as error:
            self.error = error
        finally:
            self.used_s += monotonic() - began


def _same(value: Awaitable[Any]) -> Awaitable[Any]:
    """Return a value that is already there."""
    return value


@dataclass(frozen=True, slots=True)
class _Target:
    """A callable, and how it is called."""

    call: Callable[..., Any]
    is_async: bool
    context: str | None
    """The parameter that takes the context; "" for the second position, None for none."""

    @classmethod
    def of(cls, found: Callable[..., Any], written: str) -> "_Target":
        """Look at a callable.

        Raises:
            AnswerError: of type ``target``: it cannot be asked.
        """
        name = f"target {written!r}"
        if inspect.isclass(found):
            raise AnswerError(
                "target",
                f"{name} is a class: a call would only make an object. Name a function, or an "
                f"object of it (`bot = {found.__name__}()` in the module, and `:bot` or "
                "`:bot.method` here)",
            )
        plain: object = found
        while isinstance(plain, functools.partial):
            plain = plain.func
        kinds = (plain, getattr(type(plain), "__call__", None))  # noqa: B004 - its own method
        if any(inspect.isgeneratorfunction(k) or inspect.isasyncgenfunction(k) for k in kinds):
            raise AnswerError(
                "target", f"{name} yields its answer in pieces; return the whole answer"
            )
        is_async = any(inspect.iscoroutinefunction(kind) for kind in kinds)
        return cls(found, is_async, _context_parameter(found, name))


def _context_parameter(found: Callable[..., Any], name: str) -> str | None:
    """Find the parameter that takes the context, and check that the rest fits.

    Raises:
        AnswerError: of type ``target``: it takes too little or needs too much.
    """
    try:
        parameters = inspect.signature(found).parameters
    except (TypeError, ValueError):
        return None
    context = _named_context(parameters)
    positional = [
        p
        for p in parameters.values()
        if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} and p.name != context
    ]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    needed = [p.name for p in positional if p.default is p.empty]
    needed += [
        p.name
        for p in parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name != context
    ]
    if context is None and len(positional) > 1 and needed[1:] == [positional[1].name]:
        context = ""
        needed = needed[:1]
    if not positional and not takes_any:
        raise AnswerError(
            "target", f"{name} takes no input; it is called as f(input) or f(input, context)"
        )
    if len(needed) > 1:
        raise AnswerError(
            "target",
            f"{name} needs {', '.join(needed)}; it is called as f(input) or f(input, context), so "
            "give the others a default or bind them with functools.partial",
        )
    return context


def _named_context(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Return the parameter that is called or annotated as the context."""
    for i, parameter in enumerate(parameters.values()):
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        annotation = parameter.annotation
        words = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if i and (parameter.name == "context" or words.endswith("TargetContext")):
            return "" if parameter.kind is parameter.POSITIONAL_ONLY else parameter.name
        if not i and (words.endswith("TargetContext")):
            return parameter.name
    return None
