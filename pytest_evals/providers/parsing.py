"""What comes from outside, made plain: JSON that is really JSON, counts, tool calls, answers.

Servers, programs and user code give all shapes of values. Here they become our nouns, or a
ValueError that says what was found; each provider makes its own `AnswerError` of that.
"""
# ruff: noqa: TRY004 - a wrong type is a wrong value here: callers handle one error

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from pytest_evals.exchange import Response, Span, Usage
from pytest_evals.ground.canonical import Json
from pytest_evals.message import ToolCall

QUOTE_LIMIT = 300
"""Characters of foreign text that a message quotes."""

RESULT_KEYS = frozenset(
    {
        "text",
        "answer",
        "tool_calls",
        "finish_reason",
        "refusal",
        "usage",
        "cost_usd",
        "latency_s",
        "model",
        "data",
        "metadata",
        "trace",
    }
)
"""The keys by which a mapping says that it is an answer and not merely data."""

_USAGE_NAMES: Mapping[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cached_tokens": ("cached_tokens", "cache_read_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "thinking_tokens"),
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def quote(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Quote the beginning of a text, on one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= limit else line[:limit] + "…")


def parse_json(body: bytes) -> Json:
    """Read JSON, and nothing else.

    Raises:
        ValueError: it is not JSON, holds NaN or an infinity, or is nested too deeply.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # A lone surrogate is legal in JSON and in no encoded text: it could not be stored or shown.
    return without_surrogates(value) if b"\\ud" in body or b"\\uD" in body else value


def clean_text(text: str) -> str:
    """Put the replacement character in the place of every lone surrogate."""
    return _SURROGATE.sub("\ufffd", text)


def without_surrogates(value: Json) -> Json:
    """Clean every text in a JSON value."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what Python's reader takes though JSON has no such number."""
    raise ValueError(f"{name} is not JSON")


def to_json(value: object) -> Json:
    """Make a value of user code plain JSON: dataclasses, models, dates, sets and the like too.

    Raises:
        ValueError: something in it has no JSON form.
    """
    try:
        plain = to_jsonable_python(value)
        return without_surrogates(_with_text_keys(plain))
    except (PydanticSerializationError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _with_text_keys(value: Json) -> Json:
    """Make every key of a mapping a text, and every number one that JSON has."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def to_text(value: Json) -> str:
    """Write a JSON value as the text of an answer: a text as it is, any other as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count(value: object) -> int | None:
    """Return a number of tokens; None for what is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e15 and int(value) == value else None


def amount(value: object, what: str) -> float | None:
    """Return a number of USD or seconds.

    Raises:
        ValueError: it is not a number, or below 0.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise ValueError(f"`{what}` is a number of at least 0, found {value!r}")
    return float(value)


def usage_of(value: object) -> Usage:
    """Make a Usage of a mapping; OpenAI's names for the counts are known too.

    Raises:
        ValueError: it is no mapping, or a count is not a whole number of at least 0.
    """
    if value is None:
        return Usage()
    if isinstance(value, Usage):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"`usage` is a mapping such as {{input_tokens: 41}}, found {value!r}")
    counts: dict[str, int | None] = {}
    for field, names in _USAGE_NAMES.items():
        for name in names:
            if value.get(name) is not None:
                counts[field] = count(value[name])
                if counts[field] is None:
                    raise ValueError(
                        f"`usage.{name}` is a whole number of at least 0, found {value[name]!r}"
                    )
    return Usage(**counts)


def tool_calls_of(value: object) -> tuple[ToolCall, ...]:
    """Make tool calls of a list.

    Its entries are names, ``{name, arguments, id, result, error}``, or OpenAI's form
    ``{id, function: {name, arguments}}``.

    Raises:
        ValueError: it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"`tool_calls` is a list, found {quote(str(value))}")
    return tuple(_tool_call(item) for item in value)


def _tool_call(item: object) -> ToolCall:
    """Make one tool call."""
    if isinstance(item, ToolCall):
        return item
    if isinstance(item, str) and item:
        return ToolCall(name=item)
    if isinstance(item, Mapping):
        function = item.get("function")
        own = {**item, **function} if isinstance(function, Mapping) else item
        if isinstance(own.get("name"), str) and own["name"]:
            return ToolCall(
                name=own["name"],
                arguments=arguments_of(own.get("arguments", own.get("args"))),
                id=None if own.get("id") is None else str(own["id"]),
                result=to_json(own.get("result")),
                captured="result" in own or own.get("error") is not None,
                error=None if own.get("error") is None else to_text(to_json(own["error"])),
                duration_s=amount(own.get("duration_s"), "duration_s"),
            )
    raise ValueError(f"a tool call is a mapping with a `name`, found {quote(str(item))}")


def arguments_of(value: object) -> dict[str, Any] | str:
    """Make a tool's arguments: an object, or the text of one; any other text stays a text."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            parsed = parse_json(value.encode("utf-8", "replace"))
        except ValueError:
            return clean_text(value)
        return dict(parsed) if isinstance(parsed, dict) else clean_text(value)
    plain = to_json(value)
    return dict(plain) if isinstance(plain, dict) else to_text(plain)


