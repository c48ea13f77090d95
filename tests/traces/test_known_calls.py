"""The tool calls that a trace shows, does not show, or shows not to exist."""

import json

import pytest

from pytest_evals.exchange import Response
from pytest_evals.message import ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.attach import attach_trace
from pytest_evals.trace.known_calls import known_calls
from pytest_evals.trace.tree import Tree


def model(start, output=None, received=None, parent=None, **attributes):
    """Return the span of a model call."""
    if output is not None:
        attributes["gen_ai.output.messages"] = json.dumps([{"role": "assistant", "parts": output}])
    if received is not None:
        attributes["gen_ai.input.messages"] = json.dumps([{"role": "tool", "parts": received}])
    return Span(
        id=f"m{start}", name="chat", kind="llm_call", parent=parent, start_s=start,
        end_s=start + 1, attributes=attributes,
    )  # fmt: skip


def tool(name, **attributes):
    """Return the span of a tool."""
    return Span(id=f"t-{name}", name=name, kind="tool_call", start_s=1.5, end_s=1.6,
                attributes={"gen_ai.tool.name": name, **attributes})  # fmt: skip


CALL = {"type": "tool_call", "id": "c", "name": "find", "arguments": {"q": 1}}
RESULT = {"type": "tool_call_response", "id": "c", "response": "yes"}
TEXT = {"type": "text", "content": "done"}
FOUND = ToolCall(name="find", arguments={"q": 1}, id="c", result="yes", captured=True)
FLAT = {
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q": 1}',
}


@pytest.mark.parametrize(
    ("spans", "calls"),
    [
        ([model(0, [CALL]), model(2, [TEXT], [RESULT])], (FOUND,)),
        ([model(0, **FLAT), model(2, [TEXT], [RESULT])], (FOUND,)),
        ([model(0, [TEXT])], ()),
        ([model(0, [TEXT]), model(2)], None),
        ([model(0)], None),
        ([Span(id="a", name="step", start_s=0.0)], None),
        # an earlier turn's result is no call of this turn
        ([model(0, [TEXT], [RESULT])], ()),
        # two instrumentations report one call, nested or side by side
        ([model(0, [CALL]), model(0.2, [CALL], parent="m0"), model(2, [TEXT], [RESULT])], (FOUND,)),
        ([model(0, [CALL]), model(0.2, [CALL]), model(2, [TEXT], [RESULT])], (FOUND,)),
    ],
)
def test_calls_are_read_from_the_messages_of_models(spans, calls):
    """Joined with their results by the id; unknown where a model call says nothing."""
    assert known_calls(Tree(spans)) == calls


def test_a_tool_without_a_span_beside_one_that_has_it():
    """The call that only the messages show is a call too."""
    spans = [model(0, [CALL]), tool("other"), model(2, [TEXT], [RESULT])]
    calls = known_calls(Tree(spans))
    assert calls is not None
    assert [call.name for call in calls] == ["other", "find"]


@pytest.mark.parametrize("written", [{}, {"input.value": "bare text"}])
def test_the_arguments_come_from_the_message_where_the_span_lacks_them(written):
    """One call, with everything that either knows."""
    calls = known_calls(Tree([model(0, [CALL]), tool("find", **written), model(2, [TEXT])]))
    assert calls is not None
    assert [(call.name, call.arguments, call.id) for call in calls] == [("find", {"q": 1}, "c")]


def test_the_span_of_mcp_has_the_name_of_the_tool():
    """A transport's span inside a tool's span is that call."""
    outer = tool("find", **{"gen_ai.tool.call.arguments": '{"q": 1}'})
    inner = Span(id="i", name="MCP send tools/call find", kind="tool_call", parent=outer.id,
                 start_s=1.55, end_s=1.56)  # fmt: skip
    calls = known_calls(Tree([outer, inner]))
    assert calls is not None
    assert [(call.name, call.arguments) for call in calls] == [("find", {"q": 1})]


@pytest.mark.parametrize(
    ("spans", "notes", "calls_known"),
    [
        ([model(0, [TEXT])], (), True),
        ([model(0, [TEXT])], ("5 of 9 spans were left out: 4 are kept",), False),
        ([model(0)], (), False),
        ([tool("find")], ("5 of 9 spans were left out: 4 are kept",), False),
    ],
)
def test_an_incomplete_trace_leaves_the_calls_unknown(spans, notes, calls_known):
    """The spans that are missing may have been tools."""
    response = attach_trace(Response(tool_calls_known=False), spans, notes)
    assert response.tool_calls_known is calls_known
