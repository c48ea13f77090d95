"""Real instrumentations of the real OpenAI SDK against a real server: traces, tools, tokens, cases."""

import json

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.trace.content import inputs_of, outputs_of
from tests._servers import Loopback, Say

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("clients_left_open")]
pytest.importorskip("openai")
pytest.importorskip("opentelemetry.exporter.otlp.proto.common.trace_encoder")

AGENT = '''
import importlib, json, os
from google.protobuf.json_format import MessageToJson
from openai import AsyncOpenAI, OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult


class Lines(SpanExporter):
    """What a collector's file exporter writes: one request a line."""

    def export(self, spans):
        with open("traces.jsonl", "a") as file:
            file.write(MessageToJson(encode_spans(spans), indent=None) + "\\n")
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines()))
trace.set_tracer_provider(provider)
importlib.import_module(os.environ["WHICH"]).OpenAIInstrumentor().instrument()
T = trace.get_tracer("agent")
KEYS = {"base_url": os.environ["SERVER"] + "/v1", "api_key": "none", "max_retries": 0}
TOOL = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}
OPERATION = "gen_ai.operation.name"


def lookup(call):
    told = {OPERATION: "execute_tool", "gen_ai.tool.name": "lookup", "gen_ai.tool.call.id": call.id,
            "gen_ai.tool.call.arguments": call.function.arguments}
    with T.start_as_current_span("execute_tool lookup", attributes=told) as span:
        span.set_attribute("gen_ai.tool.call.result", '{"days": 30}')
    return '{"days": 30}'


def answer(question):
    client = OpenAI(**KEYS)
    thread = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    with T.start_as_current_span("invoke_agent support", attributes={OPERATION: "invoke_agent"}):
        while True:
            done = client.chat.completions.create(model="tiny", messages=thread, tools=[TOOL])
            message = done.choices[0].message
            if not message.tool_calls:
                return message.content
            thread.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                thread.append({"role": "tool", "tool_call_id": call.id, "content": lookup(call)})


async def streamed(question):
    client = AsyncOpenAI(**KEYS)
    thread = [{"role": "user", "content": question}]
    with T.start_as_current_span("invoke_agent stream", attributes={OPERATION: "invoke_agent"}):
        stream = await client.chat.completions.create(
            model="tiny", messages=thread, stream=True, stream_options={"include_usage": True}
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    return "".join(pieces)
'''


def completion(message, reason):
    """Write what the server answers."""
    return Say(
        body={
            "id": "x", "object": "chat.completion", "created": 1, "model": "tiny-1",
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        }
    )  # fmt: skip


def chunk(choices, usage="null"):
    """Write a piece of a stream."""
    return (
        'data: {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "tiny-1", '
        f'"choices": {choices}, "usage": {usage}}}\n\n'
    )


def piece(text, reason="null"):
    """Write a choice of a stream."""
    return f'[{{"index": 0, "delta": {{"content": "{text}"}}, "finish_reason": {reason}}}]'


STREAM = (
    chunk(piece("You have "))
    + chunk(piece("30 days.", '"stop"'))
    + chunk("[]", '{"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}')
    + "data: [DONE]\n\n"
)
CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "lookup", "arguments": '{"q": "refund"}'},
    }
]
SAYS = (
    completion({"content": None, "tool_calls": CALLS}, "tool_calls"),
    completion({"content": "You have 30 days."}, "stop"),
    Say(body=STREAM.encode(), headers=(("content-type", "text/event-stream"),)),
)
SCORERS = [
    {"contains": "30 days"},
    {"span": {"kind": "llm_call", "has_ancestor": {"kind": "agent_turn"}}},
    "no_error_spans",
    "valid_trace",
]


@pytest.mark.parametrize(
    "which",
    [
        "opentelemetry.instrumentation.openai_v2",
        pytest.param("openinference.instrumentation.openai", marks=pytest.mark.slow),
        pytest.param("opentelemetry.instrumentation.openai", marks=pytest.mark.slow),
    ],
)
def test_an_instrumented_agent(folder, which):
    """Its tree, tools and tokens are the trial's; the traces it exports become cases that pass."""
    pytest.importorskip(which, exc_type=ImportError)
    folder.write("agent.py", AGENT)
    folder.dataset(
        models=[
            {"id": "agent", "provider": "python", "target": "agent:answer"},
            {"id": "stream", "provider": "python", "target": "agent:streamed"},
        ],
        cases=[{"id": "a", "input": "How long?", "scorers": SCORERS}],
    )
    with Loopback(says=list(SAYS)).running() as server:
        told = folder.evals(
            "--evals-concurrency=1",
            WHICH=which,
            SERVER=server.url,
            OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
        )
    assert "2 passed" in told, told
    results = folder.results()
    agent, stream = results["a[agent]"].response, results["a[stream]"].response
    assert ["agent_turn", "llm_call", "tool_call", "llm_call"] == [s.kind for s in agent.trace]
    assert {agent.trace[0].id} == {span.parent for span in agent.trace[1:]}
    assert Usage(input_tokens=40, output_tokens=10) == agent.usage
    (call,) = agent.tool_calls
    assert ("lookup", {"q": "refund"}, {"days": 30}) == (call.name, call.arguments, call.result)
    assert ["agent_turn", "llm_call"] == [span.kind for span in stream.trace]
    assert Usage(input_tokens=8, output_tokens=4) == stream.usage
    first, last = agent.trace[1], agent.trace[3]
    assert [] == inputs_of(first).lost == outputs_of(last).lost
    assert "How long?" in [message.text for message in inputs_of(first).messages]
    assert ["You have 30 days."] == [message.text for message in outputs_of(last).messages]

    made = folder.cli(
        "curate", "--otlp", "traces.jsonl", "--assert", "contains: 30 days", "-o", "new.evals.jsonl"
    )
    assert "status 1" in made  # both ask the same, so that the second one's id is taken
    assert "duplicate id 'how-long'" in made
    assert "1 case added" in made
    row = json.loads((folder.path / "new.evals.jsonl").read_text())
    call, final = row["script"]
    assert ("lookup", {"q": "refund"}, {"days": 30}) == (
        call["name"], call["arguments"], call["result"],
    )  # fmt: skip
    assert ("You have 30 days.", 40) == (final["content"], final["tokens"]["prompt_tokens"])
