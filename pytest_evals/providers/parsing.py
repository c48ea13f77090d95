"""Parse values of servers, programs and user code: JSON, counts, tool calls, responses.

A value of any shape becomes one of our nouns, or a ValueError with the invalid value. Each
provider turns the ValueError into its own `AnswerError`.
"""
# ruff: noqa: TRY004 - every invalid value is a ValueError, so that callers handle one error

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
from pytest_evals.providers.sdk_objects import advice
from pytest_evals.providers.usage import count as count  # noqa: PLC0414 - re-exported
from pytest_evals.providers.usage import sdk_usage

QUOTE_LIMIT = 300
"""Maximum length of a text that a message quotes."""

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
"""The keys of a mapping that is a response and not only data."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def quote(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Quote the beginning of a text, on one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= limit else line[:limit] + "…")


def parse_json(body: bytes) -> Json:
    """Parse strict JSON.

    Raises:
        ValueError: it is not JSON, has NaN or an infinity, or is nested too deeply.
    """
    try:
        value = json.loads(body, parse_constant=_reject_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # JSON can have a lone surrogate, which no encoding can store or show.
    return without_surrogates(value) if b"\\ud" in body or b"\\uD" in body else value


def clean_text(text: str) -> str:
    """Replace lone surrogates with the replacement character."""
    return _SURROGATE.sub("\ufffd", text)


def without_surrogates(value: Json) -> Json:
    """Replace lone surrogates in every text of a JSON value."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value


def _reject_constant(name: str) -> NoReturn:
    """Reject NaN and infinities, which Python's parser accepts."""
    raise ValueError(f"{name} is not JSON")


def to_json(value: object) -> Json:
    """Convert a value of user code to JSON: dataclasses, models, dates, sets and so on.

    Raises:
        ValueError: a part of it has no JSON form.
    """
    try:
        plain = to_jsonable_python(value)
        return without_surrogates(_with_text_keys(plain))
    except (PydanticSerializationError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _with_text_keys(value: Json) -> Json:
    """Convert keys of mappings to text, and NaN and infinities to their names."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def to_text(value: Json) -> str:
    """Return a JSON value as text: a text unchanged, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def amount(value: object, field: str) -> float | None:
    """Return a number of USD or seconds.

    Raises:
        ValueError: it is not a number, or below 0.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise ValueError(f"`{field}` is a number of at least 0, found {value!r}")
    return float(value)


def usage_of(value: object) -> Usage:
    """Return the usage of a mapping or an object: in our names, or in those of an SDK.

    Raises:
        ValueError: it is neither, a count is not a whole number of at least 0, or no key is known.
    """
    if value is None:
        return Usage()
    if isinstance(value, Usage):
        return value
    plain = value if isinstance(value, Mapping) else to_json(value)
    if not isinstance(plain, Mapping):
        raise ValueError(f"`usage` is a mapping such as {{input_tokens: 41}}, found {value!r}")
    return sdk_usage(plain)


def tool_calls_of(value: object) -> tuple[ToolCall, ...]:
    """Return the tool calls of a list.

    Its entries are names, ``{name, arguments, id, result, error}``, or an SDK's objects or their
    mappings, such as OpenAI's ``{id, function: {name, arguments}}``.

    Raises:
        ValueError: it is anything else.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"`tool_calls` is a list, found {quote(str(value))}")
    return tuple(_tool_call(item) for item in value)


def _tool_call(item: object) -> ToolCall:
    """Return one tool call."""
    if isinstance(item, ToolCall):
        return item
    if isinstance(item, str) and item:
        return ToolCall(name=item)
    if not isinstance(item, Mapping):
        item = to_json(item)  # an object of an SDK
    if isinstance(item, Mapping):
        function = item.get("function")
        fields = {**item, **function} if isinstance(function, Mapping) else item
        name = fields.get("name", fields.get("tool_name"))
        call_id = fields.get("call_id") or fields.get("tool_call_id") or fields.get("id")
        if isinstance(name, str) and name:
            return ToolCall(
                name=name,
                arguments=arguments_of(
                    fields.get("arguments", fields.get("args", fields.get("input")))
                ),
                id=None if call_id is None else str(call_id),
                result=to_json(fields.get("result")),
                captured="result" in fields or fields.get("error") is not None,
                error=None if fields.get("error") is None else to_text(to_json(fields["error"])),
                duration_s=amount(fields.get("duration_s"), "duration_s"),
            )
    raise ValueError(f"a tool call is a mapping with a `name`, found {quote(str(item))}")


