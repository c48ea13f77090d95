"""The anthropic provider against a real server on loopback: what is sent, and what is read."""

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.message import Message, ToolCall
from tests._servers import Say

REPLY = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "let me see", "signature": "s"},
        {"type": "text", "text": "30 "},
        {"type": "text", "text": "days"},
    ],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 9,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 2,
        "output_tokens": 6,
    },
}


@pytest.fixture
def base_url(server):
    """The server's address, where it answers as usual."""
    server.say(Say(body=REPLY))
    return server.url


def test_what_is_sent(bench, server, base_url, question):
    """System messages are lifted out, max_tokens has a default, the key has its own header."""
    bench.environ["CLAUDE"] = "sk-ant"
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="developer", content="Be kind."),
        Message(role="user", content="How long?"),
    )
    request = question("How long?", messages=messages, params={"temperature": 0})
    bench.ask(
        "anthropic", request, base_url=base_url, model="c", api_key_env="CLAUDE", betas=["b1"]
    )
    seen = server.seen[0]
    assert seen.target == "/v1/messages"
    assert seen.json() == {
        "model": "c",
        "max_tokens": 4096,
        "system": "Be brief.\n\nBe kind.",
        "messages": [{"role": "user", "content": "How long?"}],
        "temperature": 0,
    }
    assert seen.headers["x-api-key"] == "sk-ant"
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert seen.headers["anthropic-beta"] == "b1"


def test_what_is_read(bench, base_url):
    """The text without the thinking, and input tokens with those of the cache."""
    answer = bench.ask("anthropic", base_url=f"{base_url}/v1")
    assert answer.text == "30 days"
    assert answer.finish_reason == "stop"
    assert answer.model == "claude-x"
    assert answer.usage == Usage(
        input_tokens=41, output_tokens=6, cached_tokens=30, cache_write_tokens=2
    )
    assert answer.metadata == {"id": "msg_1", "reasoning": "let me see", "thinking_blocks": 1}


def test_no_key_for_a_foreign_server(bench, server, base_url):
    """Anthropic's key never reaches another server unless it is named."""
    bench.environ["ANTHROPIC_API_KEY"] = "sk-ant"
    bench.ask("anthropic", base_url=base_url)
    assert "x-api-key" not in server.seen[0].headers
    asked = bench.provider("anthropic", model="claude")
    assert asked.required_env(asked.model) == ("ANTHROPIC_API_KEY",)


def test_tools(bench, server, base_url, question):
    """Neutral tools and OpenAI's form are translated; the API's own are kept."""
    schema = {"type": "object", "properties": {}}
    own = {"type": "web_search_20250305", "name": "web_search"}
    tools = (
        {"name": "a", "description": "d", "parameters": schema},
        {"type": "function", "function": {"name": "b", "parameters": schema}},
        own,
    )
    bench.ask("anthropic", question("x", tools=tools), base_url=base_url)
    assert server.seen[0].json()["tools"] == [
        {"name": "a", "description": "d", "input_schema": schema},
        {"name": "b", "input_schema": schema},
        own,
    ]


def test_a_thread_with_tool_results(bench, server, base_url, question):
    """Calls and results become blocks; the results of one answer stand in one message."""
    calls = (ToolCall(name="a", arguments={"x": 1}, id="c1"), ToolCall(name="b", id="c2"))
    messages = (
        Message(role="user", content="q"),
        Message(role="assistant", content="Let me look.", tool_calls=calls),
        Message(role="tool", content="30", tool_call_id="c1"),
        Message(role="tool", content="31", tool_call_id="c2"),
        Message(role="assistant", content="30 and 31"),
        Message(role="user", content="thanks"),
    )
    bench.ask("anthropic", question("q", messages=messages), base_url=base_url)
    thread = server.seen[0].json()["messages"]
    assert [message["role"] for message in thread] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert thread[1]["content"] == [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "c1", "name": "a", "input": {"x": 1}},
        {"type": "tool_use", "id": "c2", "name": "b", "input": {}},
    ]
    assert thread[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "30"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "31"},
    ]


def test_tool_calls(bench, server, base_url):
    """Calls asked for have no result; those the server made itself have theirs."""
    content = [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u"}]},
        {"type": "tool_use", "id": "c1", "name": "lookup", "input": {"id": 7}},
    ]
    server.say(Say(body={**REPLY, "content": content, "stop_reason": "tool_use"}))
    answer = bench.ask("anthropic", base_url=base_url)
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == (
        ToolCall(
            name="web_search",
            arguments={"query": "x"},
            id="s1",
            result=[{"url": "u"}],
            captured=True,
        ),
        ToolCall(name="lookup", arguments={"id": 7}, id="c1"),
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "refusal"),
        ("something_new", "something_new"),
    ],
)
def test_finish_reasons(bench, server, base_url, reason, expected):
    """Why the answer ended is said in our words where there is one."""
    server.say(Say(body={**REPLY, "stop_reason": reason}))
    answer = bench.ask("anthropic", base_url=base_url)
    assert answer.finish_reason == expected
    assert (answer.refusal is not None) == (reason == "refusal")


def test_response_format(bench, server, base_url, question):
    """A JSON schema is sent as the API's own; other formats are left out, and that is said."""
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    with_schema = bench.ask("anthropic", question("q", response_format=wanted), base_url=base_url)
    without = bench.ask(
        "anthropic", question("q", response_format={"type": "json_object"}), base_url=base_url
    )
    first, second = (seen.json() for seen in server.seen)
    assert first["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert "response_format" not in with_schema.metadata
    assert not {"output_config", "response_format"} & second.keys()
    assert without.metadata["response_format"].startswith("not sent")


@pytest.mark.parametrize(
    "body",
    [b"{", [], {}, {"content": "text"}, {"content": ["x"]}, {"content": [{"type": "tool_use"}]}],
)
def test_replies_that_cannot_be_read(bench, server, base_url, body):
    """A reply without content blocks is malformed; asking again may help."""
    server.say(Say(body=body))
    error = bench.refusal("anthropic", base_url=base_url)
    assert (error.type, error.transient) == ("malformed", True)


def test_error_inside_a_success(bench, server, base_url):
    """An error that comes with status 200 is an error."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    server.say(Say(body={"type": "error", "error": error}))
    assert bench.refusal("anthropic", base_url=base_url).type == "overloaded"


def test_identity(bench, question):
    """What makes the Key is all that is sent but the key."""
    asked = bench.provider("anthropic", model="c", base_url="http://h")
    assert asked.identity(question("q")) == {
        "base_url": "http://h",
        "headers": {"anthropic-version": "2023-06-01"},
        "body": {
            "model": "c",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": "q"}],
        },
    }
