"""The tool calls in recorded calls of model APIs: requested by answers, with results from requests.

The shapes are those of OpenAI's chat and responses, Anthropic's messages, Gemini and Ollama, whole
or as an event stream.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pytest_evals.ground.canonical import Json
from pytest_evals.message import ToolCall
from pytest_evals.providers.parsing import arguments_of, parse_json

_CHATS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/api/chat",
    "/api/generate",
    ":generateContent",
    ":streamGenerateContent",
)
"""Suffixes of the addresses whose answers say whether the model calls a tool."""

_Result = tuple[str | None, str | None, Json, bool]
"""The call id, the name and the content of a tool result, and whether the tool failed."""


class _Unreadable(Exception):  # noqa: N818 - not an error to users
    """An answer has none of the known shapes."""


def recorded_tool_calls(
    bodies: Iterable[tuple[str, Json, Json]],
) -> tuple[ToolCall, ...] | None:
    """Return the tool calls of recorded calls; empty for none, None if they are unknown.

    Args:
        bodies: of each call in order, its address, its parsed request and the stored answer
            (`stored_response`).
    """
    calls: list[ToolCall] = []
    read = 0
    for url, request, data in bodies:
        _join_results(request, calls)
        try:
            calls += list(_requested(data))
        except _Unreadable:
            if urlsplit(url).path.rstrip("/").endswith(_CHATS):
                return None
        else:
            read += 1
    return tuple(calls) if read else None


def _requested(data: Json) -> Iterator[ToolCall]:
    """Yield the calls that a stored answer requests."""
    if not isinstance(data, Mapping):
        raise _Unreadable
    if "events" in data:
        lines = [
            line[5:].strip()
            for event in data["events"]
            for line in str(event).splitlines()
            if line.startswith("data:")
        ]
        yield from _of_stream([value for line in lines if (value := _parsed(line)) is not None])
    elif isinstance(data.get("json"), list):
        yield from _of_stream(data["json"])
    elif "json" in data:
        yield from _of_body(data["json"])
    else:
        lines = str(data.get("text", "")).splitlines()
        yield from _of_stream([value for line in lines if (value := _parsed(line)) is not None])


def _parsed(line: str) -> Json:
    """Parse a line of JSON; None if it is none."""
    try:
        return parse_json(line.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _of_body(body: Json) -> Iterator[ToolCall]:
    """Yield the calls of a whole answer."""
    if not isinstance(body, Mapping):
        raise _Unreadable
    if isinstance(body.get("message"), Mapping):
        yield from _of_message(body["message"])
        return
    for key, read in _LISTS.items():
        if isinstance(body.get(key), list):
            for item in _mappings(body[key]):
                yield from read(item)
            return
    if not isinstance(body.get("response"), str):  # Ollama's generate has a text only
        raise _Unreadable


def _mappings(value: Json) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def _call(name: Json, arguments: Json, call_id: Json) -> ToolCall:
    """Make a call."""
    return ToolCall(
        name=str(name or "?"),
        arguments=arguments_of(arguments),
        id=None if call_id is None else str(call_id),
    )


def _of_message(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the calls of a chat message."""
    for call in _mappings(message.get("tool_calls")):
        inner = call.get("function") or call.get("custom") or call
        if isinstance(inner, Mapping):
            arguments = inner.get("arguments", inner.get("input"))
            yield _call(inner.get("name"), arguments, call.get("id"))
    legacy = message.get("function_call")
    if isinstance(legacy, Mapping) and legacy.get("name"):
        yield _call(legacy["name"], legacy.get("arguments"), None)


