"""script: plays the recorded responses in each case. It calls nothing and needs no API key."""

from collections.abc import Iterator
from typing import ClassVar

from pytest_evals.exchange import Request, Response, Usage
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import ToolCall
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.script import (
    ChatResponseEvent,
    ErrorEvent,
    Events,
    Script,
    ScriptEvent,
    ScriptTokens,
    ToolCallEvent,
)


class ScriptOptions(Frozen):
    """No options: the responses are in the cases."""


class ScriptProvider:
    """Plays recorded responses.

    Each user message is answered by the events up to the next ``chat_response``. The ``tool_call``
    events before it are its tool calls. An ``error`` event is raised as the provider's error, which
    is not retried.

    It is an error if the script ends too early (``script_exhausted``) or was recorded from another
    model (``script_mismatch``). Unused events at the end are a fault of the trial,
    unless the script has ``allow_unused: true``.
    """

    name: ClassVar[str] = "script"
    Options: ClassVar[type[Frozen]] = ScriptOptions
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = True
    local: ClassVar[bool] = False
    example: ClassVar[str] = "{id: recorded, provider: script}"

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """Return nothing: no API key is needed."""
        return ()

    def host(self) -> str | None:
        """Return None: no server is called."""
        return None

    def prepare(self) -> None:
        """Do nothing: the script was validated with the dataset."""

    def identity(self, request: Request) -> Json:
        """Return the events and the turn."""
        events = request.script and request.script.events(request.model_id, request.sample)
        return {
            "events": [event.model_dump(mode="json") for event in events or ()],
            "turn": request.turn,
        }

    async def complete(self, request: Request) -> Response:
        """Play one turn.

        Raises:
            AnswerError: the recorded error, or ``script_exhausted``, ``script_mismatch``.
        """
        script = self._script(request)
        events = script.events(self._model.id, request.sample)
        if events is None:
            raise AnswerError(
                "script_exhausted",
                f"the script holds no answer of model {self._model.id!r} for sample "
                f"{request.sample}; record one, or ask for fewer samples",
            )
        turns = list(_turns(events))
        played = turns[request.turn] if request.turn < len(turns) else ()
        last = played[-1] if played else None
        if isinstance(last, ErrorEvent):
            raise AnswerError(last.error_type, last.message, transient=False)
        if not isinstance(last, ChatResponseEvent):
            raise _exhausted(request, events, played)
        unused = [event for turn in turns[request.turn + 1 :] for event in turn]
        is_last = request.turn == request.turns - 1
        return _response(played, unused if is_last and not script.allow_unused else [])

    async def aclose(self) -> None:
        """Do nothing."""

    def _script(self, request: Request) -> Script:
        """Return the case's script.

        Raises:
            AnswerError: it has none, or one of another model.
        """
        model, script = self._model, request.script
        if script is None:
            raise AnswerError(
                "script_exhausted",
                f"case {request.case_id!r} has no `script` for model {model.id!r} to play",
            )
        if script.source_model not in {None, model.model, model.id}:
            raise AnswerError(
                "script_mismatch",
                f"the script was recorded from {script.source_model!r}, but model {model.id!r} is "
                f"{model.model or model.id!r}; name it `model: {script.source_model}`, or record "
                "the script again",
            )
        return script


def _turns(events: Events) -> Iterator[Events]:
    """Split a script into turns; the last one may be incomplete."""
    turn: list[ScriptEvent] = []
    for event in events:
        turn.append(event)
        if not isinstance(event, ToolCallEvent):
            yield tuple(turn)
            turn = []
    if turn:
        yield tuple(turn)


def _exhausted(request: Request, events: Events, played: Events) -> AnswerError:
    """Return the error of a script that ends too early; says where."""
    message = f"message {request.turn + 1} of {request.turns}"
    if played:
        calls = ", ".join(_named(event) for event in played)
        return AnswerError(
            "script_exhausted",
            f"the script ends after {calls}: no chat_response answers user {message}",
        )
    return AnswerError(
        "script_exhausted",
        f"the script has {len(events)} events, and none is left to answer user {message}; add a "
        "chat_response",
    )


def _response(played: Events, unused: list[ScriptEvent]) -> Response:
    """Return the response of one turn."""
    *calls, answer = played
    assert isinstance(answer, ChatResponseEvent)
    usage = _usage(answer.tokens)
    tool_calls = []
    for call in calls:
        assert isinstance(call, ToolCallEvent)
        usage = usage + _usage(call.tokens)
        tool_calls.append(
            ToolCall(
                name=call.name,
                arguments=call.arguments,
                id=call.id,
                result=call.result,
                captured=call.captured,
                error=call.error,
            )
        )
    return Response(
        text=answer.content,
        tool_calls=tuple(tool_calls),
        finish_reason=answer.finish_reason,
        usage=usage,
        latency_s=answer.latency_s,
        trace=answer.trace,
        faults=_faults(unused),
    )


def _usage(tokens: ScriptTokens) -> Usage:
    """Return the usage of an event."""
    inputs, outputs = tokens.prompt_tokens, tokens.completion_tokens
    if tokens.total_tokens is not None:
        # A total alone still counts against limits, as output.
        if outputs is None:
            outputs = max(0, tokens.total_tokens - (inputs or 0))
        elif inputs is None:
            inputs = max(0, tokens.total_tokens - outputs)
    return Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=tokens.cache_read_tokens,
        cache_write_tokens=tokens.cache_creation_tokens,
        reasoning_tokens=tokens.thinking_tokens,
    )


def _faults(unused: list[ScriptEvent]) -> tuple[str, ...]:
    """Name the events that were not played."""
    if not unused:
        return ()
    events = "1 event of the script was" if len(unused) == 1 else f"{len(unused)} events were"
    names = ", ".join(_named(event) for event in unused[:5]) + (", …" if len(unused) > 5 else "")
    return (f"{events} left over at the end: {names}",)


def _named(event: ScriptEvent) -> str:
    """Return a short name of an event."""
    if isinstance(event, ToolCallEvent):
        return f"tool_call {event.name}"
    if isinstance(event, ErrorEvent):
        return f"error {event.error_type}"
    text = " ".join(event.content.split())
    return f"chat_response {text[:40] + '…' if len(text) > 40 else text!r}"
