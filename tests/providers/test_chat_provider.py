"""ChatProvider: a new chat provider is a body and a parser; the base does the rest.

The provider under test is the one of the page on plugins.
"""

import asyncio
import json
from typing import Any

import pytest
import yaml  # noqa: F401 - imported before the first session in process, not once for each

from pytest_evals.exchange import Response, Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers.transport import HttpClientPool
from tests._servers import Say
from tests.docs._pages import DOCS, blocks

(PAGE,) = [b for b in blocks(DOCS / "how-to/write-a-plugin.md") if b.name == "acme_chat"]
REPLY = {"reply": "Paris.", "ended": "stop", "tokens": {"in": 9, "out": 2}, "model": "acme-1.1"}
JSON = ("content-type", "application/json")


def acme() -> Any:
    """Return the class that the page shows."""
    namespace: dict[str, Any] = {}
    exec(compile(PAGE.text, "acme_chat.py", "exec"), namespace)
    return namespace["AcmeChat"]


@pytest.fixture
def ask(bench, server, question):
    """Call the provider of the page once, on a server that sends one reply."""
    server.say(Say(body=REPLY))

    def ask(say: Say | None = None, request: Any = None, **options: Any) -> Response:
        if say is not None:
            server.say(say)
        keys = {"base_url": server.url, "api_key_env": "ACME_API_KEY"} | options
        model = Model(id="a", provider="acme", model="acme-1", options=keys)

        async def call() -> Response:
            http = HttpClientPool()
            try:
                provider = acme()(model, bench.context(http))
                return await provider.complete(request or question("hi"))
            finally:
                await http.aclose()

        return asyncio.run(call())

    bench.environ["ACME_API_KEY"] = "sk-acme-0123456789"
    return ask


def error_of(ask, *args: Any, **options: Any) -> AnswerError:
    """Return the error that a call raises."""
    with pytest.raises(AnswerError) as caught:
        ask(*args, **options)
    return caught.value


def test_it_is_short():
    """The page keeps its promise."""
    code = [line for line in PAGE.text.splitlines() if line.strip()]
    assert len(code) <= 25


def test_request_and_response(ask, server, question):
    """The body, the key and the headers are sent; the parsed response gets what HTTP tells."""
    headers = (JSON, ("x-request-id", "r1"), ("x-ratelimit-remaining-requests", "7"))
    asked = question("hi", params={"temperature": 0})
    response = ask(Say(body=REPLY, headers=headers), asked, headers={"x-team": "red"})
    (seen,) = server.seen
    assert ("POST", "/generate") == (seen.method, seen.target)
    assert {
        "engine": "acme-1",
        "turns": [{"who": "user", "text": "hi"}],
        "temperature": 0,
    } == seen.json()
    assert "Bearer sk-acme-0123456789" == seen.headers["authorization"]
    assert "red" == seen.headers["x-team"]
    assert ("Paris.", "stop", "acme-1.1") == (
        response.text,
        response.finish_reason,
        response.model,
    )
    assert Usage(input_tokens=9, output_tokens=2) == response.usage
    assert 0 < response.latency_s < 10
    assert {"request_id": "r1", "rate_limit": {"remaining_requests": 7}} == response.metadata


@pytest.mark.parametrize(
    ("say", "type_", "transient", "retry_after_s"),
    [
        (Say(429, headers=(JSON, ("retry-after", "7"))), "rate_limit", True, 7.0),
        (Say(401, {"error": {"message": "bad key"}}), "unauthorized", False, None),
        (Say(400, {"error": "maximum context length is 8"}), "context_overflow", False, None),
        (Say(500, b"oops"), "provider", True, None),
        (Say(529), "overloaded", True, None),
        (Say(body={"error": {"message": "slow down", "code": 429}}), "rate_limit", True, None),
        (Say(body=b"<html>"), "malformed", True, None),
        (Say(body=[REPLY]), "malformed", True, None),
        (Say(body={"reply": "Paris."}), "malformed", True, None),
        (Say(body={**REPLY, "tokens": None}), "malformed", True, None),
        (Say(body={**REPLY, "reply": 5}), "malformed", True, None),
        (Say(reset=True), "connection", True, None),
    ],
)
def test_errors(ask, server, say, type_, transient, retry_after_s):
    """Each failure has its type; the message names the model, the address and never the key."""
    error = error_of(ask, say)
    assert (type_, transient, retry_after_s) == (error.type, error.transient, error.retry_after_s)
    assert f"'acme-1' at {server.url}" in error.message
    assert "sk-acme" not in f"{error.message} {error.detail}"
    assert 1 == len(server.seen)


def test_timeout(ask, question):
    """A server that hangs is given up when the attempt's time is over."""
    assert "timeout" == error_of(ask, Say(hang=True), question("hi", timeout_s=0.3)).type


