"""The kind, tokens and tool call of a span, by OpenTelemetry's GenAI conventions.

Older names of the same conventions, OpenInference's and OpenLLMetry's (traceloop) are read too. The
attribute ``pytest_evals.kind`` takes precedence over all of them.
"""

import json
from collections.abc import Mapping
from typing import Any

from pytest_evals.exchange import Usage
from pytest_evals.message import ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.tree import Tree

KINDS = (
    "agent_turn",
    "llm_call",
    "tool_call",
    "retrieval",
    "embedding",
    "memory",
    "decision",
    "handoff",
    "guardrail_check",
    "error",
    "custom",
)
"""The kinds of spans."""

_OPERATIONS = {
    "chat": "llm_call",
    "text_completion": "llm_call",
    "generate_content": "llm_call",
    "embeddings": "embedding",
    "retrieval": "retrieval",
    "execute_tool": "tool_call",
    "invoke_agent": "agent_turn",
    "create_agent": "agent_turn",
    "invoke_workflow": "agent_turn",
}
_OTHERS = {  # OpenInference's and traceloop's kinds, in lower case
    "llm": "llm_call",
    "embedding": "embedding",
    "retriever": "retrieval",
    "reranker": "retrieval",
    "tool": "tool_call",
    "agent": "agent_turn",
    "workflow": "agent_turn",
    "guardrail": "guardrail_check",
}
_REQUESTS = {"chat": "llm_call", "completion": "llm_call", "embedding": "embedding"}
_VECTOR_STORES = (
    "chroma",
    "lancedb",
    "marqo",
    "milvus",
    "pinecone",
    "qdrant",
    "turbopuffer",
    "weaviate",
)
_READS = frozenset({"query", "search", "get", "fetch", "scroll", "recommend", "hybrid_search"})

_TOKENS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
}
_TOOL_NAMES = ("gen_ai.tool.name", "tool.name", "mcp.tool.name", "traceloop.entity.name")
_TOOL_IDS = ("gen_ai.tool.call.id", "tool_call.id", "tool.id")
_ARGUMENTS = (
    "gen_ai.tool.call.arguments",
    "tool_arguments",
    "input.value",
    "traceloop.entity.input",
    "tool.parameters",
)
_RESULTS = (
    "gen_ai.tool.call.result",
    "tool_response",
    "output.value",
    "traceloop.entity.output",
)


def kind_of(attributes: Mapping[str, Any]) -> str:
    """Return the kind of a span from its attributes; ``custom`` if they do not say."""
    explicit = attributes.get("pytest_evals.kind")
    return str(explicit) if explicit in KINDS else _declared(attributes) or _inferred(attributes)


def _declared(attributes: Mapping[str, Any]) -> str | None:
    """Return the kind that a convention's attribute declares; None if there is none."""
    conventions = (
        ("gen_ai.operation.name", _OPERATIONS),
        ("openinference.span.kind", _OTHERS),
        ("traceloop.span.kind", _OTHERS),
        ("llm.request.type", _REQUESTS),
    )
    for key, kinds in conventions:
        value = attributes.get(key)
        if isinstance(value, str) and value.lower() in kinds:
            return kinds[value.lower()]
    return None


def _inferred(attributes: Mapping[str, Any]) -> str:
    """Infer the kind from the presence of other attributes."""
    if "gen_ai.tool.name" in attributes or attributes.get("mcp.method.name") == "tools/call":
        return "tool_call"
    if _reads_vectors(attributes):
        return "retrieval"
    if "gen_ai.request.model" in attributes or "llm.model_name" in attributes:
        return "llm_call"
    return "agent_turn" if "gen_ai.agent.name" in attributes else "custom"


def _reads_vectors(attributes: Mapping[str, Any]) -> bool:
    """Return whether a span queries a vector store."""
    system = attributes.get("db.system.name", attributes.get("db.system"))
    store = isinstance(system, str) and any(name in system.lower() for name in _VECTOR_STORES)
    if not store:
        return False
    operation = attributes.get("db.operation.name", attributes.get("db.operation"))
    return operation is None or str(operation).lower() in _READS


