"""The messages of a model call, read from its span, and what is missing of them.

Instrumentations write messages in four forms: as one JSON attribute (``gen_ai.input.messages``), as
events (``gen_ai.user.message``, ``gen_ai.choice``), and flattened into attributes, by OpenLLMetry
(``gen_ai.prompt.0.content``) and by OpenInference (``llm.input_messages.0.message.content``).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_evals.message import Message, Role, ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.call_messages import CallMessages
from pytest_evals.trace.conventions import as_text, read_json

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
_DETAILS = "gen_ai.client.inference.operation.details"
_PART_TYPES = frozenset(
    {
        *("text", "input_text", "output_text", "refusal", "reasoning", "thinking"),
        *("image", "image_url", "input_image", "input_audio", "audio", "file", "blob", "uri"),
        *("tool_call", "tool_use", "tool_result", "tool_call_response"),
    }
)
_NOT_TEXT = frozenset({"reasoning", "thinking", "redacted_thinking"})
"""Types of parts that are not part of the response's text."""


def inputs_of(span: Span) -> CallMessages | None:
    """Return the input of a model call; None if its span does not have it."""
    return _read(_written(span, "input"))


def outputs_of(span: Span) -> CallMessages | None:
    """Return the output of a model call; None if its span does not have it."""
    written = _written(span, "output")
    if written is not None and len(written) > 1:
        choices = [item for item in written if _is_choice(item)]
        if len(choices) > 1:
            content = _read(choices[:1]) or CallMessages()
            content.lost.append(f"it has {len(choices)} answers to one question (n > 1)")
            return content
    return _read(written)


def _is_choice(item: object) -> bool:
    """Return whether an item is an assistant's message."""
    return isinstance(item, Mapping) and _ROLES.get(str(item.get("role"))) == "assistant"


def _written(span: Span, side: str) -> list[Any] | None:
    """Return the messages of a side in an instrumentation's form; None if there are none.

    A single value becomes a list of one.
    """
    key = f"gen_ai.{side}.messages"
    events = list(_events(span))
    for attributes in (span.attributes, *(fields for name, fields in events if name == _DETAILS)):
        value = read_json(attributes.get(key))
        if value is not None:
            return value if isinstance(value, list) else [value]
    messages = [_of_event(name, fields) for name, fields in events if _side(name) == side]
    if messages:
        return messages
    for prefix in (
        ("gen_ai.prompt", "llm.input_messages")
        if side == "input"
        else ("gen_ai.completion", "llm.output_messages")
    ):
        flat = _unflattened(span.attributes, prefix)
        if flat:
            default = "assistant" if side == "output" else "user"
            return [
                {"role": default, **(item.get("message") or item)}
                for item in flat
                if isinstance(item, dict)
            ]
    return None


def _events(span: Span) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the attributes of each event of a span."""
    events = read_json(span.attributes.get("events"))
    for event in events if isinstance(events, list) else ():
        if isinstance(event, Mapping):
            fields = event.get("attributes", event)
            name = event.get("event.name", event.get("name", ""))
            yield str(name), fields if isinstance(fields, Mapping) else {}


def _side(name: str) -> str | None:
    """Return the side of an event; None if it is no message."""
    if name == "gen_ai.choice":
        return "output"
    return "input" if re.fullmatch(r"gen_ai\.\w+\.message", name) else None


def _of_event(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message of an event."""
    if name == "gen_ai.choice":
        message = read_json(fields.get("message", fields))
        parts = dict(message) if isinstance(message, Mapping) else {"content": message}
        return {"role": "assistant", "finish_reason": fields.get("finish_reason"), **parts}
    parts = {k: value for k, value in fields.items() if k not in {"event.name", "gen_ai.system"}}
    return {"role": name.removeprefix("gen_ai.").removesuffix(".message"), **parts}


def _unflattened(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """Return the list that attributes such as ``prefix.0.content`` represent."""
    tree: dict[str, Any] = {}
    for key, value in attributes.items():
        if not key.startswith(f"{prefix}."):
            continue
        at = tree
        *path, last = key[len(prefix) + 1 :].split(".")
        for part in path:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at[last] = value
    items = _listed(tree)
    return items if isinstance(items, list) else []


def _listed(tree: Any) -> Any:
    """Convert mappings whose keys are numbers to lists."""
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdecimal() for key in tree):
        return [_listed(tree[key]) for key in sorted(tree, key=int)]
    return {key: _listed(value) for key, value in tree.items()}