def test_the_key_is_sent_to_its_own_server_only(ask, server, bench):
    """Another address gets a key only if the model names one; a missing one is named."""
    ask(api_key_env=None)
    assert "authorization" not in server.seen[0].headers
    cls = acme()
    own = Model(id="a", provider="acme", model="m")
    assert ("ACME_API_KEY",) == cls.required_env(own)
    with_header = {"headers": {"Authorization": {"env": "TOKEN"}}}
    assert ("TOKEN",) == cls.required_env(own.model_copy(update={"options": with_header}))
    del bench.environ["ACME_API_KEY"]
    error = error_of(ask)
    assert ("unauthorized", True) == (error.type, "ACME_API_KEY" in error.message)


def test_identity_is_what_is_sent_without_secrets(bench, question):
    """Address, headers and body decide the Key; case and sample do not."""
    options = {"headers": {"x-team": "red", "x-secret": {"env": "TOKEN"}}}
    provider = acme()(Model(id="a", provider="acme", model="m", options=options), bench.context())
    assert {
        "base_url": "https://api.acme.example/v2",
        "headers": {"x-team": "red"},
        "body": {"engine": "m", "turns": [{"who": "user", "text": "q"}], "seed": 1},
        "context": {
            "headers from the environment": {"x-secret": {"env": "TOKEN", "prefix": ""}},
        },
    } == provider.identity(question("q", params={"seed": 1}, case_id="one", sample=3))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "no model is named; write acme:NAME"),
        ({"model": "m", "params": {"stream": True}}, "'stream'"),
        ({"model": "m", "params": {"n": 2}}, "'n'"),
    ],
)
def test_prepare_rejects_what_cannot_be_sent(bench, keys, message):
    """Before the first call."""
    with pytest.raises(AnswerError, match=message) as caught:
        acme()(Model(id="a", provider="acme", **keys), bench.context()).prepare()
    assert "invalid_request" == caught.value.type


def test_without_a_server_of_its_own_it_needs_an_address(bench):
    """The option is named."""
    cls = acme()
    cls.server = None
    with pytest.raises(AnswerError, match="acme needs the option `base_url`"):
        cls(Model(id="a", provider="acme", model="m"), bench.context()).prepare()


def test_options_must_extend_those_of_the_base(bench):
    """Otherwise the address and the key could not be read."""
    from pytest_evals.ground.canonical import Frozen

    cls = acme()
    cls.Options = Frozen
    with pytest.raises(TypeError, match="must be a subclass of ChatOptions"):
        cls(Model(id="a", provider="acme", model="m"), bench.context())


def test_what_is_not_implemented_is_named(pytester, monkeypatch):
    """A plugin's class without a parser is refused when it is registered."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    half = PAGE.text.replace("def parse(", "def parse_reply(")
    hook = "def pytest_evals_providers():\n    return {'acme': AcmeChat}\n"
    pytester.makeconftest(f"{half}\n\n{hook}")
    result = pytester.runpytest_inprocess("-p", "evals-matrix", "--evals")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "does not implement `parse`" in "".join(result.outlines + result.errlines)


def test_a_session_limits_retries_stores_and_redacts(pytester, server, monkeypatch):
    """All that the engine does for built-in providers it does for this one."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("ACME_API_KEY", "sk-acme-0123456789")
    echoed = {**REPLY, "reply": "Paris. Your key is sk-acme-0123456789."}
    server.say(Say(429, headers=(JSON, ("retry-after", "0"))), Say(body=echoed))
    hook = "def pytest_evals_providers():\n    return {'acme': AcmeChat}\n"
    pytester.makeconftest(f"{PAGE.text}\n\n{hook}")
    dataset = {
        "name": "cities",
        "models": [
            {
                "id": "a",
                "provider": "acme",
                "model": "acme-1",
                "base_url": server.url,
                "api_key_env": "ACME_API_KEY",
                "price": {"input": 1, "output": 2},
            }
        ],
        "scorers": [{"contains": "Paris"}, {"max_tokens": 11}],
        "cases": [{"id": "fr", "input": "Capital of France?"}],
    }
    (pytester.path / "cities.evals.yaml").write_text(json.dumps(dataset), encoding="utf-8")
    args = ("-p", "evals-matrix", "--evals", "--evals-json", "run.json")
    pytester.runpytest_inprocess(*args).assert_outcomes(passed=1)
    assert 2 == len(server.seen)
    pytester.runpytest_inprocess(*args).assert_outcomes(passed=1)
    assert 2 == len(server.seen)
    (trial,) = json.loads((pytester.path / "run.json").read_bytes())["trials"]
    assert 13e-6 == pytest.approx(trial["cost_usd"])
    files = [path for path in pytester.path.rglob("*") if path.is_file()]
    assert {"run.json", "evals.sqlite"} <= {path.name for path in files}
    assert not [path for path in files if b"sk-acme-0123456789" in path.read_bytes()]