def tokens_of(span: Span) -> Usage:
    """Return the tokens that a span reports."""
    counts: dict[str, int | None] = {}
    for field, names in _TOKENS.items():
        value = first_of(span.attributes, names)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
            counts[field] = int(value)
    return Usage(**counts)


def usage_of(tree: Tree) -> Usage:
    """Sum the tokens of a trace's model calls; a count that none of them reports is None.

    Agents and frameworks report the tokens of the calls below them again, so a span counts only if
    no span below it reports any. Embeddings do not count.
    """
    total = Usage()
    for span in tree.spans:
        if span.kind == "embedding":
            continue
        usage = tokens_of(span)
        if usage.total_tokens is None:
            continue
        below = (inner for inner in tree.below(span) if inner.kind != "embedding")
        if all(tokens_of(inner).total_tokens is None for inner in below):
            total = total + usage
    return total


def tool_name(span: Span) -> str:
    """Return the name of the tool that a span calls; by default the span's name."""
    name = first_of(span.attributes, _TOOL_NAMES)
    if isinstance(name, str) and name:
        return name
    plain = span.name.removeprefix("execute_tool ")
    return plain.removeprefix("MCP send ").removeprefix("tools/call ") or "tool"


def tool_calls_of(tree: Tree) -> tuple[ToolCall, ...]:
    """Return the tool calls of a trace, by start time.

    An instrumented framework around an instrumented client reports each call as two nested spans:
    the inner one counts, with what only the outer one knows.
    """
    calls = []
    for span in tree.spans:
        if span.kind != "tool_call":
            continue
        name = tool_name(span)
        if not any(s.kind == "tool_call" and tool_name(s) == name for s in tree.below(span)):
            calls.append(_with_outer(tree, span, name))
    return tuple(calls)


def _with_outer(tree: Tree, span: Span, name: str) -> ToolCall:
    """Return the tool call of a span, completed from the spans of the same call around it."""
    call = tool_call(span)
    for outer in tree.above(span):
        if outer.kind != "tool_call" or tool_name(outer) != name:
            continue
        call = merge_calls(call, tool_call(outer))
    return call


def merge_calls(call: ToolCall, other: ToolCall) -> ToolCall:
    """Return a call with what another record of the same call knows and this one does not."""
    update: dict[str, object] = {}
    if isinstance(other.arguments, dict) and not isinstance(call.arguments, dict):
        update["arguments"] = other.arguments
    if other.captured and not call.captured:
        update |= {"captured": True, "result": other.result, "error": other.error}
    if call.id is None and other.id is not None:
        update["id"] = other.id
    return call.model_copy(update=update) if update else call


def tool_call(span: Span) -> ToolCall:
    """Return the tool call of a span."""
    result = first_of(span.attributes, _RESULTS)
    arguments = read_json(first_of(span.attributes, _ARGUMENTS))
    call_id = first_of(span.attributes, _TOOL_IDS)
    duration_s = None if span.end_s is None else max(0.0, span.end_s - span.start_s)
    return ToolCall(
        name=tool_name(span),
        arguments=arguments
        if isinstance(arguments, dict)
        else None
        if arguments is None
        else as_text(arguments),
        id=None if call_id is None else str(call_id),
        result=read_json(result),
        captured=result is not None or span.error is not None,
        error=span.error,
        duration_s=duration_s,
    )


def arguments_captured(span: Span) -> bool:
    """Return whether a tool's span has the arguments of the call."""
    return first_of(span.attributes, _ARGUMENTS) is not None


def first_of(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Return the first of several attributes that is present."""
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def read_json(value: Any) -> Any:
    """Parse a text with a JSON object or list; return any other value unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return value
    return value


def _refuse(name: str) -> None:
    """Reject NaN and infinities."""
    raise ValueError(name)


def as_text(value: Any) -> str:
    """Return a value as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
