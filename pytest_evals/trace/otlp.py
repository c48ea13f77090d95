"""Read OTLP/JSON, the format in which OpenTelemetry's exporters and collectors write traces.

All encodings in use are read: ids in hexadecimal (OTLP) or base64 (protobuf's JSON), integers as
numbers or text, names in camelCase or snake_case, and a status by number or name.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.trace.raw_span import OtlpTrace, RawSpan

_HEX = re.compile(r"[0-9a-fA-F]+")
_TOPS = ("resourceSpans", "resource_spans", "batches")
_ERROR_STATUS = (2, "2", "STATUS_CODE_ERROR", "ERROR")


class OtlpError(ValueError):
    """A value is not an OTLP/JSON trace; says where, and what was expected."""


def is_otlp(value: Json) -> bool:
    """Return whether a JSON value looks like OTLP/JSON."""
    return isinstance(value, Mapping) and (
        any(key in value for key in _TOPS) or is_otlp(value.get("trace"))
    )


def read_text(text: str) -> list[OtlpTrace]:
    """Read the text of a file: one JSON value, or one a line as collectors write it.

    Raises:
        OtlpError: it is not OTLP/JSON.
    """
    try:
        values = [json.loads(text)]
    except (ValueError, RecursionError) as whole:
        values = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                where = f"line {number}: {error}" if number > 1 else str(whole)
                raise OtlpError(f"this is not JSON: {where}") from None
    if not values:
        raise OtlpError("it is empty")
    return read(*values)


def read(*values: Json) -> list[OtlpTrace]:
    """Read traces by start time; duplicate spans are read once.

    Raises:
        OtlpError: a value is not OTLP/JSON; says where, and what was expected.
    """
    traces: dict[str, OtlpTrace] = {}
    seen: set[tuple[str, str]] = set()
    for number, value in enumerate(values):
        at = f"value {number + 1}: " if len(values) > 1 else ""
        for trace_id, span in _spans(value, at):
            if (trace_id, span.id) not in seen:
                seen.add((trace_id, span.id))
                traces.setdefault(trace_id, OtlpTrace(trace_id)).spans.append(span)
    return sorted(traces.values(), key=lambda trace: trace.start_ns)


def _spans(value: Json, at: str) -> Iterator[tuple[str, RawSpan]]:
    """Yield every span of a value with the id of its trace."""
    if isinstance(value, Mapping) and is_otlp(value.get("trace")):
        value = value["trace"]
    if not isinstance(value, Mapping) or not is_otlp(value):
        keys = ", ".join(map(str, list(value)[:5])) if isinstance(value, Mapping) else value
        raise OtlpError(
            f"{at}expected an object with `resourceSpans`, found {_quote(keys)}; write the trace "
            "with an OTLP/JSON exporter (a collector's `file` exporter does)"
        )
    top = next(key for key in _TOPS if key in value)
    for i, resource in enumerate(_list(value, f"{at}{top}", top)):
        where = f"{at}{top}[{i}]"
        scopes = "scopeSpans", "scope_spans", "instrumentationLibrarySpans"
        for j, scope in enumerate(_list(resource, f"{where}.scopeSpans", *scopes)):
            inner = f"{where}.scopeSpans[{j}]"
            for k, span in enumerate(_list(scope, f"{inner}.spans", "spans")):
                yield _span(span, f"{inner}.spans[{k}]")


def _span(value: Json, at: str) -> tuple[str, RawSpan]:
    """Read one span."""
    if not isinstance(value, Mapping):
        raise OtlpError(f"{at}: expected a span, found {_quote(value)}")
    trace_id = _id(_get(value, "traceId", "trace_id"), 16, f"{at}.traceId")
    span_id = _id(_get(value, "spanId", "span_id"), 8, f"{at}.spanId")
    parent = _get(value, "parentSpanId", "parent_span_id")
    start = _int(_get(value, "startTimeUnixNano", "start_time_unix_nano"), f"{at}.start time")
    end = _get(value, "endTimeUnixNano", "end_time_unix_nano")
    status = value.get("status") or {}
    dropped = (
        ("droppedAttributesCount", "dropped_attributes_count"),
        (
            "droppedEventsCount",
            "dropped_events_count",
        ),
    )
    if trace_id is None or span_id is None:
        which = "traceId" if trace_id is None else "spanId"
        raise OtlpError(f"{at}.{which}: expected an id that is not all zeros")
    return trace_id, RawSpan(
        id=span_id,
        parent=None if parent in {None, ""} else _id(parent, 8, f"{at}.parentSpanId"),
        name=str(value.get("name", "")),
        start_ns=start,
        end_ns=_int(end, f"{at}.end time") or None if end is not None else None,
        attributes=_attributes(value.get("attributes"), at),
        events=[
            (
                str(event.get("name", "")),
                _int(_get(event, "timeUnixNano", "time_unix_nano") or 0, f"{at}.events[{i}] time"),
                _attributes(event.get("attributes"), f"{at}.events[{i}]"),
            )
            for i, event in enumerate(_list(value, f"{at}.events", "events"))
            if isinstance(event, Mapping)
        ],
        failed=isinstance(status, Mapping) and status.get("code") in _ERROR_STATUS,
        message=str(status.get("message", "")) if isinstance(status, Mapping) else "",
        dropped=sum(_int(_get(value, *names) or 0, f"{at}.{names[0]}") for names in dropped),
    )


def _get(value: Mapping[str, Any], *names: str) -> Any:
    """Return the value under the first of several names that is present."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def _list(value: Json, at: str, *names: str) -> list[Any]:
    """Return a list; empty if it is missing."""
    if not isinstance(value, Mapping):
        raise OtlpError(f"{at.rpartition('.')[0]}: expected an object, found {_quote(value)}")
    items = _get(value, *names)
    if items is None:
        return []
    if not isinstance(items, list):
        raise OtlpError(f"{at}: expected a list, found {_quote(items)}")
    return items


