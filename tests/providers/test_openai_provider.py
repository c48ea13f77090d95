"""The openai provider against a real server on loopback: what is sent, and what is read."""

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.message import Message, ToolCall
from tests._servers import Say

REPLY = {
    "id": "chatcmpl-1",
    "model": "qwen3-2025",
    "system_fingerprint": "fp_1",
    "choices": [{"message": {"role": "assistant", "content": "30 days"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 41,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 32},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}


def with_message(**message):
    """Make a reply of a message."""
    return {**REPLY, "choices": [{"message": message, "finish_reason": "stop"}]}


@pytest.fixture
def base_url(server):
    """The server's address, where it answers as usual."""
    server.say(Say(body=REPLY))
    return f"{server.url}/v1"


def test_what_is_sent(bench, server, base_url, question):
    """The body holds the model, the thread and the parameters; nothing else is added."""
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="How long?", name="ann"),
    )
    request = question("How long?", messages=messages, params={"temperature": 0, "seed": 3})
    bench.ask("openai", request, base_url=base_url + "/", model="qwen3")
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("POST", "/v1/chat/completions")
    assert seen.json() == {
        "model": "qwen3",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How long?", "name": "ann"},
        ],
        "temperature": 0,
        "seed": 3,
    }
    assert seen.headers["content-type"] == "application/json"


def test_what_is_read(bench, base_url):
    """Text, usage, finish reason, model and what else is worth keeping."""
    answer = bench.ask("openai", base_url=base_url)
    assert answer.text == "30 days"
    assert answer.finish_reason == "stop"
    assert answer.model == "qwen3-2025"
    assert answer.usage == Usage(
        input_tokens=41, output_tokens=6, cached_tokens=32, reasoning_tokens=4
    )
    assert answer.metadata == {"id": "chatcmpl-1", "system_fingerprint": "fp_1"}
    assert 0 < answer.latency_s < 10


def test_tools_and_format(bench, server, base_url, question):
    """Neutral tools are wrapped, wrapped ones and the format are passed through."""
    neutral = {"name": "lookup", "description": "d", "parameters": {"type": "object"}}
    wrapped = {"type": "function", "function": {"name": "send"}}
    request = question("x", tools=(neutral, wrapped), response_format={"type": "json_object"})
    bench.ask("openai", request, base_url=base_url)
    body = server.seen[0].json()
    assert body["tools"] == [{"type": "function", "function": neutral}, wrapped]
    assert body["response_format"] == {"type": "json_object"}


def test_tool_calls(bench, server, base_url):
    """Arguments become an object; what is no object stays the text it was."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "b", "arguments": '{"x": '}},
        {"id": "c3", "type": "function", "function": {"name": "c", "arguments": {"y": 2}}},
        {"id": "c4", "type": "function", "function": {"name": "d", "arguments": ""}},
    ]
    server.say(Say(body=with_message(content=None, tool_calls=calls)))
    answer = bench.ask("openai", base_url=base_url)
    assert answer.text == ""
    assert answer.tool_calls == (
        ToolCall(name="a", arguments={"x": 1}, id="c1"),
        ToolCall(name="b", arguments='{"x": ', id="c2"),
        ToolCall(name="c", arguments={"y": 2}, id="c3"),
        ToolCall(name="d", arguments={}, id="c4"),
    )


def test_a_thread_with_tool_results(bench, server, base_url, question):
    """An earlier answer's calls and their results go back as the server knows them."""
    messages = (
        Message(role="user", content="q"),
        Message(role="assistant", tool_calls=(ToolCall(name="a", arguments={"x": 1}, id="c1"),)),
        Message(role="tool", content="30", tool_call_id="c1"),
    )
    bench.ask("openai", question("q", messages=messages), base_url=base_url)
    _, call, result = server.seen[0].json()["messages"]
    assert call == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}}
        ],
    }
    assert result == {"role": "tool", "content": "30", "tool_call_id": "c1"}


def test_refusal(bench, server, base_url):
    """A refusal is told apart, and is what the user would see."""
    server.say(Say(body=with_message(content=None, refusal="I can't help.")))
    answer = bench.ask("openai", base_url=base_url)
    assert (answer.refusal, answer.text, answer.finish_reason) == (
        "I can't help.",
        "I can't help.",
        "refusal",
    )


