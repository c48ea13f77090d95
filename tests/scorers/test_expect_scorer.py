"""Expectations by name: every failure, in the one order."""

import pytest

from pytest_evals.exchange import Usage

CALLS = [
    ("search", {"q": "refund"}),
    ("delete", {"id": 1}, {"result": {"ok": 1}, "captured": True}),
]
EVERYTHING = {
    "final_answer_contains": ["30 days", "receipt", "box"],
    "final_answer_excludes": ["never", "box"],
    "tool_sequence": ["search", "book"],
    "forbidden_tools": ["delete", "drop"],
    "required_tool_calls": [
        {"name": "book"},
        {"name": "search", "args_subset": {"q": "x"}, "count": {"op": "exactly", "n": 1}},
    ],
    "max_tokens_total": 49,
    "max_duration_ms": 1500,
    "expected_error_type": "rate_limit",
}
GIVEN = {"calls": CALLS, "usage": Usage(input_tokens=40, output_tokens=10), "latency_s": 1.6}


def _kinds(scored):
    """The kinds of the failures, in order."""
    return [failure["kind"] for failure in scored.metadata.get("failures", ())]


def test_all_failures_are_collected_in_a_fixed_order(bench):
    """None hides another, and the order of the keys does not matter."""
    expected = [
        "answer_missing_phrase", "answer_missing_phrase", "answer_contains_excluded_phrase",
        "answer_contains_excluded_phrase", "tool_sequence_mismatch", "forbidden_tool_used", "required_tool_call_not_satisfied",
        "required_tool_call_not_satisfied", "token_budget_exceeded", "duration_exceeded",
        "expected_error_missing",
    ]  # fmt: skip
    for written in (EVERYTHING, dict(reversed(EVERYTHING.items()))):
        scored = bench.score({"type": "expect", **written}, "never a box", **GIVEN)
        assert scored.passed is False
        assert expected == _kinds(scored)
    assert scored.metadata["failures"][0] == {"kind": "answer_missing_phrase", "phrase": "30 days"}


HOLDS = [
    ({"final_answer_contains": ["30 days"]}, "in 30 days"),
    ({"final_answer_excludes": ["never"]}, "Never"),
    ({"tool_sequence": ["search", "delete"]}, ""),
    ({"tool_sequence": ["delete"], "tool_sequence_mode": "ordered_subseq"}, ""),
    ({"forbidden_tools": ["drop"]}, ""),
    ({"required_tool_calls": [{"name": "search"}]}, ""),
    ({"required_tool_calls": [{"name": "delete", "result_subset": {"ok": 1}}]}, ""),
    ({"required_tool_calls": [{"name": "drop", "count": {"at_most": 0}}]}, ""),
    ({"max_tokens_total": 50}, ""),
    ({"max_duration_ms": 1600}, ""),
]
FAILS = [
    ({"final_answer_contains": ["30 Days"]}, "30 days", "answer_missing_phrase"),
    ({"final_answer_excludes": ["never"]}, "never", "answer_contains_excluded_phrase"),
    ({"tool_sequence": ["delete"]}, "", "tool_sequence_mismatch"),
    ({"tool_sequence": ["delete", "search"], "tool_sequence_mode": "ordered_subseq"}, "",
     "tool_sequence_mismatch"),
    ({"forbidden_tools": ["search"]}, "", "forbidden_tool_used"),
    ({"required_tool_calls": [{"name": "search", "count": {"op": "at_least", "n": 2}}]}, "",
     "required_tool_call_not_satisfied"),
    ({"max_tokens_total": 49}, "", "token_budget_exceeded"),
    ({"max_duration_ms": 1599}, "", "duration_exceeded"),
    ({"expected_error_type": "timeout"}, "", "expected_error_missing"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "answer"), HOLDS)
def test_an_expectation_that_holds(bench, written, answer):
    """Each key alone."""
    assert bench.passes({"expect": written}, answer, **GIVEN)


@pytest.mark.parametrize(("written", "answer", "kind"), FAILS)
def test_an_expectation_that_fails_by_its_kind(bench, written, answer, kind):
    """Each key alone."""
    scored = bench.score({"expect": written}, answer, **GIVEN)
    assert scored.passed is False
    assert [kind] == _kinds(scored)


@pytest.mark.parametrize(
    ("error", "kinds"),
    [("rate_limit", []), ("timeout", ["error_type_mismatch"]),
     ("overloaded", ["error_type_mismatch"])],
)  # fmt: skip
def test_an_expected_error_is_scored_where_there_is_no_answer(bench, error, kinds):
    """By its type, word for word; tokens that nobody reported are none."""
    written = {"expect": {"expected_error_type": "rate_limit", "max_tokens_total": 5}}
    assert bench.bind(written).scores_errors
    assert kinds == _kinds(bench.score(written, error=error))
    assert not bench.bind({"expect": {"max_tokens_total": 5}}).scores_errors


@pytest.mark.parametrize("key", ["max_tokens_total", "max_duration_ms"])
def test_what_is_not_known_is_an_error(bench, key):
    """And never within the limit."""
    assert bench.score({"expect": {key: 5}}, "a").kind == "error"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"final_answer_contain": ["a"]}, "Did you mean 'final_answer_contains'"),
        ({"min_judge_score": 7}, "less than or equal to 1"),
        ({"expected_error_type": "rate_limt"}, "Did you mean 'rate_limit'?"),
        ({"tool_sequence_mode": "any"}, "'exact' or 'ordered_subseq'"),
        ({"required_tool_calls": [{"name": "a", "arg_subset": {}}]}, "extra inputs"),
        ({"required_tool_calls": [{"name": "a", "count": {"op": "more", "n": 1}}]}, "extra inputs"),
        ({"required_tool_calls": [{"name": "a", "count": {"op": "at_least"}}]}, "`op` and `n`"),
        ({"required_tool_calls": [{"name": "a", "count": {}}]}, "a count must have"),
        ({"max_tokens_total": -1}, "greater than or equal to 0"),
    ],
)
def test_an_expectation_that_is_written_wrong_is_refused(bench, written, words):
    """A misspelt key never passes without a word."""
    assert any(words in message for _, message in bench.refused({"expect": written}))
