"""What spans are by their attributes, in every notation, and what they add up to."""

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.span import Span
from pytest_evals.trace.conventions import kind_of, tokens_of, tool_calls_of, usage_of
from pytest_evals.trace.tree import Tree


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "llm_call"),
        ({"gen_ai.operation.name": "text_completion"}, "llm_call"),
        ({"gen_ai.operation.name": "generate_content"}, "llm_call"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent_turn"),
        ({"gen_ai.operation.name": "create_agent"}, "agent_turn"),
        ({"openinference.span.kind": "LLM"}, "llm_call"),
        ({"openinference.span.kind": "RETRIEVER"}, "retrieval"),
        ({"openinference.span.kind": "TOOL"}, "tool_call"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail_check"),
        ({"openinference.span.kind": "CHAIN"}, "custom"),
        ({"traceloop.span.kind": "workflow"}, "agent_turn"),
        ({"traceloop.span.kind": "tool"}, "tool_call"),
        ({"llm.request.type": "completion"}, "llm_call"),
        ({"mcp.method.name": "tools/call"}, "tool_call"),
        ({"gen_ai.tool.name": "find"}, "tool_call"),
        ({"db.system.name": "qdrant", "db.operation.name": "search"}, "retrieval"),
        ({"db.system": "pinecone"}, "retrieval"),
        ({"db.system": "chroma", "db.operation": "upsert"}, "custom"),
        ({"db.system": "postgresql", "db.operation": "query"}, "custom"),
        ({"gen_ai.request.model": "m"}, "llm_call"),
        ({"pytest_evals.kind": "decision", "gen_ai.operation.name": "chat"}, "decision"),
        ({"pytest_evals.kind": "nonsense"}, "custom"),
        ({"gen_ai.operation.name": ["chat"]}, "custom"),
        ({}, "custom"),
    ],
)
def test_kinds(attributes, kind):
    """Of GenAI's conventions, OpenInference's, OpenLLMetry's, MCP's and those of databases."""
    assert kind == kind_of(attributes)


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        (
            {
                "gen_ai.usage.input_tokens": 9,
                "gen_ai.usage.output_tokens": 3,
                "gen_ai.usage.cache_read.input_tokens": 4,
            },
            Usage(input_tokens=9, output_tokens=3, cached_tokens=4),
        ),
        (
            {"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 3},
            Usage(input_tokens=9, output_tokens=3),
        ),
        (
            {"llm.token_count.prompt": 9, "llm.token_count.completion": 0},
            Usage(input_tokens=9, output_tokens=0),
        ),
        ({"gen_ai.usage.input_tokens": "9"}, Usage()),
        ({"gen_ai.usage.input_tokens": True, "gen_ai.usage.output_tokens": -1}, Usage()),
        ({"gen_ai.usage.input_tokens": float("nan")}, Usage()),
        ({}, Usage()),
    ],
)
def test_tokens(attributes, usage):
    """Of each notation; what is no count is not known, and not 0."""
    assert usage == tokens_of(Span(id="a", name="a", attributes=attributes))


def span(key, parent=None, kind="llm_call", tokens=None, **attributes):
    """Make a span."""
    told = {} if tokens is None else {"gen_ai.usage.input_tokens": tokens}
    return Span(id=key, name=key, parent=parent, kind=kind, attributes={**told, **attributes})


def test_a_total_is_not_counted_twice():
    """An agent that reports its calls' tokens adds nothing to them, at any depth."""
    spans = [
        span("agent", kind="agent_turn", tokens=30),
        span("step", "agent", kind="custom"),
        span("framework", "step", tokens=10),
        span("client", "framework", tokens=10),
        span("other", "agent", tokens=20),
    ]
    assert Usage(input_tokens=30) == usage_of(Tree(spans))


def test_an_agent_alone_is_counted():
    """Where only the agent reports, that is the sum."""
    assert Usage(input_tokens=30) == usage_of(
        Tree([span("agent", kind="agent_turn", tokens=30), span("call", "agent")])
    )


def test_embeddings_are_no_tokens_of_the_model():
    """They have a price of their own."""
    spans = [span("agent", kind="agent_turn"), span("e", "agent", "embedding", 500)]
    assert Usage() == usage_of(Tree(spans))
    both = [*spans, span("call", "agent", tokens=5)]
    assert Usage(input_tokens=5) == usage_of(Tree(both))


def test_a_tool_that_two_instrumentations_show_is_one_call():
    """The inner span tells of it; a tool inside another tool is a call of its own."""
    spans = [
        span("running find", kind="tool_call", **{"gen_ai.tool.name": "find"}),
        span(
            "execute_tool find",
            "running find",
            "tool_call",
            **{"gen_ai.tool.name": "find", "gen_ai.tool.call.arguments": '{"q": 1}'},
        ),
        span("execute_tool fetch", "running find", "tool_call"),
    ]
    found = tool_calls_of(Tree(spans))
    assert [("find", {"q": 1}), ("fetch", None)] == [(call.name, call.arguments) for call in found]


@pytest.mark.parametrize(
    ("attributes", "arguments", "result", "captured"),
    [
        ({"gen_ai.tool.call.arguments": '{"a": 1}'}, {"a": 1}, None, False),
        ({"tool_arguments": '{"a": 1}', "tool_response": "ok"}, {"a": 1}, "ok", True),
        ({"input.value": '{"a": 1}', "output.value": "[1]"}, {"a": 1}, [1], True),
        ({"gen_ai.tool.call.arguments": "{broken"}, "{broken", None, False),
        ({"gen_ai.tool.call.arguments": "[1]"}, "[1]", None, False),
        ({"gen_ai.tool.call.result": ""}, None, "", True),
    ],
)
def test_calls_of_tools(attributes, arguments, result, captured):
    """Arguments and results of each notation; what was not captured is not None."""
    (call,) = tool_calls_of(Tree([span("t", kind="tool_call", **attributes)]))
    assert (arguments, result, captured) == (call.arguments, call.result, call.captured)
