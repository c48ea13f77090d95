"""The script provider: recorded answers are played turn by turn."""

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.message import ToolCall

HELLO = {"kind": "chat_response", "content": "hello"}
BYE = {"kind": "chat_response", "content": "bye"}
LOOKUP = {"kind": "tool_call", "name": "lookup", "arguments": {"id": 7}, "result": {"days": 30}}


def test_first_answer(bench, question):
    """A single chat response is the answer, with what was recorded of it."""
    event = {
        **HELLO,
        "tokens": {"prompt_tokens": 41, "completion_tokens": 6, "cache_read_tokens": 40},
        "finish_reason": "length",
        "latency_s": 1.5,
    }
    answer = bench.ask("script", question("hi", script=[event]))
    assert answer.text == "hello"
    assert answer.finish_reason == "length"
    assert answer.latency_s == 1.5
    assert answer.usage == Usage(input_tokens=41, output_tokens=6, cached_tokens=40)


def test_latency_that_was_not_recorded(bench, question):
    """A recording without a latency has none: the time it takes to read it says nothing."""
    assert bench.ask("script", question("hi", script=[HELLO])).latency_s is None


def test_tool_calls_before_an_answer(bench, question):
    """Tool calls belong to the answer that follows them; their tokens are counted."""
    calls = [
        {**LOOKUP, "id": "c1", "tokens": {"prompt_tokens": 10, "completion_tokens": 2}},
        {"kind": "tool_call", "name": "send"},
    ]
    answer = bench.ask("script", question("hi", script=[*calls, HELLO]))
    assert answer.tool_calls == (
        ToolCall(name="lookup", arguments={"id": 7}, id="c1", result={"days": 30}, captured=True),
        ToolCall(name="send"),
    )
    assert answer.usage == Usage(input_tokens=10, output_tokens=2)


def test_each_turn_has_its_events(bench, question):
    """The i-th message is answered by the i-th chat response and the calls before it."""
    script = [HELLO, LOOKUP, BYE]
    first = bench.ask("script", question("hi", script=script, turn=0, turns=2))
    second = bench.ask("script", question("on", script=script, turn=1, turns=2))
    assert (first.text, first.tool_calls, first.faults) == ("hello", (), ())
    assert (second.text, [c.name for c in second.tool_calls]) == ("bye", ["lookup"])


def test_events_left_over(bench, question):
    """Events after the last turn are a fault that names how many and which."""
    answer = bench.ask("script", question("hi", script=[HELLO, LOOKUP, BYE]))
    assert answer.faults == (
        "2 events were left over at the end: tool_call lookup, chat_response 'bye'",
    )
    one = bench.ask("script", question("hi", script=[HELLO, BYE]))
    assert one.faults == ("1 event of the script was left over at the end: chat_response 'bye'",)


def test_events_left_over_on_purpose(bench, question):
    """`allow_unused` makes left-over events no fault."""
    script = {"events": [HELLO, BYE], "allow_unused": True}
    assert bench.ask("script", question("hi", script=script)).faults == ()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([HELLO], "none is left to answer user message 2 of 2"),
        ([HELLO, LOOKUP], "ends after tool_call lookup: no chat_response answers"),
    ],
)
def test_script_that_ends_too_early(bench, question, script, said):
    """A turn without a recorded answer is an error that says where the script ended."""
    error = bench.refusal("script", question("on", script=script, turn=1, turns=2))
    assert error.type == "script_exhausted"
    assert said in str(error)


def test_no_script(bench, question):
    """A case without a script cannot be played."""
    error = bench.refusal("script", question("hi", case_id="refund"))
    assert (error.type, str(error)) == (
        "script_exhausted",
        "case 'refund' has no `script` for model 'm' to play",
    )


def test_no_answer_for_a_sample(bench, question):
    """Asking for more samples than were recorded is an error, not a repetition."""
    error = bench.refusal("script", question("hi", script=[[HELLO], [BYE]], sample=2))
    assert error.type == "script_exhausted"
    assert "sample 2" in str(error)


def test_samples_and_models_have_their_own_events(bench, question):
    """The events of the model's id and of the sample are played."""
    script = {"other": [HELLO], "m": [[HELLO], [BYE]]}
    assert bench.ask("script", question("hi", script=script, sample=1)).text == "bye"


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "timeout", "context_overflow"])
def test_recorded_errors(bench, question, kind):
    """An error event is raised as its type, and is never tried again: a recording has no mood."""
    event = {"kind": "error", "error_type": kind, "message": "as recorded"}
    error = bench.refusal("script", question("hi", script=[LOOKUP, event]))
    assert (error.type, error.message, error.transient) == (kind, "as recorded", False)


def test_script_of_another_model(bench, question):
    """A script recorded from another model is refused, with what to do."""
    script = {"events": [HELLO], "source_model": "gpt-5"}
    error = bench.refusal("script", question("hi", script=script), model="gpt-4")
    assert error.type == "script_mismatch"
    assert "recorded from 'gpt-5'" in str(error)
    assert bench.ask("script", question("hi", script=script), model="gpt-5").text == "hello"
    assert bench.ask("script", question("hi", script=script), id="gpt-5").text == "hello"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"total_tokens": 50, "prompt_tokens": 41}, (41, 9)),
        ({"total_tokens": 50, "completion_tokens": 9}, (41, 9)),
        ({"total_tokens": 50}, (None, 50)),
        ({}, (None, None)),
    ],
)
def test_totals(bench, question, tokens, expected):
    """A total fills in the count that is missing, so that budgets see it."""
    usage = bench.ask("script", question("hi", script=[{**HELLO, "tokens": tokens}])).usage
    assert (usage.input_tokens, usage.output_tokens) == expected
    assert usage.total_tokens == tokens.get("total_tokens")
