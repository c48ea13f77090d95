"""script: plays the recorded answers that stand in each case. It calls nothing and needs no key."""

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
    """No options: the answers stand in the cases."""


class ScriptProvider:
    """Plays recorded answers.

    Each user message is answered by the events up to and including the next ``chat_response``; the
    ``tool_call`` events before it are the calls it made on the way, and an ``error`` event is
    raised as the provider's error, once, never tried again.

    A script that ends too early is an error (``script_exhausted``), one that was recorded from
    another model too (``script_mismatch``); events left over at the end are a fault of the trial,
    unless the script says ``allow_unused: true``.
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
        """No key is needed."""
        return ()

    def host(self) -> str | None:
        """No server is called."""
        return None

    def prepare(self) -> None:
        """Nothing needs checking: the dataset was checked when it was collected."""

    def identity(self, request: Request) -> Json:
        """Return what decides the answer: the events, and the turn."""
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
        left = [event for turn in turns[request.turn + 1 :] for event in turn]
        is_last = request.turn == request.turns - 1
        return _response(played, left if is_last and not script.allow_unused else [])

    async def aclose(self) -> None:
        """Nothing is held."""

    def _script(self, request: Request) -> Script:
        """Return the case's script, if it is meant for this model."""
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
    """Split a script into turns; the last one lacks its end where the script does."""
    turn: list[ScriptEvent] = []
    for event in events:
        turn.append(event)
        if not isinstance(event, ToolCallEvent):
            yield tuple(turn)
            turn = []
    if turn:
        yield tuple(turn)


def _exhausted(request: Request, events: Events, played: Events) -> AnswerError:
    """Say that, and where, the script ended too early."""
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


def _response(played: Events, left: list[ScriptEvent]) -> Response:
    """Make the answer of one turn."""
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
        faults=_faults(left),
    )


def _usage(tokens: ScriptTokens) -> Usage:
    """Count an event's tokens."""
    taken, given = tokens.prompt_tokens, tokens.completion_tokens
    if tokens.total_tokens is not None:
        # A total alone still counts against limits; which side it stands on is then unknown.
        if given is None:
            given = max(0, tokens.total_tokens - (taken or 0))
        elif taken is None:
            taken = max(0, tokens.total_tokens - given)
    return Usage(
        input_tokens=taken,
        output_tokens=given,
        cached_tokens=tokens.cache_read_tokens,
        cache_write_tokens=tokens.cache_creation_tokens,
        reasoning_tokens=tokens.thinking_tokens,
    )


def _faults(left: list[ScriptEvent]) -> tuple[str, ...]:
    """Name the events that were never played."""
    if not left:
        return ()
    events = "1 event of the script was" if len(left) == 1 else f"{len(left)} events were"
    names = ", ".join(_named(event) for event in left[:5]) + (", …" if len(left) > 5 else "")
    return (f"{events} left over at the end: {names}",)


def _named(event: ScriptEvent) -> str:
    """Name an event."""
    if isinstance(event, ToolCallEvent):
        return f"tool_call {event.name}"
    if isinstance(event, ErrorEvent):
        return f"error {event.error_type}"
    text = " ".join(event.content.split())
    return f"chat_response {text[:40] + '…' if len(text) > 40 else text!r}"
