"""OTLP/JSON: both encodings, what official encoders write, and what is wrong told with its place."""

import base64
import json

import pytest

from pytest_evals.span import Span
from pytest_evals.trace.convert import (
    LONGEST_TEXT,
    MOST_SPANS,
    MOST_TEXT,
    bounded,
    convert,
)
from pytest_evals.trace.otlp import OtlpError, is_otlp, read, read_text
from pytest_evals.trace.raw_span import RawSpan
from pytest_evals.trace.tree import Tree

TRACE, TOP, LOW = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"


def otlp(*spans):
    """Wrap spans as an exporter does."""
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [*spans]}]}]}


HEX = otlp(
    {
        "traceId": TRACE,
        "spanId": LOW,
        "parentSpanId": TOP,
        "name": "execute_tool find",
        "startTimeUnixNano": "1700000001500000000",
        "endTimeUnixNano": "1700000002000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "n", "value": {"intValue": "7"}},
            {"key": "f", "value": {"doubleValue": 0.5}},
            {"key": "b", "value": {"boolValue": False}},
            {"key": "l", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
            {
                "key": "m",
                "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
            },
        ],
        "events": [
            {
                "timeUnixNano": "1700000001600000000",
                "name": "exception",
                "attributes": [
                    {"key": "exception.type", "value": {"stringValue": "LookupError"}},
                    {"key": "exception.message", "value": {"stringValue": "gone"}},
                ],
            }
        ],
        "status": {"code": 2},
    },
    {
        "traceId": TRACE,
        "spanId": TOP,
        "name": "invoke_agent a",
        "startTimeUnixNano": "1700000001000000000",
        "endTimeUnixNano": "1700000003000000000",
    },
)


def as_protobuf_json(value):
    """Write the same as protobuf's own JSON: ids in base64, snake case, the status by its name."""
    if isinstance(value, list):
        return [as_protobuf_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, item in value.items():
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in key)
        if key in {"traceId", "spanId", "parentSpanId"}:
            made[name] = base64.b64encode(bytes.fromhex(item)).decode()
        elif key == "status":
            made[name] = {"code": "STATUS_CODE_ERROR"}
        elif key in {"intValue", "startTimeUnixNano"}:
            made[name] = int(item)
        else:
            made[name] = as_protobuf_json(item)
    return made


@pytest.mark.parametrize("value", [HEX, as_protobuf_json(HEX)], ids=["hex", "base64"])
def test_both_encodings_say_the_same(value):
    """Ids, whole numbers, kinds of values, status, events, and times from the trace's beginning."""
    (trace,) = read(json.loads(json.dumps(value)))
    assert TRACE == trace.id
    top, low = Tree(convert(trace.spans).spans).spans
    assert (TOP, None, "agent", 0.0, 2.0, None) == (
        top.id, top.parent, "agent", top.start_s, top.end_s, top.error,
    )  # fmt: skip
    assert (LOW, TOP, "tool_call", 0.5, 1.0) == (
        low.id, low.parent, low.kind, low.start_s, low.end_s,
    )  # fmt: skip
    assert "LookupError: gone" == low.error
    told = {key: low.attributes[key] for key in "nfblm"}
    assert {"n": 7, "f": 0.5, "b": False, "l": [1], "m": {"k": "v"}} == told
    assert [("exception", 0.6)] == [(e["name"], e["at_s"]) for e in low.attributes["events"]]


def test_what_the_official_encoder_writes_is_read():
    """Spans of the SDK, encoded to protobuf by OpenTelemetry and to JSON by protobuf."""
    common = pytest.importorskip("opentelemetry.exporter.otlp.proto.common.trace_encoder")
    json_format = pytest.importorskip("google.protobuf.json_format")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Status, StatusCode

    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    with (
        tracer.start_as_current_span("top", attributes={"n": 2**40, "l": ["a", "b"]}) as top,
        tracer.start_as_current_span("low") as low,
    ):
        low.set_status(Status(StatusCode.ERROR, "it broke"))
        low.add_event("seen", {"what": "é\u2028\x00"})
    text = json_format.MessageToJson(common.encode_spans([low, top]))
    (trace,) = read_text(text)
    assert f"{top.get_span_context().trace_id:032x}" == trace.id
    first, second = convert(trace.spans).spans
    assert {"n": 2**40, "l": ["a", "b"]} == first.attributes
    assert (first.id, "it broke") == (second.parent, second.error)
    assert "é\u2028\x00" == second.attributes["events"][0]["attributes"]["what"]


def test_a_collectors_lines_are_read_together():
    """One request a line; spans of one trace come together, what was sent twice counts once."""
    low, top = HEX["resourceSpans"][0]["scopeSpans"][0]["spans"]
    text = "\n".join(json.dumps(one) for one in (otlp(top), otlp(low), otlp(top), {**HEX}))
    (trace,) = read_text(text + "\n\n")
    assert [TOP, LOW] == [span.id for span in trace.spans]


