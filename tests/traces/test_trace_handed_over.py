"""Traces that a target hands over with its answer: over HTTP, from a program, from a callable."""

import asyncio
import json
import re
import sys

import pytest

from pytest_evals.engine.threads import DaemonPool, UserLoop
from pytest_evals.exchange import Request, Response, Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.parsing import response_of
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.registry import Registry
from pytest_evals.span import Span
from tests._servers import Loopback, Say

TOOL = {
    "id": "b",
    "parent": "a",
    "name": "execute_tool find",
    "kind": "tool_call",
    "start_s": 1,
    "end_s": 2,
    "attributes": {"gen_ai.tool.name": "find"},
}
OWN = [TOOL, {"id": "a", "name": "agent", "end_s": 3}]
OTLP = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "a" * 32,
                            "spanId": "b" * 16,
                            "name": "chat",
                            "startTimeUnixNano": "5",
                            "endTimeUnixNano": "6",
                            "attributes": [
                                {
                                    "key": "gen_ai.operation.name",
                                    "value": {"stringValue": "chat"},
                                },
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}


@pytest.fixture
def ask(tmp_path):
    """Ask a model once, by the real provider."""
    pool, loop = DaemonPool(2, "t"), UserLoop()

    async def once(provider, options):
        http = HttpClientPool()
        context = ProviderContext(
            rootdir=tmp_path,
            environ={"PATH": "/usr/bin:/bin"},
            http=http,
            run_sync=pool.run,
            run_async=loop.run,
            folder=None,
        )
        kind = Registry.builtin().provider(provider)
        model = Model(id="m", provider=provider, options=options)
        question = Request(messages=(Message(role="user", content="q"),), input="q", timeout_s=20)
        try:
            return await kind(model, context).complete(question)
        finally:
            await http.aclose()

    yield lambda provider, **options: asyncio.run(once(provider, options))
    pool.close()
    loop.close()


def test_an_endpoint_hands_its_trace_over(ask):
    """Wherever `trace` says it stands, as OTLP/JSON."""
    with Loopback(says=[Say(body={"text": "hi", "debug": {"spans": OTLP}})]).running() as server:
        answer = ask("http", url=server.url, answer="text", trace="debug.spans")
    assert [("chat", "llm_call")] == [(span.name, span.kind) for span in answer.trace]
    assert Usage(input_tokens=7) == answer.usage


def test_an_endpoint_without_a_trace_has_none(ask):
    """Nothing at that place is no error; something that is no trace is one, with what it is."""
    with Loopback(says=[Say(body={"text": "hi"})]).running() as server:
        assert () == ask("http", url=server.url, answer="text", trace="spans").trace
    with (
        Loopback(says=[Say(body={"text": "hi", "spans": 7})]).running() as server,
        pytest.raises(AnswerError, match=r"`trace` is a list of spans.* found '7'"),
    ):
        ask("http", url=server.url, answer="text", trace="spans")


def test_a_call_can_carry_its_trace_id(ask):
    """As W3C's header, another one each time, and kept with the answer; not unless it is asked."""
    with Loopback(says=[Say(body={"text": "hi"})]).running() as server:
        answers = [ask("http", url=server.url, traceparent=True) for _ in range(2)]
        ask("http", url=server.url)
    first, second, none = (seen.headers.get("traceparent") for seen in server.seen)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert [first[3:35], second[3:35]] == [one.metadata["trace_id"] for one in answers]
    assert first[3:35] != second[3:35]
    assert none is None


def test_a_program_hands_its_trace_over(ask, tmp_path):
    """Beside its text, as a list of spans; its tools become the answer's."""
    told = json.dumps({"text": "hi", "trace": OWN})
    (tmp_path / "agent.py").write_text(f"print({told!r})")
    answer = ask("command", command=[sys.executable, "agent.py"])
    assert ["agent", "execute_tool find"] == [span.name for span in answer.trace]
    assert ["find"] == [call.name for call in answer.tool_calls]


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("x", "`trace` is a list of spans"),
        ([{"name": "no id"}], r"`trace\[0\]\.id`: Field required"),
        ([{"id": "", "name": "a"}], r"`trace\[0\]\.id`: String should have at least 1"),
        ([OWN[1], {**TOOL, "stat": 1}], r"`trace\[1\]\.stat`: Extra inputs"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}, r"OTLP/JSON: .*traceId"),
    ],
)
def test_what_is_no_trace_is_refused(trace, message):
    """With the place in it."""
    with pytest.raises(ValueError, match=message):
        response_of({"text": "x", "trace": trace})


def test_a_response_of_the_targets_own_is_checked_too():
    """What is wrong with its spans is told, and nothing of them is changed."""
    spans = (Span(id="a", name="lost", parent="gone", start_s=2, end_s=1),)
    made = response_of(Response(text="x", trace=spans, trace_notes=("mine",)))
    assert spans == made.trace
    assert (
        "mine",
        "the parent of 1 span is not in the trace: 'lost'",
        "1 span ended before starting: 'lost'",
    ) == made.trace_notes
    assert made == response_of(made)
