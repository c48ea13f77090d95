"""Known, none and unknown: a scorer whose evidence is unknown is an error, never a verdict."""

import pytest

from pytest_evals.exchange import Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.span import Span

UNKNOWN_CALLS = Response(text="done", tool_calls_known=False)
NO_CALLS = Response(text="done")
ONE_CALL = Response(text="done", tool_calls=(ToolCall(name="find", arguments={"q": 1}),))
FIND = {"name": "find", "args_subset": {"q": 1}}
TOOLS = [{"name": "find", "parameters": {"type": "object", "properties": {"q": {}}}}]

BY_CALLS = [  # scorer, its verdict without calls, its verdict on `find(q=1)`
    ({"tool_called": "find"}, False, True),
    ({"tool_called": {"name": "find", "min": 0, "max": 0}}, True, False),
    ({"forbidden_tools": ["find"]}, True, False),
    ({"max_tool_calls": 0}, True, False),
    ({"tool_sequence": ["find"]}, False, True),
    ({"tool_sequence": []}, True, False),
    ({"required_tool_calls": [FIND]}, False, True),
    ({"required_tool_calls": [{"name": "find", "count": 0}]}, True, False),
    ({"tool_args": {"tool": "find", "exact": {"q": 1}}}, False, True),
    ({"tool_call_f1": [{"name": "find", "arguments": {"q": 1}}]}, False, True),
    ({"bfcl_calls": [{"find": {"q": [1]}}]}, False, True),
    ({"valid_tool_call": {"tools": TOOLS}}, False, True),
    ("no_loops", True, True),
    ({"expect": {"forbidden_tools": ["find"]}}, True, False),
    ({"expect": {"tool_sequence": ["find"]}}, False, True),
    ({"expect": {"required_tool_calls": [FIND]}}, False, True),
]
SPANS = (Span(id="a", name="step", start_s=0.0, end_s=1.0),)
BY_OTHER_EVIDENCE = [  # scorer, what makes it pass, what makes it fail
    ({"max_tokens": 5}, {"usage": Usage(input_tokens=0, output_tokens=0)},
     {"usage": Usage(input_tokens=6, output_tokens=0)}),
    ({"max_tokens": {"output": 5}}, {"usage": Usage(output_tokens=0)},
     {"usage": Usage(output_tokens=6)}),
    ({"expect": {"max_tokens_total": 5}}, {"usage": Usage(input_tokens=0)},
     {"usage": Usage(input_tokens=6)}),
    ({"max_cost_usd": 0.5}, {"cost_usd": 0.0}, {"cost_usd": 0.6}),
    ({"max_latency_s": 0.5}, {"latency_s": 0.0}, {"latency_s": 0.6}),
    ({"expect": {"max_duration_ms": 500}}, {"latency_s": 0.0}, {"latency_s": 0.6}),
    ({"span": {"name": "other", "max": 0}}, {"response": Response(trace=SPANS)},
     {"response": Response(trace=(SPANS[0].model_copy(update={"name": "other"}),))}),
    ("no_error_spans", {"response": Response(trace=SPANS)},
     {"response": Response(trace=(SPANS[0].model_copy(update={"error": "broke"}),))}),
    ({"max_span_duration_s": 1.5}, {"response": Response(trace=SPANS)},
     {"response": Response(trace=(SPANS[0].model_copy(update={"end_s": 9.0}),))}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "without", "with_call"), BY_CALLS)
def test_tool_calls_are_known_none_or_unknown(bench, written, without, with_call):
    """Unknown calls are an error; none means none, and a call is the truth."""
    unknown = bench.score(written, "done", response=UNKNOWN_CALLS)
    assert unknown.kind == "error"
    assert "tool calls of the response are unknown" in unknown.message
    assert bench.passes(written, "done", response=NO_CALLS) is without
    assert bench.passes(written, "done", response=ONE_CALL) is with_call


@pytest.mark.parametrize(("written", "right", "wrong"), BY_OTHER_EVIDENCE)
def test_other_evidence_is_known_zero_or_unknown(bench, written, right, wrong):
    """Usage, cost, latency and spans: absent is not zero."""
    assert bench.score(written, "done").kind == "error"
    assert bench.passes(written, "done", **right) is True
    assert bench.passes(written, "done", **wrong) is False


@pytest.mark.parametrize(
    "written",
    [
        {"tool_args": {"tool": "find", "subset": {"q": 1}}},
        {"tool_args": {"tool": "find", "schema": {"required": ["q"]}}},
        {"required_tool_calls": [FIND]},
        {"required_tool_calls": [{**FIND, "count": 0}]},
        {"tool_call_f1": [{"name": "find", "arguments": {"q": 1}}]},
        {"bfcl_calls": [{"find": {"q": [1]}}]},
        {"valid_tool_call": {"tools": TOOLS}},
        {"no_loops": 2},
        {"expect": {"required_tool_calls": [FIND]}},
    ],
)
def test_unknown_arguments_are_an_error(bench, written):
    """A call whose arguments were not captured neither passes nor fails."""
    call = ToolCall(name="find", arguments=None)
    scored = bench.score(written, "done", response=Response(tool_calls=(call, call)[:2]))
    if "bfcl_calls" in written:
        scored = bench.score(written, "done", response=Response(tool_calls=(call,)))
    assert scored.kind == "error"
    assert "unknown" in scored.message


def test_unknown_arguments_that_do_not_decide_are_no_error(bench):
    """The name is enough for these."""
    response = Response(tool_calls=(ToolCall(name="find", arguments=None),))
    assert bench.passes({"tool_called": "find"}, "done", response=response)
    assert bench.passes({"tool_call_f1": {"calls": ["find"], "names_only": True}},
                        "done", response=response)  # fmt: skip
    assert not bench.passes({"forbidden_tools": ["find"]}, "done", response=response)
    assert not bench.passes({"required_tool_calls": [{**FIND, "count": {"at_least": 2}}]},
                            "done", response=response)  # fmt: skip


def test_an_unknown_result_is_an_error(bench):
    """A result that was not captured neither matches nor differs."""
    written = {"required_tool_calls": [{"name": "find", "result_subset": {"ok": True}}]}
    assert bench.score(written, "done", response=ONE_CALL).kind == "error"


def test_whether_a_tool_failed_is_known_none_or_unknown(bench):
    """A call without a result may have failed; one failed call decides."""
    failed = ToolCall(name="book", error="sold out", captured=True)
    unknown = bench.score("no_tool_error", "done", response=ONE_CALL)
    assert unknown.kind == "error"
    assert "`find`" in unknown.message
    assert bench.score("no_tool_error", "done", response=UNKNOWN_CALLS).kind == "error"
    assert bench.passes("no_tool_error", "done", response=NO_CALLS)
    assert bench.passes({"no_tool_error": ["find"]}, "done", response=ONE_CALL)
    both = Response(tool_calls=(*ONE_CALL.tool_calls, failed))
    assert bench.passes("no_tool_error", "done", response=both) is False


def test_a_program_reads_null_for_unknown_calls(bench):
    """An empty list is none."""
    from pytest_evals.scorers.command import trial_payload

    unknown = trial_payload(bench.context("done", response=UNKNOWN_CALLS))["tool_calls"]
    assert (unknown, trial_payload(bench.context("done"))["tool_calls"]) == (None, [])