def test_several_traces_come_in_the_order_they_began():
    """Not in the order they stand."""
    low, top = HEX["resourceSpans"][0]["scopeSpans"][0]["spans"]
    other = {**top, "traceId": "f" * 32, "startTimeUnixNano": "1"}
    assert ["f" * 32, TRACE] == [trace.id for trace in read(otlp(low, other, top))]


def changed(**keys):
    """Return a trace of one span with other keys."""
    span = {"traceId": TRACE, "spanId": TOP, "name": "a", "startTimeUnixNano": 1}
    return otlp({**span, **keys})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "expected an object with `resourceSpans`, found []"),
        ({"spans": []}, "expected an object with `resourceSpans`, found 'spans'"),
        ({"resourceSpans": {}}, "resourceSpans: expected a list, found {}"),
        (otlp("x"), "resourceSpans[0].scopeSpans[0].spans[0]: expected a span, found 'x'"),
        (changed(spanId="xyz"), "spans[0].spanId: expected an id of 16 hexadecimal digits"),
        (changed(spanId=None), "spans[0].spanId: expected an id of 16 hexadecimal digits"),
        (changed(traceId="0" * 32), "spans[0].traceId: expected an id that is not all zeros"),
        (changed(startTimeUnixNano="soon"), "start time: expected a whole number, found 'soon'"),
        (changed(startTimeUnixNano=None), "start time: expected a whole number, found None"),
        (changed(attributes=[{"value": 1}]), "attributes[0]: expected `key` and `value`"),
        (
            changed(attributes=[{"key": "a", "value": {"wordValue": 1}}]),
            "attributes[0].value: expected stringValue, intValue or a similar key, found 'wordValue'",
        ),
        (
            changed(attributes=[{"key": "a", "value": {"intValue": "x"}}]),
            "attributes[0].intValue: expected a whole number, found 'x'",
        ),
    ],
)
def test_what_is_no_trace_is_refused_with_its_place(value, message):
    """Where it stands, what was expected and what was found."""
    with pytest.raises(OtlpError) as caught:
        read(value)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}\n{', "[" * 100_000])
def test_what_is_no_json_is_refused(text):
    """With the line."""
    with pytest.raises(OtlpError, match=r"this is not JSON|expected an object|it is empty"):
        read_text(text)


def test_tempo_and_empty_files():
    """Grafana Tempo wraps the same in `trace` and calls it `batches`; an empty list is no error."""
    inner = {"batches": HEX["resourceSpans"]}
    assert is_otlp({"trace": inner})
    assert 2 == len(read({"trace": inner})[0].spans)
    assert [] == read({"resourceSpans": []})


def raw(i, **keys):
    """Make a span as OpenTelemetry tells it."""
    given = {"parent": None, "name": f"n{i}", "start_ns": i, "end_ns": i + 1, "attributes": {}}
    return RawSpan(id=f"{i + 1:016x}", **{**given, **keys})


def test_what_is_too_much_is_cut_and_told():
    """The first spans are kept, long texts and the whole are bounded, and notes say what is lost."""
    made = convert((raw(i) for i in range(MOST_SPANS + 5)), lost=10)
    assert MOST_SPANS == len(made.spans)
    assert [f"15 of {MOST_SPANS + 15:,} spans were left out: 1,000 are kept"] == made.notes

    made = convert([raw(0, attributes={"a": "x" * 5_000_000, "b": ["y" * 40_000]})])
    assert LONGEST_TEXT < len(made.spans[0].attributes["a"]) < LONGEST_TEXT + 20
    assert [
        "2 values were cut, the longest from 5,000,000 characters: 32,000 of one are kept, 1,000,000 of all"
    ] == made.notes

    long = {"a": "x" * 31_000, "gen_ai.tool.name": "find"}
    made = convert(raw(i, attributes=long) for i in range(100))
    assert MOST_TEXT <= len("".join(s.attributes["a"] for s in made.spans)) < MOST_TEXT + 1_000
    assert {"find"} == {span.attributes["gen_ai.tool.name"] for span in made.spans}
    assert 1 == len(made.notes)

    own = bounded([Span(id="a", name="a", attributes={"a": "x" * 50_000})])
    assert [
        "1 value was cut, the longest from 50,000 characters: 32,000 of one are kept, 1,000,000 of all"
    ] == own.notes


def test_spans_that_are_open_and_attributes_that_are_dropped_are_told():
    """They are no fault of ours, but the trace is not whole."""
    made = convert([raw(0, end_ns=None, dropped=3)])
    assert [
        "3 attributes or events were dropped by the application's limits",
        "1 span was still open when the answer was there: 'n0'",
    ] == made.notes


def test_values_that_json_has_not_become_texts():
    """Numbers that are none, bytes, half characters, and values nested too deeply."""
    deep: list = []
    for _ in range(100):
        deep = [deep]
    made = convert([raw(0, attributes={"n": float("nan"), "b": b"\x01", "s": "\ud800", "d": deep})])
    (span,) = made.spans
    assert ("nan", "01", "?") == tuple(span.attributes[key] for key in "nbs")
    assert Span.model_validate_json(span.model_dump_json()) == span