def arguments_of(value: object) -> dict[str, Any] | str:
    """Return the arguments of a tool call: an object, or a text that is not one."""
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
    """Return the response that the result of a target means.

    A text is the text of the response. A mapping with keys among `RESULT_KEYS` names the parts of
    the response; with further keys beside ``text`` or ``answer`` the whole mapping is also its
    data. Any other JSON value is data, and its JSON is the text.

    Raises:
        ValueError: it has no JSON form, or a key has an invalid value.
    """
    if isinstance(value, Response):
        if not {"tool_calls", "tool_calls_known"} & value.model_fields_set:
            value = value.model_copy(update={"tool_calls_known": False})
        return traced(value, value.trace)
    if isinstance(value, str):
        return Response(text=clean_text(str.__str__(value)), tool_calls_known=False)
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("bytes are not an answer; decode them to a text")
    if isinstance(value, Mapping) and _is_result(value):
        return _from_mapping(value)
    problem = advice(value)
    if problem is not None:
        raise ValueError(problem)
    plain = to_json(value)
    return Response(text=to_text(plain), data=plain, tool_calls_known=False)


def _is_result(value: Mapping[Any, Any]) -> bool:
    """Return whether a mapping names the parts of a response."""
    if "text" in value or "answer" in value:
        return True
    return bool(value) and "tool_calls" in value and value.keys() <= RESULT_KEYS


def _from_mapping(value: Mapping[Any, Any]) -> Response:
    """Return the response of a mapping that names its parts."""
    text = value.get("text", value.get("answer"))
    if not value.keys() <= RESULT_KEYS:
        value = {**value, "data": value.get("data", dict(value))}
    data = to_json(value.get("data"))
    if text is not None and not isinstance(text, str):
        text = to_json(text)
        data = text if data is None else data
    response = Response(
        text="" if text is None else clean_text(to_text(text)),
        tool_calls=tool_calls_of(value.get("tool_calls")),
        tool_calls_known="tool_calls" in value,
        finish_reason=_optional_text(value, "finish_reason"),
        refusal=_optional_text(value, "refusal"),
        usage=usage_of(value.get("usage")),
        cost_usd=amount(value.get("cost_usd"), "cost_usd"),
        latency_s=amount(value.get("latency_s"), "latency_s"),
        model=_optional_text(value, "model"),
        data=data,
        metadata=_metadata(value.get("metadata")),
    )
    return traced(response, value.get("trace"))


def _optional_text(value: Mapping[Any, Any], key: str) -> str | None:
    """Return a text; None if it is missing."""
    text = value.get(key)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"`{key}` is a text, found {text!r}")
    return text


def _metadata(value: object) -> dict[str, Any]:
    """Return metadata as JSON."""
    if value is None:
        return {}
    plain = to_json(value)
    if not isinstance(plain, dict):
        raise ValueError(f"`metadata` is a mapping, found {quote(str(value))}")
    return plain


def traced(response: Response, trace: object) -> Response:
    """Return a response with the trace that a target returned: a list of spans, or OTLP/JSON.

    Raises:
        ValueError: it is neither; says where, and what was found.
    """
    if trace is None or (isinstance(trace, list | tuple) and not trace):
        return response
    from pytest_evals.trace.attach import attach_trace
    from pytest_evals.trace.convert import bounded, convert
    from pytest_evals.trace.otlp import is_otlp, read

    if isinstance(trace, Mapping) and is_otlp(trace):
        try:
            raw = [span for part in read(to_json(trace)) for span in part.spans]
        except ValueError as error:
            raise ValueError(f"`trace`, as OTLP/JSON: {error}") from None
        converted = convert(raw)
    else:
        converted = bounded(_spans(trace))
    return attach_trace(response, converted.spans, converted.notes)


def _spans(value: object) -> list[Span]:
    """Return the spans of a list that a target returned."""
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
            detail = error.errors(include_url=False)[0]
            field = ".".join(map(str, detail["loc"]))
            raise ValueError(f"`trace[{i}].{field}`: {detail['msg']}") from None
    return spans
