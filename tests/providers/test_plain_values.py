"""Foreign values become plain JSON, counts, calls and answers, or a clear ValueError."""

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.exchange import Response, Span, Usage
from pytest_evals.message import ToolCall
from pytest_evals.providers.parsing import (
    arguments_of,
    parse_json,
    response_of,
    to_json,
    tool_calls_of,
    usage_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_survives(value):
    """Plain JSON stays what it is, but for infinities, which JSON has not."""
    if "Infinity" in json.dumps(value):
        return
    assert to_json(value) == value
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes(body):
    """Whatever bytes come, they are JSON or a ValueError."""
    try:
        value = parse_json(body)
    except ValueError:
        return
    json.dumps(value, allow_nan=False).encode()


@given(JSON)
def test_any_json_is_an_answer_or_a_value_error(value):
    """Whatever JSON a program writes, it becomes an answer that can be stored, or a ValueError."""
    try:
        response = response_of(value)
    except ValueError:
        return
    assert Response.model_validate_json(response.model_dump_json()).text == response.text


class Colour(str, Enum):  # noqa: UP042 - the form that is not str() itself
    """A text that is not quite one."""

    RED = "red"


@dataclass
class Point:
    """A value of user code."""

    x: int
    seen: date


def test_values_of_user_code():
    """Dataclasses, dates, sets, enums and keys that are no texts have a JSON form."""
    value = {1: Point(2, date(2024, 1, 2)), "c": Colour.RED, "t": (1, 2), "s": {3}}
    assert to_json(value) == {
        "1": {"x": 2, "seen": "2024-01-02"},
        "c": "red",
        "t": [1, 2],
        "s": [3],
    }
    assert to_json([float("nan"), float("-inf")]) == ["NaN", "-Infinity"]
    with pytest.raises(ValueError, match="object"):
        to_json({"a": object()})


def test_answers():
    """A text, a mapping that names its parts, and data."""
    assert response_of("x").text == "x"
    assert response_of(Colour.RED).text == "red"
    assert response_of(42) == Response(text="42", data=42, tool_calls_known=False)
    assert response_of(["ü"]) == Response(text='["ü"]', data=["ü"], tool_calls_known=False)
    assert response_of({"city": "Rom"}) == Response(
        text='{"city": "Rom"}', data={"city": "Rom"}, tool_calls_known=False
    )
    own = Response(text="mine", tool_calls=())
    assert response_of(own) is own


def test_a_mapping_that_names_its_parts():
    """Each part goes where it belongs."""
    answer = response_of(
        {
            "answer": "30 days",
            "tool_calls": ["lookup", {"name": "send", "args": {"to": "a"}, "result": None}],
            "usage": {"prompt_tokens": 41, "completion_tokens": 6, "total_tokens": 47},
            "cost_usd": 0.25,
            "metadata": {"k": 1},
            "trace": [{"id": "1", "name": "plan", "kind": "decision"}],
        }
    )
    assert answer == Response(
        text="30 days",
        tool_calls=(
            ToolCall(name="lookup"),
            ToolCall(name="send", arguments={"to": "a"}, captured=True),
        ),
        usage=Usage(input_tokens=41, output_tokens=6),
        cost_usd=0.25,
        metadata={"k": 1},
        trace=(Span(id="1", name="plan", kind="decision"),),
    )


def test_a_mapping_with_more_beside_its_text():
    """What has no name of ours is kept: the whole mapping is the answer's data."""
    value = {"text": "30 days", "sources": ["p1"]}
    assert response_of(value) == Response(text="30 days", data=value, tool_calls_known=False)


def test_an_answer_that_is_no_text():
    """A structured answer is data, and its JSON is the text."""
    assert response_of({"answer": {"n": 1}}) == Response(
        text='{"n": 1}', data={"n": 1}, tool_calls_known=False
    )
    assert response_of({"answer": None, "tool_calls": ["a"]}).text == ""
    assert response_of({"tool_calls": ["a"]}).tool_calls == (ToolCall(name="a"),)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"text": "x", "tool_calls": "lookup"}, "`tool_calls` is a list"),
        ({"text": "x", "tool_calls": [{"id": 1}]}, "a mapping with a `name`"),
        ({"text": "x", "usage": 5}, "`usage` is a mapping"),
        ({"text": "x", "usage": {"input_tokens": -1}}, "`usage.input_tokens`"),
        ({"text": "x", "usage": {"input_tokens": True}}, "`usage.input_tokens`"),
        ({"text": "x", "cost_usd": "free"}, "`cost_usd`"),
        ({"text": "x", "cost_usd": float("nan")}, "`cost_usd`"),
        ({"text": "x", "metadata": []}, "`metadata` is a mapping"),
        ({"text": "x", "trace": [{"id": 1}]}, r"`trace\[0\]"),
        ({"text": "x", "finish_reason": 3}, "`finish_reason` is a text"),
        (b"x", "decode"),
    ],
)
def test_answers_that_are_wrong(value, said):
    """A part that holds what it cannot is named."""
    with pytest.raises(ValueError, match=said):
        response_of(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]", "[1]"),
        ("{", "{"),
        ("", {}),
        (None, {}),
        ({"a": (1,)}, {"a": [1]}),
        ([1], "[1]"),
    ],
)
def test_arguments(value, expected):
    """Arguments are an object; what is none stays text."""
    assert arguments_of(value) == expected


def test_calls_in_openai_form():
    """OpenAI's form of a tool call is known too."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    assert tool_calls_of([call]) == (ToolCall(name="f", arguments={"x": 1}, id="c"),)


def test_usage_of_nothing():
    """No usage is unknown, not zero."""
    assert usage_of(None) == Usage()
    assert usage_of({}).total_tokens is None