def test_content_in_parts(bench, server, base_url):
    """A content that is written in parts is one text."""
    parts = [{"type": "text", "text": "30 "}, {"type": "x"}, {"type": "text", "text": "days"}]
    server.say(Say(body=with_message(content=parts)))
    assert bench.ask("openai", base_url=base_url).text == "30 days"


def test_usage_that_is_missing(bench, server, base_url):
    """Tokens that were not reported are unknown, not zero."""
    server.say(Say(body={**REPLY, "usage": None}))
    assert bench.ask("openai", base_url=base_url).usage == Usage()


def test_lone_surrogates(bench, server, base_url):
    """Text that no encoding can hold is made harmless instead of breaking what stores it."""
    body = rb'{"choices": [{"message": {"content": "a\ud800b"}}]}'
    server.say(Say(body=body))
    assert bench.ask("openai", base_url=base_url).text == "a\ufffdb"


def test_no_key_for_a_foreign_server(bench, server, base_url):
    """OpenAI's key never reaches another server unless it is named."""
    bench.environ["OPENAI_API_KEY"] = "sk-secret"
    bench.ask("openai", base_url=base_url)
    assert "authorization" not in server.seen[0].headers
    bench.ask("openai", base_url=base_url, api_key_env="OPENAI_API_KEY")
    assert server.seen[1].headers["authorization"] == "Bearer sk-secret"


def test_required_env(bench):
    """The variables that a call needs are named, so that all can be checked before the first."""
    ask = bench.provider("openai", model="gpt-5")
    assert ask.required_env(ask.model) == ("OPENAI_API_KEY",)
    local = bench.provider(
        "openai",
        base_url="http://127.0.0.1:1/v1",
        headers={"X-Team": {"env": "TEAM"}, "X-Open": "yes"},
    )
    assert local.required_env(local.model) == ("TEAM",)


@pytest.mark.parametrize("value", ["", "  ", "sk-\u200bkey", "sk\nkey"])
def test_a_key_that_cannot_be_sent(bench, base_url, value):
    """A key that is empty or holds stray characters is one clear error that does not show it."""
    bench.environ["LOCAL_KEY"] = value
    error = bench.refusal("openai", base_url=base_url, api_key_env="LOCAL_KEY")
    assert error.type == "unauthorized"
    assert "LOCAL_KEY" in str(error)
    assert not value.strip() or value not in str(error)


def test_headers_from_the_environment(bench, server, base_url):
    """Header values may come from the environment, with a prefix; account headers are sent."""
    bench.environ["TOKEN"] = "t0k"
    bench.ask(
        "openai",
        base_url=base_url,
        headers={"Authorization": {"env": "TOKEN", "prefix": "Bearer "}, "x-a": "b"},
        query={"api-version": "1"},
        organization="org",
    )
    seen = server.seen[0]
    assert seen.headers["authorization"] == "Bearer t0k"
    assert (seen.headers["x-a"], seen.headers["openai-organization"]) == ("b", "org")
    assert seen.target == "/v1/chat/completions?api-version=1"


def test_identity_holds_no_secret(bench, question):
    """What makes the Key is all that is sent but secrets, and equal for equal requests."""
    bench.environ["TOKEN"] = "t0k"
    asked = bench.provider(
        "openai",
        model="m1",
        base_url="http://h/v1",
        headers={"Authorization": {"env": "TOKEN"}, "x-a": "b"},
    )
    request = question("q", params={"seed": 1}, case_id="one", sample=3)
    other = question("q", params={"seed": 1}, case_id="two", sample=4)
    assert asked.identity(request) == asked.identity(other)
    assert asked.identity(request) == {
        "base_url": "http://h/v1",
        "headers": {"x-a": "b"},
        "query": {},
        "body": {
            "model": "m1",
            "messages": [{"role": "user", "content": "q"}],
            "seed": 1,
        },
        "context": {
            "headers from the environment": {"Authorization": {"env": "TOKEN", "prefix": ""}}
        },
    }
    assert "t0k" not in repr(asked.identity(request))


@pytest.mark.parametrize(
    "options",
    [
        {"api_key_env": "A"},
        {"api_key_env": "B"},
        {"headers": {"x": {"env": "A"}}},
        {"headers": {"x": {"env": "B"}}},
        {"headers": {"y": {"env": "A"}}},
        {"query": {"x": {"env": "A"}}},
    ],
    ids=repr,
)
def test_the_name_of_a_key_is_part_of_the_key(options, bench, question):
    """Whoever is paid may answer otherwise; without a name the Key is as it was in version 1."""
    plain = {"model": "m1", "base_url": "http://h/v1"}
    without = bench.provider("openai", **plain).identity(question("q"))
    assert "context" not in without
    named = bench.provider("openai", **plain, **options).identity(question("q"))
    assert named["context"]
    assert {**without, "context": named["context"]} == named


