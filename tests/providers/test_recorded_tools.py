"""The tool calls in recorded bodies of model APIs."""

import json

import pytest

from pytest_evals.message import ToolCall
from pytest_evals.providers.parsing import response_of
from pytest_evals.providers.recorded_tools import recorded_tool_calls

ARGS = '{"q": 1}'
FUNCTION = {"name": "find", "arguments": ARGS}


def whole(body):
    """Return a stored answer that is one JSON value."""
    return {"status": 200, "type": "application/json", "json": body}


def stream(*events):
    """Return a stored answer that is an event stream."""
    return {"status": 200, "events": [f"data: {json.dumps(event)}\n\n" for event in events]}


def chunk(**delta):
    """Return a chunk of a streamed chat."""
    return {"choices": [{"index": 0, "delta": delta}]}


CHAT = {"choices": [{"message": {"tool_calls": [{"id": "c", "function": FUNCTION}]}}]}
CHAT_END = {"choices": [{"message": {"content": "done"}}]}
CHAT_RESULT = {"messages": [{"role": "tool", "tool_call_id": "c", "content": "yes"}]}
ITEM = {"type": "function_call", "call_id": "c", **FUNCTION}
ITEM_RESULT = {"input": [{"type": "function_call_output", "call_id": "c", "output": "yes"}]}
BLOCK = {"type": "tool_use", "id": "c", "name": "find", "input": {"q": 1}}
BLOCK_RESULT = {
    "messages": [
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c",
                    "content": [{"type": "text", "text": "yes"}],
                }
            ],
        }
    ]
}
SHAPES = {
    "chat": ("/v1/chat/completions", whole(CHAT), CHAT_RESULT, whole(CHAT_END)),
    "chat stream": (
        "/v1/chat/completions",
        stream(
            chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "find"}}]),
            chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"q": '}}]),
            chunk(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        ),
        CHAT_RESULT,
        stream(chunk(content="done")),
    ),
    "responses": (
        "/v1/responses",
        whole({"output": [{"type": "reasoning"}, ITEM]}),
        ITEM_RESULT,
        whole({"output": [{"type": "message"}]}),
    ),
    "responses stream": (
        "/v1/responses",
        stream(
            {"type": "response.created"}, {"type": "response.output_item.done", "item": ITEM}
        ),
        ITEM_RESULT,
        stream({"type": "response.created"}, {"type": "response.completed"}),
    ),
    "anthropic": (
        "/v1/messages",
        whole({"content": [{"type": "text", "text": "let me"}, BLOCK]}),
        BLOCK_RESULT,
        whole({"content": [{"type": "text", "text": "done"}]}),
    ),
    "anthropic stream": (
        "/v1/messages",
        stream(
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {**BLOCK, "input": {}}},
            {"type": "content_block_delta", "index": 0, "delta": {"partial_json": '{"q"'}},
            {"type": "content_block_delta", "index": 0, "delta": {"partial_json": ": 1}"}},
        ),
        BLOCK_RESULT,
        stream({"type": "message_start", "message": {}}),
    ),
    "gemini": (
        "/v1/models/g:generateContent",
        whole(
            {"candidates": [{"content": {"parts": [
                {"functionCall": {"name": "find", "args": {"q": 1}, "id": "c"}}]}}]}
        ),
        {"contents": [{"parts": [
            {"functionResponse": {"id": "c", "name": "find", "response": "yes"}}]}]},
        whole({"candidates": [{"content": {"parts": [{"text": "done"}]}}]}),
    ),
    "ollama": (
        "/api/chat",
        whole({"message": {"tool_calls": [{"id": "c", "function": FUNCTION}]}}),
        CHAT_RESULT,
        {"status": 200, "text": '{"message": {"content": "do"}}\n{"message": {"content": "ne"}}'},
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_and_its_result_are_joined(shape):
    """The call is in an answer, its result in the next request."""
    url, first, request, last = SHAPES[shape]
    calls = recorded_tool_calls([(url, {}, first), (url, request, last)])
    expected = ToolCall(name="find", arguments={"q": 1}, id="c", result="yes", captured=True)
    assert calls == (expected,)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_without_a_call_shows_that_there_is_none(shape):
    """None is not unknown; an earlier turn's result in the request is no call of this turn."""
    url, _, request, last = SHAPES[shape]
    assert recorded_tool_calls([(url, request, last)]) == ()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_an_unreadable_answer_of_a_chat_is_unknown(path):
    """Whatever the other answers say."""
    unreadable = {"status": 200, "text": "?"}
    assert recorded_tool_calls([(path, {}, unreadable)]) is None
    assert recorded_tool_calls([(path, {}, whole(CHAT_END)), (path, {}, unreadable)]) is None


def test_embeddings_say_nothing_of_tools():
    """They are no evidence, for or against."""
    vectors = ("/v1/embeddings", {}, whole({"data": [{"embedding": [0.1]}]}))
    assert recorded_tool_calls([vectors]) is None
    assert recorded_tool_calls([]) is None
    assert recorded_tool_calls([vectors, ("/v1/messages", {}, whole({"content": []}))]) == ()


@pytest.mark.parametrize(
    ("value", "calls_known"),
    [
        ("text", False),
        ({"text": "x"}, False),
        ({"n": 1}, False),
        ({"text": "x", "tool_calls": []}, True),
        ({"text": "x", "tool_calls": None}, True),
        ({"text": "x", "tool_calls": ["find"]}, True),
    ],
)
def test_what_a_target_returns_says_whether_calls_are_known(value, calls_known):
    """A key that is there says it, also with an empty value."""
    assert response_of(value).tool_calls_known is calls_known


def test_the_input_of_anthropics_tool_use_is_its_arguments():
    """As its SDK writes it."""
    assert response_of({"text": "x", "tool_calls": [BLOCK]}).tool_calls[0].arguments == {"q": 1}
