"""litellm: the real package against a real server on loopback."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from pytest_evals.message import Message, ToolCall
from pytest_evals.model import Model
from pytest_evals.providers.litellm import LiteLLMProvider
from tests._servers import Say

if find_spec("litellm") is None:  # it is imported by the provider itself, which sees to warnings
    pytest.skip("litellm is not installed", allow_module_level=True)
# LiteLLM leaves a task and connections on each event loop, and each test here has its own.
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("clients_left_open"),
]

JSON = ("content-type", "application/json")
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 8,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def reply(message=None, usage=USAGE, **more):
    """Return a server's answer."""
    message = {"role": "assistant", "content": "Paris."} if message is None else message
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more}
    body = {"id": "r1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini"}
    return Say(body=body | {"choices": [choice]} | ({"usage": usage} if usage else {}))


def failure(status, message, code=None, **headers):
    """Return a server's refusal."""
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Say(status, {"error": {"message": message, "code": code}}, headers=(JSON, *more))


@pytest.fixture
def ask(bench, server):
    """Ask the server by LiteLLM."""
    bench.environ["LITE_KEY"] = "sk-lite-0123456789"

    def ask(*says, refused=False, **keys):
        server.say(*says)
        keys = {"model": "openai/gpt-4o-mini", "base_url": f"{server.url}/v1"} | keys
        call = bench.refusal if refused else bench.ask
        return call("litellm", **{"api_key_env": "LITE_KEY"} | keys)

    return ask


def test_an_answer_is_read_whole(ask, server, question):
    """Text, usage with its parts, cost by LiteLLM's prices, the server's model and its id."""
    asked = question("hi", params={"temperature": 0, "max_tokens": 9})
    found = ask(reply(), request=asked)
    assert "Paris." == found.text
    assert "stop" == found.finish_reason
    assert (9, 8, 4, 2) == (
        found.usage.input_tokens,
        found.usage.output_tokens,
        found.usage.cached_tokens,
        found.usage.reasoning_tokens,
    )
    assert 0 < found.cost_usd < 0.001
    assert 0 < found.latency_s < 30
    assert "r1" == found.metadata["id"]
    (seen,) = server.seen
    assert "Bearer sk-lite-0123456789" == seen.headers["authorization"]
    assert {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "max_tokens": 9,
    } == seen.json()


def test_headers_are_sent_as_for_every_chat_provider(bench, ask, server, question):
    """They are part of the Key, but for secrets, whose variables are required."""
    bench.environ["TEAM_TOKEN"] = "t0k-0123456789"
    headers = {"x-team": "red", "x-token": {"env": "TEAM_TOKEN"}}
    ask(reply(), headers=headers)
    sent = server.seen[0].headers
    assert ("red", "t0k-0123456789") == (sent["x-team"], sent["x-token"])
    provider = bench.provider("litellm", model="openai/a", base_url=server.url, headers=headers)
    assert {"x-team": "red"} == provider.identity(question("hi"))["headers"]
    assert ("TEAM_TOKEN",) == provider.required_env(provider.model)


def test_what_is_not_counted_is_unknown_and_not_zero(ask):
    """A server without usage: no tokens, no cost."""
    found = ask(reply(usage=None))
    assert None is found.usage.total_tokens
    assert None is found.cost_usd


def test_tool_calls_go_both_ways(ask, server, question):
    """Definitions and earlier calls are sent as functions; what is asked for comes back."""
    call = {"id": "c2", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
    earlier = (
        Message(role="user", content="hi"),
        Message(role="assistant", tool_calls=(ToolCall(name="find", arguments={"q": 0}, id="c1"),)),
        Message(role="tool", content="nothing", tool_call_id="c1"),
    )
    asked = question("hi", messages=earlier, tools=({"name": "find", "parameters": {}},))
    found = ask(reply({"role": "assistant", "content": None, "tool_calls": [call]}), request=asked)
    assert [("find", {"q": 1}, "c2")] == [(c.name, c.arguments, c.id) for c in found.tool_calls]
    sent = server.seen[0].json()
    assert {"model", "messages", "tools"} == sent.keys()
    assert "find" == sent["tools"][0]["function"]["name"]
    assert "c1" == sent["messages"][1]["tool_calls"][0]["id"]
    assert "c1" == sent["messages"][2]["tool_call_id"]


def ended(reason):
    """Make a response whose generation ended for a reason, with some of its text."""
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": "half an"},
    }
    return Say(body={"id": "x", "object": "chat.completion", "created": 1, "choices": [choice]})