@pytest.mark.parametrize("name", ["stream", "messages", "model", "tools", "n"])
def test_params_that_are_none(bench, name):
    """Parameters that would change the question or the answer's shape are refused up front."""
    error = None
    try:
        bench.provider("openai", model="m1", params={name: 2}).prepare()
    except Exception as raised:  # noqa: BLE001 - looked at below
        error = raised
    assert getattr(error, "type", None) == "invalid_request"
    assert repr(name) in str(error)


def test_openai_itself_needs_a_model(bench):
    """Without a model's name OpenAI cannot be asked; a local server may not need one."""
    from pytest_evals.ground.errors import AnswerError

    with pytest.raises(AnswerError, match="no model is named"):
        bench.provider("openai").prepare()
    bench.provider("openai", base_url="http://127.0.0.1:1/v1").prepare()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base_url": "127.0.0.1:8000"}, "begins with http:// or https://"),
        ({"base_url": "http://me:pw@host/v1"}, "no user and no password"),
        ({"base_url": "http://host:99999/v1"}, "begins with http:// or https://"),
        ({"api_key_env": "sk-proj 123"}, "match pattern"),
        ({"headers": {"a b": "c"}}, "not the name of a header"),
        ({"headers": {"a": "b\nc"}}, "line break"),
        ({"base": "http://host"}, "Extra inputs"),
    ],
)
def test_options_that_are_wrong(bench, options, said):
    """Wrong options are validation errors, before any call."""
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match=said):
        bench.provider("openai", **options)


@pytest.mark.parametrize(
    "say",
    [
        Say(body=b"<html>Bad gateway</html>", headers=(("content-type", "text/html"),)),
        Say(body=b'{"choices": [{"mess'),
        Say(body=b"data: {}\n\n", headers=(("content-type", "text/event-stream"),)),
        Say(body=b""),
        Say(body=[]),
        Say(body={}),
        Say(body={"choices": []}),
        Say(body={"choices": ["x"]}),
        Say(body={"choices": [{"message": None}]}),
        Say(body={"choices": [{"message": {"content": 5}}]}),
        Say(body={"choices": [{"message": {"tool_calls": [{"function": {}}]}}]}),
        Say(body=b'{"choices": [{"message": {"content": NaN}}]}'),
        Say(body=b"[" * 200_000),
        Say(body=REPLY, cut=40),
        Say(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-length: 8\r\n\r\n123456789"),
        Say(raw=b"SSH-2.0-OpenSSH\r\n\r\n"),
        Say(body=b"not gzip", headers=(("content-encoding", "gzip"),)),
        Say(
            raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        ),
    ],
    ids=range(18),
)
def test_replies_that_cannot_be_read(bench, server, base_url, say):
    """A reply that is cut off, no JSON, or has no answer is malformed; asking again may help."""
    server.say(say)
    error = bench.refusal("openai", base_url=base_url)
    assert (error.type, error.transient) == ("malformed", True), str(error)
    assert base_url in str(error)


def test_json_of_another_content_type(bench, server, base_url):
    """JSON that calls itself text is still an answer."""
    server.say(Say(body=REPLY, headers=(("content-type", "text/plain"),)))
    assert bench.ask("openai", base_url=base_url).text == "30 days"


def test_error_inside_a_success(bench, server, base_url):
    """A gateway that wraps an error in status 200 is believed about the error."""
    server.say(Say(body={"error": {"message": "slow down", "code": 429}}))
    error = bench.refusal("openai", base_url=base_url)
    assert (error.type, error.status) == ("rate_limit", 200)


def test_rate_limit_headers(bench, server, base_url):
    """What the server says of its limits stands in the metadata."""
    headers = (
        ("content-type", "application/json"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1m2.5s"),
        ("x-request-id", "req_1"),
    )
    server.say(Say(body=REPLY, headers=headers))
    answer = bench.ask("openai", base_url=base_url)
    assert answer.metadata["rate_limit"] == {"remaining_requests": 0, "reset_requests_s": 62.5}
    assert answer.metadata["request_id"] == "req_1"