def _of_item(item: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the call of an item of OpenAI's responses."""
    type_ = str(item.get("type", ""))
    if not type_.endswith("_call"):
        return
    arguments = item.get("arguments", item.get("input", item.get("action")))
    name = item.get("name") or type_.removesuffix("_call")
    call = _call(name, arguments, item.get("call_id", item.get("id")))
    if type_ == "mcp_call":
        error = item.get("error")
        update = {"result": item.get("output"), "captured": True}
        call = call.model_copy(update={**update, "error": None if error is None else str(error)})
    yield call


def _of_block(block: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the call of a block of Anthropic's messages."""
    if block.get("type") in {"tool_use", "server_tool_use", "mcp_tool_use"}:
        yield _call(block.get("name"), block.get("input"), block.get("id"))


def _of_part(part: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the call of a part of Gemini's content."""
    call = part.get("functionCall", part.get("function_call"))
    if isinstance(call, Mapping):
        yield _call(call.get("name"), call.get("args"), call.get("id"))


def _of_choice(choice: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the calls of a choice of OpenAI's chat."""
    yield from _of_message(choice.get("message") or {})


def _of_candidate(candidate: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the calls of a candidate of Gemini's answer."""
    content = candidate.get("content")
    for part in _mappings(content.get("parts") if isinstance(content, Mapping) else None):
        yield from _of_part(part)


_LISTS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[ToolCall]]] = {
    "choices": _of_choice,
    "output": _of_item,
    "content": _of_block,
    "candidates": _of_candidate,
}
"""The keys of an answer's list in the APIs, and the reader of an item."""


def _of_stream(values: Sequence[Json]) -> Iterator[ToolCall]:
    """Yield the calls of a stream of objects."""
    events = list(_mappings(list(values)))
    types = {str(event.get("type", "")) for event in events}
    if any(isinstance(event.get("choices"), list) for event in events):
        yield from _of_chunks(events)
    elif "message_start" in types:
        yield from _of_blocks(events)
    elif any(type_.startswith("response.") for type_ in types):
        for event in events:
            if event.get("type") == "response.output_item.done":
                yield from _of_item(event.get("item") or {})
    elif events:
        for event in events:
            if event.get("usageMetadata") is None or "candidates" in event:
                yield from _of_body(event)
    else:
        raise _Unreadable


def _of_chunks(events: Iterable[Mapping[str, Any]]) -> Iterator[ToolCall]:
    """Yield the calls of the chunks of a chat, whose arguments come in pieces."""
    calls: dict[tuple[Any, Any], dict[str, Any]] = {}
    for event in events:
        for choice in _mappings(event.get("choices")):
            delta = choice.get("delta") or choice.get("message") or {}
            pieces = list(_mappings(delta.get("tool_calls")))
            if isinstance(delta.get("function_call"), Mapping):
                pieces.append({"index": "legacy", "function": delta["function_call"]})
            for i, piece in enumerate(pieces):
                place = choice.get("index", 0), piece.get("index", i)
                inner = piece.get("function") or piece.get("custom") or {}
                call = calls.setdefault(place, {"id": None, "name": "", "arguments": ""})
                call["id"] = piece.get("id") or call["id"]
                call["name"] = inner.get("name") or call["name"]
                call["arguments"] += _text(inner.get("arguments", inner.get("input")))
    for call in calls.values():
        yield _call(call["name"], call["arguments"], call["id"])


def _of_blocks(events: Iterable[Mapping[str, Any]]) -> Iterator[ToolCall]:
    """Yield the calls of a stream of Anthropic's messages."""
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        if event.get("type") == "content_block_start":
            blocks[event.get("index")] = {**(event.get("content_block") or {}), "json": ""}
        elif event.get("type") == "content_block_delta":
            block, delta = blocks.get(event.get("index")), event.get("delta") or {}
            if block is not None:
                block["json"] += _text(delta.get("partial_json"))
    for block in blocks.values():
        yield from _of_block({**block, "input": block["json"] or block.get("input")})


def _text(value: Json) -> str:
    """Return a piece of arguments as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _join_results(request: Json, calls: list[ToolCall]) -> None:
    """Add the results that a request has to the calls made before it."""
    for call_id, name, result, failed in _results(request):
        for i, call in enumerate(calls):
            same = call.id == call_id if call_id is not None else call.name == name
            if same and not call.captured:
                error = _plain(result) if failed else None
                update = {"result": result, "captured": True, "error": error}
                calls[i] = call.model_copy(update=update)
                break


def _results(request: Json) -> Iterator[_Result]:
    """Yield the tool results of a request."""
    if not isinstance(request, Mapping):
        return
    for message in _mappings(request.get("messages")):
        yield from _results_of_message(message)
    for item in _mappings(request.get("input")):
        if str(item.get("type", "")).endswith("_call_output"):
            yield item.get("call_id"), None, _plain(item.get("output")), False
    for content in _mappings(request.get("contents")):
        for part in _mappings(content.get("parts")):
            result = part.get("functionResponse", part.get("function_response"))
            if isinstance(result, Mapping):
                yield result.get("id"), result.get("name"), result.get("response"), False


def _results_of_message(message: Mapping[str, Any]) -> Iterator[_Result]:
    """Yield the tool results of a message of a chat, or of Anthropic's messages."""
    if message.get("role") in {"tool", "function"}:
        name = message.get("name", message.get("tool_name"))
        yield message.get("tool_call_id"), name, _plain(message.get("content")), False
    for block in _mappings(message.get("content")):
        if block.get("type") == "tool_result":
            failed = block.get("is_error") is True
            yield block.get("tool_use_id"), None, _plain(block.get("content")), failed


def _plain(content: Json) -> Any:
    """Return the content of a result: the text of its parts, if all of them are texts."""
    parts = list(_mappings(content))
    if parts and all(isinstance(part.get("text"), str) for part in parts):
        return "".join(part["text"] for part in parts)
    return content
