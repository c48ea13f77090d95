"""The http provider: any endpoint, with a templated body and paths into what comes back."""

import pytest
from pydantic import ValidationError

from pytest_evals.exchange import Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message, ToolCall
from tests._servers import Say


@pytest.fixture
def url(server):
    """The endpoint's address, where it answers as usual."""
    server.say(Say(body={"answer": "30 days"}))
    return f"{server.url}/ask"


def test_defaults(bench, server, url):
    """Without a body the input is sent, and the usual keys are looked at for the answer."""
    answer = bench.ask("http", url=url)
    seen = server.seen[0]
    assert (seen.method, seen.target, seen.json()) == ("POST", "/ask", {"input": "hi"})
    assert answer.text == "30 days"
    assert answer.data == {"answer": "30 days"}
    assert 0 < answer.latency_s < 10


def test_templated_body(bench, server, url, question):
    """Texts are filled in; a text that is one expression keeps the JSON type of its value."""
    request = question(
        "How long?",
        variables={"lang": "en", "n": 3},
        params={"top_k": 5},
        case_id="refund",
        sample=2,
        messages=(Message(role="user", content="How long?"),),
    )
    bench.ask(
        "http",
        request,
        url=url,
        body={
            "q": "{{ input }}",
            "text": "{{ lang }}: {{ input }}",
            "all": "{{ messages }}",
            "k": "{{ params.top_k }}",
            "more": ["{{ n + 1 }}", "{{ variables.lang }}", True, None, 1.5],
            "{{ lang }}": "{{ case_id }}/{{ sample }}",
            "half": "{{ n }} of",
        },
    )
    assert server.seen[0].json() == {
        "q": "How long?",
        "text": "en: How long?",
        "all": [{"role": "user", "content": "How long?"}],
        "k": 5,
        "more": [4, "en", True, None, 1.5],
        "en": "refund/2",
        "half": "3 of",
    }


def test_input_that_is_no_text(bench, server, url, question):
    """An input that is a mapping is sent as one."""
    bench.ask(
        "http",
        question("", messages=()).model_copy(update={"input": {"a": [1]}}),
        url=url,
        body={"q": "{{ input }}"},
    )
    assert server.seen[0].json() == {"q": {"a": [1]}}


def test_headers_query_and_address(bench, server, url):
    """Everything that is sent may be a template, and secrets come from the environment."""
    bench.environ["TOKEN"] = "t0k"
    bench.ask(
        "http",
        url=url + "/{{ input }}",
        method="GET",
        headers={"Authorization": {"env": "TOKEN", "prefix": "Bearer "}, "x-model": "{{ model }}"},
        query={"q": "a {{ input }}", "key": {"env": "TOKEN"}},
    )
    seen = server.seen[0]
    assert (seen.method, seen.target) == ("GET", "/ask/hi?q=a+hi&key=t0k")
    assert seen.headers["authorization"] == "Bearer t0k"
    assert seen.body == b""


def test_text_body(bench, server, url):
    """A body that is a text is sent as text."""
    bench.ask("http", url=url, body="ask: {{ input }} ü")
    assert server.seen[0].body.decode() == "ask: hi ü"
    assert server.seen[0].headers["content-type"] == "text/plain; charset=utf-8"


def test_paths(bench, server, url):
    """JMESPath says where everything stands."""
    server.say(
        Say(
            body={
                "data": {"choices": [{"text": "30 days"}]},
                "meta": {"in": 41, "out": 6, "usd": 0.25, "id": "r1"},
                "calls": [{"name": "lookup", "arguments": {"id": 7}, "result": "x"}],
            }
        )
    )
    answer = bench.ask(
        "http",
        url=url,
        answer="data.choices[0].text",
        usage={"input_tokens": "meta.in", "output_tokens": "meta.out"},
        cost="meta.usd",
        tool_calls="calls",
        metadata={"request": "meta.id"},
        error="error",
    )
    assert answer.text == "30 days"
    assert answer.usage == Usage(input_tokens=41, output_tokens=6)
    assert answer.cost_usd == 0.25
    assert answer.tool_calls == (
        ToolCall(name="lookup", arguments={"id": 7}, result="x", captured=True),
    )
    assert answer.metadata == {"request": "r1"}


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"30 days", "text/plain", "30 days"),
        (b'"30 days"', "application/json", "30 days"),
        (b"[1, 2]", "application/json", "[1, 2]"),
        (b"42", "text/plain", "42"),
        (b'{"a": {"b": 1}}', "application/json", '{"a": {"b": 1}}'),
        (b'{"content": {"x": 1}, "message": "m"}', "application/json", "m"),
        ("fünf".encode(), "text/plain", "fünf"),
        (b"", "text/plain", ""),
    ],
)
def test_answers_without_a_path(bench, server, url, body, kind, text):
    """What is no JSON object is the answer itself; an object is searched, else shown whole."""
    server.say(Say(body=body, headers=(("content-type", kind),)))
    assert bench.ask("http", url=url).text == text


