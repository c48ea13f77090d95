"""HttpCall and HttpAnswer: what is compared, what is stored_response, and what comes back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.exchange import Response, Usage
from pytest_evals.ground.canonical import digest
from pytest_evals.providers.http_calls import (
    HttpAnswer,
    HttpCall,
    read_answer,
    replay_answer,
    stored_response,
)
from pytest_evals.providers.recording import RecordOptions

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
URL = "https://api.example.com/v1/chat/completions"


def call(body: bytes = b"", url: str = URL, **headers: str) -> HttpCall:
    """Make a call."""
    return HttpCall("POST", url, {name.replace("_", "-"): v for name, v in headers.items()}, body)


def events(*values: object) -> HttpAnswer:
    """Make an event stream."""
    body = "".join(f"data: {v if isinstance(v, str) else json.dumps(v)}\n\n" for v in values)
    return HttpAnswer(200, (("content-type", "text/event-stream; charset=utf-8"),), body.encode())


@given(st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=4))
def test_the_order_of_keys_and_the_headers_do_not_matter(body):
    """Equal JSON is one question, whatever sends it and however it is written."""
    turned = json.dumps(dict(reversed(body.items())), indent=3, ensure_ascii=False)
    one = call(json.dumps(body).encode(), user_agent="a", authorization="Bearer x")
    other = call(turned.encode(), user_agent="b", idempotency_key="123")
    assert digest(one.identity()) == digest(other.identity())


@given(VALUES, VALUES)
def test_other_bodies_are_other_questions(a, b):
    """What differs as JSON differs as a question."""
    one, other = (call(json.dumps({"x": value}).encode()) for value in (a, b))
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert same == (digest(one.identity()) == digest(other.identity()))


@given(VALUES, st.integers(200, 299))
def test_a_json_answer_comes_back_as_it_was(value, status):
    """Through the store's own JSON too."""
    answer = HttpAnswer(status, body=json.dumps(value).encode())
    stored = Response.model_validate_json(stored_response(answer, call()).model_dump_json())
    back = replay_answer(stored)
    assert (status, "application/json") == (back.status, back.type)
    assert value == json.loads(back.body)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_stream_or_a_text_comes_back_byte_by_byte(text):
    """Whatever stands in it, well-formed or not."""
    for kind in ("text/event-stream", "text/plain", "application/x-ndjson", "application/json"):
        answer = HttpAnswer(200, (("content-type", kind),), f"data {text}".encode())
        assert answer.body == replay_answer(stored_response(answer, call())).body
        assert answer.body == b"".join(answer.parts())


def test_a_boundary_is_no_part_of_an_upload():
    """Two uploads of one file are equal, of another file not."""
    bodies = [
        b"--%s\r\n\r\n%s\r\n--%s--" % x
        for x in ((b"q1", b"A", b"q1"), (b"q2", b"A", b"q2"), (b"q2", b"B", b"q2"))
    ]
    kinds = ["multipart/form-data; boundary=q1", 'Multipart/Form-Data; boundary="q2"'] * 2
    a, same, other = (
        call(b, content_type=kind).content()
        for b, kind in zip(bodies, [*kinds[:2], kinds[1]], strict=True)
    )
    assert a == same != other


@pytest.mark.parametrize("body", [b'{"x": 1e999}', b"[" * 50_000, b'{"a": NaN}', b"\xff\xfe"])
def test_a_body_that_is_no_json_to_keep_is_compared_as_bytes(body):
    """Numbers without end, depths without end, broken text."""
    assert 64 == len(call(body).content())
    assert call(body).identity() != call(body + b" ").identity()


def test_an_address_without_its_secrets():
    """Keys in the query and names before the host are neither compared nor kept."""
    url = "https://me:pw@h.example/v1/x?api-version=2&key=K1&sig=abcdefgh#part"
    assert "https://h.example/v1/x?api-version=2" == call(url=url).public_url()
    assert "abcdefgh" in call(url=url).secrets()