def _id(value: Json, size: int, at: str) -> str | None:
    """Read an id of `size` bytes; None if it is all zeros.

    Raises:
        OtlpError: it is not such an id.
    """
    if isinstance(value, str):
        if len(value) == 2 * size and _HEX.fullmatch(value):
            return value.lower() if value.strip("0") else None
        try:
            read = base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            read = b""
        if len(read) == size:
            return read.hex() if any(read) else None
    raise OtlpError(
        f"{at}: expected an id of {2 * size} hexadecimal digits (or its base64), found "
        f"{_quote(value)}"
    )


def _int(value: Json, at: str) -> int:
    """Read an integer, which may be written as text.

    Raises:
        OtlpError: it is not an integer.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise OtlpError(f"{at}: expected a whole number, found {_quote(value)}")


def _attributes(value: Json, at: str) -> dict[str, Any]:
    """Read a list of keys and values, or a plain mapping."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list):
        raise OtlpError(f"{at}.attributes: expected a list, found {_quote(value)}")
    attributes = {}
    for i, item in enumerate(value):
        if not isinstance(item, Mapping) or not isinstance(item.get("key"), str):
            raise OtlpError(
                f"{at}.attributes[{i}]: expected `key` and `value`, found {_quote(item)}"
            )
        attributes[item["key"]] = _value(item.get("value"), f"{at}.attributes[{i}]", 0)
    return attributes


def _value(value: Json, at: str, depth: int) -> Any:
    """Read a typed value."""
    if value is None or value == {}:
        return None
    if not isinstance(value, Mapping) or len(value) != 1 or depth > 50:
        raise OtlpError(f"{at}.value: expected one typed value, found {_quote(value)}")
    ((type_, inner),) = value.items()
    type_ = re.sub(r"_(\w)", lambda m: m[1].upper(), type_)
    if type_ == "intValue":
        return _int(inner, f"{at}.intValue")
    if type_ == "arrayValue":
        return [_value(item, at, depth + 1) for item in _list(inner, f"{at}.values", "values")]
    if type_ == "kvlistValue":
        items = _list(inner, f"{at}.values", "values")
        return {
            str(item.get("key")): _value(item.get("value"), at, depth + 1)
            for item in items
            if isinstance(item, Mapping)
        }
    if type_ in {"stringValue", "boolValue", "doubleValue", "bytesValue"}:
        return inner
    raise OtlpError(f"{at}.value: expected stringValue, intValue or a similar key, found {type_!r}")


def _quote(value: object) -> str:
    """Quote a value on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:80] + "…"
