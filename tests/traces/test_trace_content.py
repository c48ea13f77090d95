"""The messages of model calls, in the four notations that instrumentations write."""

import json

import pytest

from pytest_evals.message import Message, ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.content import inputs_of, outputs_of

CALL = ToolCall(name="find", arguments={"q": "x"}, id="c1")
ASKED = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="Where?"),
    Message(role="assistant", tool_calls=(CALL,)),
    Message(role="tool", content="here", tool_call_id="c1"),
]
ANSWER = [Message(role="assistant", content="Here.")]

PARTS = {
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Where?"}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "x"}},
                ],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "here"}],
            },
        ]
    ),
    "gen_ai.output.messages": [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Here."}],
            "finish_reason": "stop",
        }
    ],
}
EVENTS = {
    "events": [
        {"name": "gen_ai.system.message", "attributes": {"content": "Be brief."}},
        {"name": "gen_ai.user.message", "attributes": {"content": "Where?"}},
        {
            "name": "gen_ai.assistant.message",
            "attributes": {
                "tool_calls": '[{"id": "c1", "function": {"name": "find", "arguments": "{\\"q\\": \\"x\\"}"}}]'
            },
        },
        {"name": "gen_ai.tool.message", "attributes": {"id": "c1", "content": "here"}},
        {
            "name": "gen_ai.choice",
            "attributes": {"finish_reason": "stop", "message": '{"content": "Here."}'},
        },
    ]
}
LOGGED = {
    "events": json.dumps(
        [
            {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},
            {"event.name": "gen_ai.user.message", "content": "Where?", "role": "user"},
            {
                "event.name": "gen_ai.assistant.message",
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "find", "arguments": {"q": "x"}},
                    }
                ],
            },
            {"event.name": "gen_ai.tool.message", "role": "tool", "id": "c1", "content": "here"},
            {
                "event.name": "gen_ai.choice",
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Here."},
            },
        ]
    )
}
TRACELOOP = {
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Where?",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "find",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"q": "x"}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.content": "here",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Here.",
    "gen_ai.completion.0.finish_reason": "stop",
}
OPENINFERENCE = {
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Where?",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "find",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": '{"q": "x"}',
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.content": "here",
    "llm.input_messages.3.message.tool_call_id": "c1",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Here.",
}


def said(**attributes):
    """Make a model call's span."""
    return Span(id="1", name="chat", kind="llm_call", attributes=attributes)


@pytest.mark.parametrize("attributes", [PARTS, EVENTS, LOGGED, TRACELOOP, OPENINFERENCE])
def test_every_notation_says_the_same(attributes):
    """Roles, texts, calls with their arguments and ids, and results."""
    asked, answered = inputs_of(said(**attributes)), outputs_of(said(**attributes))
    assert (ASKED, []) == (asked.messages, asked.lost)
    assert (ANSWER, []) == (answered.messages, answered.lost)


def test_without_content_there_is_nothing():
    """A span that tells only counts has no messages, which is not the same as empty ones."""
    assert inputs_of(said(**{"gen_ai.usage.input_tokens": 3})) is None
    assert outputs_of(said()) is None
    assert outputs_of(said(**{"gen_ai.output.messages": "[]"})) is None


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ({"role": "user", "parts": [{"type": "blob", "content": "aGk="}]}, 'type "blob"'),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, 'type "image_url"'),
        ({"role": "user", "parts": []}, "message 1 (user) has no content"),
        ({"role": "user"}, "message 1 (user) has no content"),
        ({"role": "user", "parts": [{"type": "text"}]}, "a text without its content"),
        ({"role": "narrator", "content": "x"}, 'message 1 has the role "narrator"'),
        ("cut off …", "message 1 cannot be read, it may have been cut"),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
            "calls a tool without its arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]},
            "calls a tool without a name",
        ),
    ],
)
def test_what_is_missing_is_named(message, lost):
    """Images, empty messages, unknown roles, calls without their halves."""
    content = inputs_of(said(**{"gen_ai.input.messages": [message]}))
    assert any(lost in one for one in content.lost), content.lost


def test_a_text_that_was_cut_is_no_messages():
    """Half of a JSON text cannot be read, and that is told."""
    content = inputs_of(said(**{"gen_ai.input.messages": '[{"role": "user", "par… [cut]'}))
    assert ([], 1) == (content.messages, len(content.lost))


def test_several_answers_are_told():
    """With n > 1 nobody knows which one the application took."""
    two = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    content = outputs_of(said(**{"gen_ai.output.messages": two}))
    assert ["it has 2 answers to one question (n > 1)"] == content.lost


def test_an_answer_that_is_json_stays_the_text_it_was():
    """A model's JSON is its words, not parts of a message."""
    told = [{"role": "assistant", "content": '{"a": 1}'}]
    content = outputs_of(said(**{"gen_ai.output.messages": told}))
    assert ['{"a": 1}'] == [message.text for message in content.messages]
    told = [{"role": "assistant", "content": '["a", "b"]'}]
    content = outputs_of(said(**{"gen_ai.output.messages": told}))
    assert ['["a", "b"]'] == [message.text for message in content.messages]