@pytest.mark.parametrize(
    ("say", "kind", "transient"),
    [
        (failure(401, "Incorrect API key"), "unauthorized", False),
        (failure(403, "not for you"), "unauthorized", False),
        (failure(404, "no such model", "model_not_found"), "model_not_found", False),
        (failure(400, "maximum context length is 10", "context_length_exceeded"),
         "context_overflow", False),
        (failure(400, "it violates our content_policy"), "content_filtered", False),
        (failure(400, "temperature is too high"), "invalid_request", False),
        (failure(429, "You exceeded your current quota", "insufficient_quota"),
         "rate_limit", True),
        (failure(500, "boom"), "provider", True),
        (failure(503, "come back later"), "overloaded", True),
        (Say(body=b"<html>"), "malformed", True),
        (Say(body=b"{"), "malformed", True),
        (Say(body=b"[1]"), "malformed", True),
        (Say(body=b"<html>", headers=(("content-type", "text/html"),)), "malformed", True),
        (Say(body={}), "malformed", True),
        (Say(body={"choices": []}), "malformed", True),
        (Say(reset=True), "connection", True),
        (ended("error"), "provider", True),
        (ended("insufficient_system_resource"), "overloaded", True),
        (ended("content_filter"), "content_filtered", False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_refusals_have_our_types(ask, server, say, kind, transient):
    """Each is told as it is, with who was asked, and asked once: retries are the engine's."""
    error = ask(say, refused=True)
    assert (kind, transient) == (error.type, error.transient)
    assert "'openai/gpt-4o-mini' at http://127.0.0.1" in error.message
    assert "litellm." not in error.message
    assert 1 == len(server.seen)


def test_how_long_to_wait_is_the_servers_word(ask):
    """``Retry-After`` reaches the engine."""
    error = ask(failure(429, "slow down", retry_after="7"), refused=True)
    assert ("rate_limit", 7.0, True) == (error.type, error.retry_after_s, error.transient)


def test_a_server_that_hangs_is_timed_out(ask, question):
    """Within the time of the attempt."""
    asked = question("hi", timeout_s=0.5)
    assert "timeout" == ask(Say(hang=True), refused=True, request=asked).type


def test_a_server_that_is_not_there(bench):
    """It is a connection that failed, whatever LiteLLM calls it."""
    bench.environ["LITE_KEY"] = "sk-lite-0123456789"
    error = bench.refusal(
        "litellm", model="openai/x", base_url="http://127.0.0.1:9/v1", api_key_env="LITE_KEY"
    )
    assert ("connection", True) == (error.type, error.transient)


def test_other_providers_have_other_forms(ask, server):
    """An Anthropic model is asked as Anthropic's API wants it."""
    body = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Rome."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    found = ask(Say(body=body), model="anthropic/claude-x", base_url=server.url)
    assert ("Rome.", "stop", 5) == (found.text, found.finish_reason, found.usage.total_tokens)
    assert "/v1/messages" == server.seen[0].target
    assert "sk-lite-0123456789" == server.seen[0].headers["x-api-key"]


def test_the_key_of_a_question_holds_what_is_sent_and_no_secret(bench, question):
    """Model, address, arguments, parameters and messages: a change of one is another question."""
    bench.environ["LITE_KEY"] = "sk-lite-0123456789"

    def identity(text="hi", **keys):
        keys = {"model": "openai/a", "api_key_env": "LITE_KEY"} | keys
        return bench.provider("litellm", **keys).identity(question(text))

    changed = [
        identity(),
        identity("ho"),
        identity(model="openai/b"),
        identity(base_url="http://127.0.0.1:1"),
        identity(arguments={"api_version": "7"}),
    ]
    assert 5 == len({str(one) for one in changed})
    assert "sk-lite" not in str(changed)


def test_missing_keys_are_named_before_the_first_call(monkeypatch):
    """The one that is given by its name, else the one that LiteLLM looks for."""

    def needed(**keys):
        own = {k: keys.pop(k) for k in list(keys) if k != "model"}
        return LiteLLMProvider.required_env(Model(id="m", provider="litellm", options=own, **keys))

    assert ("MISTRAL_API_KEY",) == needed(model="mistral/mistral-small-latest")
    assert ("MINE",) == needed(model="mistral/mistral-small-latest", api_key_env="MINE")
    assert () == needed(model="ollama/llama3")
    assert () == needed(model="openai/x", base_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model": "nosuch/x"}, "LiteLLM knows no provider for 'nosuch/x'"),
        ({}, "no model is named"),
        ({"model": "openai/x", "params": {"stream": True}}, "'stream'"),
        ({"model": "openai/x", "params": {"n": 2}}, "'n'"),
        ({"model": "openai/x", "arguments": {"api_key": "k"}}, "`arguments` cannot hold 'api_key'"),
    ],
)
def test_what_cannot_be_asked_is_told_before(bench, keys, told):
    """Names that LiteLLM does not know, and parameters that are none."""
    from pytest_evals.ground.errors import AnswerError

    with pytest.raises(AnswerError, match=told) as caught:
        bench.provider("litellm", **keys).prepare()
    assert "invalid_request" == caught.value.type


@pytest.mark.slow
def test_nothing_is_fetched_when_it_is_imported_and_it_says_nothing(tmp_path):
    """Neither prices nor anything else: a session may be without a network."""
    program = """if True:
        import socket, sys

        def refuse(*args, **kwargs):
            sys.exit(f"asks for {args}")

        socket.getaddrinfo = socket.socket.connect = refuse
        from pytest_evals.providers.litellm import LiteLLMProvider
        from pytest_evals.model import Model

        assert "litellm" not in sys.modules
        LiteLLMProvider(Model(id="m", provider="litellm", model="openai/x"), None).prepare()
        assert "litellm" in sys.modules
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environ,
        cwd=tmp_path,
        check=False,
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_without_the_package_the_extra_is_named(bench, monkeypatch):
    """As for any model that cannot be asked: before the first call."""
    from pytest_evals.ground.errors import AnswerError

    monkeypatch.setitem(sys.modules, "litellm", None)
    monkeypatch.delitem(sys.modules, "litellm")
    monkeypatch.setattr("pytest_evals.providers.litellm.import_module", _missing)
    with pytest.raises(AnswerError, match=r"pip install 'pytest-evals-matrix\[litellm\]'"):
        bench.provider("litellm", model="openai/x").prepare()


def _missing(name):
    raise ModuleNotFoundError(f"No module named {name!r}")