def _read(written: Sequence[Any] | None) -> CallMessages | None:
    """Read messages; None if there are none."""
    if not written:
        return None
    content = CallMessages()
    for i, item in enumerate(written):
        at = f"message {i + 1}"
        if not isinstance(item, Mapping):
            content.lost.append(f"{at} cannot be read, it may have been cut: {_quote(item)}")
            continue
        role = _ROLES.get(str(item.get("role", "")).lower())
        if role is None:
            content.lost.append(f"{at} has the role {_quote(item.get('role'))}")
            continue
        reason = item.get("finish_reason")
        content.finish_reason = str(reason) if reason else content.finish_reason
        content.messages.extend(_messages(item, role, at, content.lost))
    return content


def _messages(item: Mapping[str, Any], role: Role, at: str, lost: list[str]) -> Iterator[Message]:
    """Yield the message of a mapping, and a message for each tool result."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    results: list[Message] = []
    has_parts = False
    for part in _parts(item):
        has_parts = True
        if isinstance(part, str):
            texts.append(part)
            continue
        type_ = str(part.get("type", "text"))
        if type_ in {"text", "output_text", "input_text", "refusal"}:
            text = part.get("content", part.get("text", part.get("refusal")))
            if isinstance(text, str):
                texts.append(text)
            else:
                lost.append(f"{at} has a text without its content")
        elif type_ in {"tool_call", "tool_use", "function"}:
            calls.append(_call(part, at, lost))
        elif type_ in {"tool_call_response", "tool_result"}:
            result = part.get("response", part.get("result", part.get("content")))
            results.append(
                Message(role="tool", content=as_text(result), tool_call_id=_id(part.get("id")))
            )
        elif type_ not in _NOT_TEXT:
            lost.append(f"{at} has a part of type {_quote(type_)}, not a text")
    if not has_parts:
        lost.append(f"{at} ({role}) has no content")
    if texts or calls or not results:
        call_id = item.get("tool_call_id", item.get("id")) if role == "tool" else None
        yield Message(
            role=role, content="".join(texts), tool_calls=tuple(calls), tool_call_id=_id(call_id)
        )
    yield from results


def _parts(item: Mapping[str, Any]) -> Iterator[str | Mapping[str, Any]]:
    """Yield the parts of a message, in any of their forms."""
    for key in ("parts", "content", "contents"):
        value = item.get(key)
        if isinstance(value, str) and _holds_parts(read_json(value)):
            value = read_json(value)
        if isinstance(value, list):
            for part in value:
                inner = part.get("message_content", part) if isinstance(part, Mapping) else part
                yield inner if isinstance(inner, Mapping) else as_text(inner)
        elif value is not None:
            yield as_text(value)
    calls = read_json(item.get("tool_calls"))
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            yield {**call, "type": "tool_call"}


def _holds_parts(value: Any) -> bool:
    """Return whether a JSON value is a list of message parts, not a list that the model wrote."""
    return isinstance(value, list) and all(
        isinstance(part, Mapping) and part.get("type") in _PART_TYPES for part in value
    )


def _call(part: Mapping[str, Any], at: str, lost: list[str]) -> ToolCall:
    """Return the tool call of a part."""
    call = part.get("tool_call", part)
    call = call if isinstance(call, Mapping) else part
    function = call.get("function", call)
    function = function if isinstance(function, Mapping) else call
    arguments = read_json(function.get("arguments", function.get("input")))
    if arguments is None:
        lost.append(f"{at} calls a tool without its arguments")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        lost.append(f"{at} calls a tool without a name")
    return ToolCall(
        name=str(name or "?"),
        arguments=arguments if isinstance(arguments, dict) else _unread(arguments),
        id=_id(call.get("id")),
    )


def _unread(arguments: Any) -> dict[str, Any] | str:
    """Return arguments that are not an object."""
    return {} if arguments in (None, "") else as_text(arguments)


def _id(value: Any) -> str | None:
    """Return an id as text."""
    return None if value is None else str(value)


def _quote(value: Any) -> str:
    """Quote a value on one line."""
    text = " ".join(json.dumps(value, ensure_ascii=False, default=str).split())
    return text if len(text) <= 60 else text[:60] + "…"


def texts_of(messages: Iterable[Message], *roles: Role) -> list[str]:
    """Return the non-empty texts of the messages with one of some roles."""
    return [m.text for m in messages if m.role in roles and m.text.strip()]
