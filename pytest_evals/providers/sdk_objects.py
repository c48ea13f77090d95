"""Objects of SDKs and agent frameworks that a target returns as they are.

Their JSON is not the output: a text would be compared with ids, and usage and tool calls would be
lost. They are recognized by their attributes, without an import, and the error says what to return.
"""

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple


class _Shape(NamedTuple):
    """A kind of object, and what a target returns in its place."""

    attributes: tuple[str, ...]
    """The attributes that its class or itself has; ``a|b`` is either."""
    instead: str
    """Code, with the object as ``r``."""


_MISSING = object()
_SHAPES = (
    # OpenAI's chat completions, LiteLLM, and what imitates them
    _Shape(
        ("choices", "usage|created"),
        '{"text": r.choices[0].message.content or "", '
        '"tool_calls": r.choices[0].message.tool_calls or [], "usage": r.usage}',
    ),
    _Shape(
        ("role", "content", "refusal|tool_calls|function_call"),
        '{"text": r.content or "", "tool_calls": r.tool_calls or []}',
    ),
    # OpenAI's Responses API
    _Shape(
        ("output_text", "output"),
        '{"text": r.output_text, "usage": r.usage, '
        '"tool_calls": [i for i in r.output if i.type == "function_call"]}',
    ),
    # Anthropic
    _Shape(
        ("content", "stop_reason"),
        '{"text": "".join(b.text for b in r.content if b.type == "text"), '
        '"tool_calls": [b for b in r.content if b.type == "tool_use"], "usage": r.usage}',
    ),
    # google-genai
    _Shape(
        ("candidates", "usage_metadata"),
        '{"text": r.text, "tool_calls": r.function_calls or [], "usage": r.usage_metadata}',
    ),
    # pydantic-ai; openai-agents; smolagents; CrewAI; LlamaIndex
    _Shape(("output", "all_messages"), '{"text": str(r.output), "usage": r.usage()}'),
    _Shape(
        ("final_output", "new_items"),
        '{"text": str(r.final_output), "usage": r.context_wrapper.usage}',
    ),
    _Shape(("output", "state", "steps|messages"), "str(r.output)"),
    _Shape(("raw", "tasks_output"), "r.raw"),
    _Shape(("response", "source_nodes"), "r.response"),
    # LangChain's messages, ADK's events, Haystack's messages
    _Shape(
        ("content", "response_metadata|additional_kwargs"),
        '{"text": r.content, "tool_calls": r.tool_calls, "usage": r.usage_metadata}',
    ),
    _Shape(("content", "author", "invocation_id"), "r.content.parts[0].text"),
    _Shape(("_content", "_role"), "r.text"),
    # MCP; DSPy
    _Shape(
        ("content", "isError|is_error"), '"".join(b.text for b in r.content if b.type == "text")'
    ),
    _Shape(("_store", "_completions"), "the field that is the answer, such as r.answer"),
)


def advice(value: object) -> str | None:
    """Return which object of an SDK a value is or holds, and what to return; None for others.

    Args:
        value: what a target returned.
    """
    whole = _of_object(value, "r")
    if whole is not None:
        return whole
    items: object = value
    where = "r[-1]"
    if isinstance(value, Mapping):
        items, where = value.get("messages"), 'r["messages"][-1]'
    if isinstance(items, list | tuple) and items:
        return _of_object(items[-1], where)
    return None


def _of_object(value: object, name: str) -> str | None:
    """Return which object a value is, and what to return of it under a name."""
    if value is None or isinstance(value, str | bytes | int | float | Mapping | list | tuple | set):
        return None
    label = f"{type(value).__module__.partition('.')[0]}'s {type(value).__name__}"
    if isinstance(value, Iterator | AsyncIterator):
        return f"{label} is a stream; read it and return the whole answer"
    for shape in _SHAPES:
        if all(_has_any(value, names.split("|")) for names in shape.attributes):
            code = shape.instead.replace("r.", f"{name}.") if name != "r" else shape.instead
            return f"{label} is not an answer; with it as `r`, return {code}"
    if getattr(value, "type", None) == "text" and isinstance(getattr(value, "text", None), str):
        return f"{label} is a part of an answer; return its text"
    return None


def _has_any(value: object, names: list[str]) -> bool:
    """Whether an object has one of several attributes, without running code of its class."""
    is_model = inspect.getattr_static(value, "__pydantic_extra__", _MISSING) is not _MISSING
    extra = getattr(value, "__pydantic_extra__", None) if is_model else None
    return any(
        inspect.getattr_static(value, name, _MISSING) is not _MISSING
        or (isinstance(extra, dict) and name in extra)
        for name in names
    )