def test_answer_that_is_data(bench, server, url):
    """An answer that is no text is written as JSON."""
    server.say(Say(body={"out": {"city": "Zürich"}}))
    assert bench.ask("http", url=url, answer="out").text == '{"city": "Zürich"}'


def test_error_in_the_body(bench, server, url):
    """Something where an error is looked for means that there is no answer."""
    server.say(Say(body={"error": {"message": "no such user"}, "answer": "x"}))
    error = bench.refusal("http", url=url, error="error")
    assert error.type == "provider"
    assert "no such user" in str(error)
    server.say(Say(body={"error": None, "answer": "x"}))
    assert bench.ask("http", url=url, error="error").text == "x"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"answer": "data.text"}, "`answer: data.text` found nothing in it"),
        ({"usage": {"input_tokens": "answer"}}, "whole number"),
        ({"cost": "answer"}, "`cost` is a number"),
        ({"tool_calls": "answer"}, "`tool_calls` is a list"),
        ({"answer": "sum(answer)"}, "does not fit the response"),
    ],
)
def test_paths_that_do_not_fit(bench, url, options, said):
    """A path that finds the wrong thing is an error that shows what came back, and no retry."""
    error = bench.refusal("http", url=url, **options)
    assert (error.type, error.transient) == ("malformed", False)
    assert said in str(error)
    assert "30 days" in str(error)


def test_what_must_be_json(bench, server, url):
    """Where paths are given, a body that is no JSON is malformed."""
    server.say(Say(body=b"<html>", headers=(("content-type", "text/html"),)))
    error = bench.refusal("http", url=url, answer="a")
    assert (error.type, error.transient) == ("malformed", True)


def test_unknown_variable(bench, url):
    """A template that names what the case does not define is an error with a suggestion."""
    error = bench.refusal("http", url=url, body={"q": "{{ inputt }}"})
    assert error.type == "template"
    assert "`inputt`" in str(error)
    assert "'input'" in str(error)


def test_identity(bench, url, question):
    """What makes the Key is what is sent, rendered, without secrets."""
    asked = bench.provider(
        "http",
        url=url + "?l={{ lang }}",
        headers={"a": {"env": "X"}, "b": "c"},
        body=["{{ input }}"],
    )
    assert asked.identity(question("q", variables={"lang": "en"})) == {
        "method": "POST",
        "url": url + "?l=en",
        "query": {},
        "headers": {"b": "c"},
        "body": ["q"],
        "context": {"headers from the environment": {"a": {"env": "X", "prefix": ""}}},
    }
    with pytest.raises(AnswerError, match="lang"):
        asked.identity(question("q"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "url"),
        ({"url": "127.0.0.1/ask"}, "begins with http:// or https://"),
        ({"url": "http://h", "answer": "a["}, "not a JMESPath expression"),
        ({"url": "http://h", "body": {"a": ["{{ b"]}}, "syntax is wrong"),
        ({"url": "http://h", "headers": {"a": "{% if %}"}}, "syntax is wrong"),
        ({"url": "http://h", "method": "FETCH"}, "'GET'"),
        ({"url": "http://h", "usage": {"tokens": "a"}}, "input_tokens"),
        ({"url": "http://h", "query": {"k": {"env": "a b"}}}, "match pattern"),
    ],
)
def test_options_that_are_wrong(bench, options, said):
    """Wrong options are validation errors, before any call."""
    with pytest.raises(ValidationError, match=said.replace("[", r"\[")):
        bench.provider("http", **options)


def test_opaque(bench, url):
    """Behind an endpoint stands code that can change: its answers are not reused by themselves."""
    assert bench.provider("http", url=url).opaque is True