def response_of(value: object) -> Response:
    """Make a Response of what a target gave back.

    A text is the answer. A mapping whose keys are among `RESULT_KEYS` says each thing by its name;
    one that has further keys beside ``text`` or ``answer`` is kept whole as the answer's data. Any
    other JSON value is data, and its JSON is the text.

    Raises:
        ValueError: it has no JSON form, or one of the known keys holds what it cannot.
    """
    if isinstance(value, Response):
        return traced(value, value.trace)
    if isinstance(value, str):
        return Response(text=clean_text(str.__str__(value)))
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("bytes are not an answer; decode them to a text")
    if isinstance(value, Mapping) and _is_result(value):
        return _named(value)
    plain = to_json(value)
    return Response(text=to_text(plain), data=plain)


def _is_result(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping names the parts of an answer."""
    if "text" in value or "answer" in value:
        return True
    return bool(value) and "tool_calls" in value and value.keys() <= RESULT_KEYS


def _named(value: Mapping[Any, Any]) -> Response:
    """Make a Response of a mapping that names its parts."""
    text = value.get("text", value.get("answer"))
    whole = not value.keys() <= RESULT_KEYS
    if whole:
        value = {**value, "data": value.get("data", dict(value))}
    data = to_json(value.get("data"))
    if text is not None and not isinstance(text, str):
        text = to_json(text)
        data = text if data is None else data
    made = Response(
        text="" if text is None else clean_text(to_text(text)),
        tool_calls=tool_calls_of(value.get("tool_calls")),
        finish_reason=_optional_text(value, "finish_reason"),
        refusal=_optional_text(value, "refusal"),
        usage=usage_of(value.get("usage")),
        cost_usd=amount(value.get("cost_usd"), "cost_usd"),
        latency_s=amount(value.get("latency_s"), "latency_s"),
        model=_optional_text(value, "model"),
        data=data,
        metadata=_metadata(value.get("metadata")),
    )
    return traced(made, value.get("trace"))


def _optional_text(value: Mapping[Any, Any], key: str) -> str | None:
    """Return a text that may be missing."""
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"`{key}` is a text, found {found!r}")
    return found


def _metadata(value: object) -> dict[str, Any]:
    """Return metadata as plain JSON."""
    if value is None:
        return {}
    plain = to_json(value)
    if not isinstance(plain, dict):
        raise ValueError(f"`metadata` is a mapping, found {quote(str(value))}")
    return plain


def traced(response: Response, trace: object) -> Response:
    """Return a response with a trace that a target hands over: a list of spans, or OTLP/JSON.

    Raises:
        ValueError: it is neither, with where and what was found.
    """
    if trace is None or (isinstance(trace, list | tuple) and not trace):
        return response
    from pytest_evals.trace.attach import attach_trace
    from pytest_evals.trace.convert import bounded, convert
    from pytest_evals.trace.otlp import is_otlp, read

    if isinstance(trace, Mapping) and is_otlp(trace):
        try:
            whole = [span for one in read(to_json(trace)) for span in one.spans]
        except ValueError as error:
            raise ValueError(f"`trace`, as OTLP/JSON: {error}") from None
        made = convert(whole)
    else:
        made = bounded(_spans(trace))
    return attach_trace(response, made.spans, made.notes)


def _spans(value: object) -> list[Span]:
    """Return the spans of a trace that a target made itself."""
    if not isinstance(value, list | tuple):
        raise ValueError(
            "`trace` is a list of spans, or an object with `resourceSpans` (OTLP/JSON), found "
            f"{quote(str(value))}"
        )
    spans = []
    for i, item in enumerate(value):
        try:
            spans.append(item if isinstance(item, Span) else Span.model_validate(to_json(item)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"`trace[{i}].{where}`: {first['msg']}") from None
    return spans