def test_a_key_that_a_server_repeats_is_not_kept():
    """Neither the whole header nor the key in it."""
    asked = call(authorization="Bearer abc-123-def", x_api_key="other-key-1")
    answer = HttpAnswer(200, body=b'{"echo": "Bearer abc-123-def", "k": ["other-key-1"]}')
    assert {"echo": "Bearer [redacted]", "k": ["[redacted]"]} == stored_response(
        answer, asked
    ).data["json"]


CHAT = {"model": "m", "choices": [{"delta": {"content": "x"}, "finish_reason": None}]}
END = {"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]}
STARTED = {
    "type": "message_start",
    "message": {
        "model": "c",
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1},
    },
}
DELTA = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}
CREATED = {"type": "response.created", "response": {"model": "r", "error": None}}
COMPLETED = {
    "type": "response.completed",
    "response": {
        "model": "r",
        "usage": {
            "input_tokens": 5,
            "output_tokens": 6,
            "input_tokens_details": {"cached_tokens": 2},
        },
    },
}


@pytest.mark.parametrize(
    ("answer", "usage", "whole"),
    [
        (events(CHAT, END, {**CHAT, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, "[DONE]"), Usage(input_tokens=3, output_tokens=2), True),
        (events(CHAT, END), Usage(), True),
        (events(CHAT), Usage(), False),
        (events(CHAT, {"error": {"message": "no"}}), Usage(), False),
        (events(STARTED, DELTA, {"type": "message_stop"}), Usage(input_tokens=13, output_tokens=7, cached_tokens=4), True),
        (events(STARTED, DELTA), Usage(input_tokens=13, output_tokens=7, cached_tokens=4), False),
        (events(STARTED, {"type": "error", "error": {"type": "overloaded_error"}}), Usage(input_tokens=13, output_tokens=1, cached_tokens=4), False),
        (events(CREATED, COMPLETED), Usage(input_tokens=5, output_tokens=6, cached_tokens=2), True),
        (events(CREATED, {"type": "response.failed", "response": {}}), Usage(), False),
        (events("not json"), Usage(), True),
        (HttpAnswer(200, body=b'{"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "thoughtsTokenCount": 2}}'), Usage(input_tokens=4, output_tokens=3, reasoning_tokens=2), True),
        (HttpAnswer(200, body=b'{"error": {"message": "quota"}}'), Usage(), False),
        (HttpAnswer(200, body=b'{"error": null, "output": []}'), Usage(), True),
        (HttpAnswer(200, body=b"[" * 100_000), Usage(), True),
    ],
)  # fmt: skip
def test_tokens_are_read_and_half_an_answer_is_none(answer, usage, whole):
    """OpenAI's chat and responses, Anthropic's messages, Gemini; streams that end too early."""
    reading = read_answer(answer)
    assert (usage, whole) == (reading.usage, reading.fault is None)


@pytest.mark.parametrize(
    ("record", "method", "url", "wanted"),
    [
        (
            True,
            "POST",
            "https://any.example/openai/deployments/x/chat/completions?api-version=1",
            True,
        ),
        (True, "POST", "https://any.example/v1/models/g:streamGenerateContent?alt=sse", True),
        (True, "GET", "https://any.example/v1/chat/completions", False),
        (True, "POST", "https://any.example/search", False),
        ("https://a.example/v1", "GET", "https://a.example/v1/models", True),
        ("https://a.example/v1/", "GET", "https://a.example/v1?x=1", True),
        ("https://a.example/v1", "POST", "https://a.example/v10/messages", False),
        ("https://a.example", "POST", "https://a.example.evil.example/messages", False),
    ],
)
def test_which_calls_are_meant(record, method, url, wanted):
    """True means model APIs by how their addresses end; an address, whatever lies below it."""
    assert wanted == RecordOptions.model_validate({"http": record}).wants(method, url)
