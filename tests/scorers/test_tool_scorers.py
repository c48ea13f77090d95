"""Which tools were called, in which order, with what, and whether they worked."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.message import Message, ToolCall
from pytest_evals.scorers.tools import _common, sequence_holds

SEARCH = ("search", {"q": "refund", "page": 1})
DONE = ("book", {"id": 7}, {"result": {"ok": True, "seats": ["A1", "A2"]}, "captured": True})
BROKEN = ("book", {"id": 8}, {"error": "sold out"})
BAD_JSON = ToolCall(name="search", arguments="{q: refund")
WEATHER = {
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["city"],
    },
}
RIGHT = [
    ({"tool_called": "search"}, [SEARCH]),
    ({"tool_called": "se*"}, [SEARCH]),
    ({"tool_called": {"name": "search", "min": 2, "max": 2}}, [SEARCH, DONE, SEARCH]),
    ({"tool_called": {"name": "search", "min": 0, "max": 1}}, []),
    ({"forbidden_tools": ["delete", "admin_*"]}, [SEARCH]),
    ({"forbidden_tools": ["*"]}, []),
    ({"tool_sequence": ["search", "book"]}, [SEARCH, DONE]),
    ({"tool_sequence": []}, []),
    ({"tool_sequence": {"names": ["a", "c"], "mode": "ordered_subseq"}}, ["a", "b", "c"]),
    ({"tool_sequence": {"names": ["b", "a"], "mode": "unordered"}}, ["a", "b"]),
    ({"tool_sequence": {"names": ["a", "b"], "mode": "subset"}}, ["a", "a"]),
    ({"tool_sequence": {"names": ["a", "b"], "mode": "superset"}}, ["b", "c", "a"]),
    ({"required_tool_calls": [{"name": "search"}]}, [SEARCH]),
    ({"required_tool_calls": [{"name": "search", "args_subset": {"q": "refund"}}]}, [SEARCH]),
    ({"required_tool_calls": [{"name": "book", "result_subset": {"ok": True}}]}, [DONE]),
    ({"required_tool_calls": [{"name": "book", "result_subset": {"a": 1}}]},
     [("book", {}, {"result": '{"a": 1, "b": 2}', "captured": True})]),
    ({"required_tool_calls": [{"name": "search", "count": {"exactly": 2}}]}, [SEARCH, SEARCH]),
    ({"required_tool_calls": [{"name": "search", "count": {"op": "at_most", "n": 1}}]}, []),
    ({"required_tool_calls": [{"name": "search", "count": 0}]}, [DONE]),
    ({"tool_args": {"tool": "search", "subset": {"q": "refund"}}}, [DONE, SEARCH]),
    ({"tool_args": {"tool": "search", "exact": {"q": "refund", "page": 1}}}, [SEARCH]),
    ({"tool_args": {"tool": "search", "schema": {"required": ["q"]}}}, [SEARCH]),
    ({"tool_args": {"tool": "book", "subset": {"id": 8}, "which": "last"}}, [DONE, BROKEN]),
    ({"tool_call_f1": [{"name": "search", "arguments": {"page": 1.0, "q": "refund"}}]}, [SEARCH]),
    ({"tool_call_f1": {"calls": ["book", "search"], "names_only": True}}, [SEARCH, DONE]),
    ({"type": "tool_call_f1", "calls": ["ping", "pong"], "threshold": 0.6}, ["ping"]),
    ({"max_tool_calls": 1}, [SEARCH]),
    ({"max_tool_calls": 0}, []),
    ("no_tool_error", [DONE]),
    ("no_tool_error", []),
    ({"no_tool_error": ["book"]}, [BROKEN]),
    ("no_loops", [SEARCH, SEARCH, DONE, SEARCH]),
    ({"no_loops": 2}, [SEARCH, ("search", {"q": "x"})]),
]  # fmt: skip
WRONG = [
    ({"tool_called": "search"}, []),
    ({"tool_called": "search"}, ["searching"]),
    ({"tool_called": {"name": "search", "max": 1}}, [SEARCH, SEARCH]),
    ({"forbidden_tools": ["admin_*"]}, [SEARCH, "admin_delete"]),
    ({"forbidden_tools": ["*"]}, [SEARCH]),
    ({"tool_sequence": ["search", "book"]}, [DONE, SEARCH]),
    ({"tool_sequence": ["search"]}, [SEARCH, DONE]),
    ({"tool_sequence": []}, [SEARCH]),
    ({"tool_sequence": {"names": ["a", "c"], "mode": "ordered_subseq"}}, ["c", "a"]),
    ({"tool_sequence": {"names": ["a", "a"], "mode": "ordered_subseq"}}, ["a", "b"]),
    ({"tool_sequence": {"names": ["a", "b"], "mode": "unordered"}}, ["a", "b", "b"]),
    ({"tool_sequence": {"names": ["a", "b"], "mode": "subset"}}, ["a", "c"]),
    ({"tool_sequence": {"names": ["a", "a"], "mode": "superset"}}, ["a", "b"]),
    ({"required_tool_calls": [{"name": "search", "args_subset": {"q": "x"}}]}, [SEARCH]),
    ({"required_tool_calls": [{"name": "search", "args_subset": {"z": None}}]}, [SEARCH]),
    ({"required_tool_calls": [{"name": "search", "args_subset": {"q": "refund"}}]}, [BAD_JSON]),
    ({"required_tool_calls": [{"name": "book", "result_subset": {"seats": ["A1"]}}]}, [DONE]),
    ({"required_tool_calls": [{"name": "search", "count": {"exactly": 0}}]}, [SEARCH]),
    ({"tool_args": {"tool": "search", "subset": {"q": "x"}}}, [SEARCH]),
    ({"tool_args": {"tool": "search", "subset": {"q": "x"}}}, []),
    ({"tool_args": {"tool": "search", "exact": {"q": "refund"}}}, [SEARCH]),
    ({"tool_args": {"tool": "search", "schema": {"required": ["z"]}}}, [SEARCH]),
    ({"tool_args": {"tool": "search", "subset": {"q": "refund"}}}, [BAD_JSON]),
    ({"tool_args": {"tool": "book", "subset": {"id": 7}, "which": "all"}}, [DONE, BROKEN]),
    ({"tool_args": {"tool": "book", "subset": {"id": 8}, "which": "first"}}, [DONE, BROKEN]),
    ({"tool_call_f1": ["ping", "pong"]}, ["ping"]),
    ({"tool_call_f1": ["ping"]}, ["ping", "ping"]),
    ({"tool_call_f1": ["ping"]}, []),
    ({"max_tool_calls": 1}, [SEARCH, DONE]),
    ("no_tool_error", [DONE, BROKEN]),
    ("no_loops", [SEARCH, SEARCH, SEARCH]),
    ("no_loops", [DONE, *[SEARCH, "ping", "pong"] * 3, DONE]),
    ({"no_loops": 2}, [SEARCH, ("search", {"page": 1, "q": "refund"})]),
]


@pytest.mark.parametrize(("written", "calls"), RIGHT)
def test_the_right_calls_pass(bench, written, calls):
    """The assertion holds."""
    assert bench.passes(written, calls=calls), bench.score(written, calls=calls).reason


@pytest.mark.parametrize(("written", "calls"), WRONG)
def test_the_wrong_calls_fail_with_a_reason(bench, written, calls):
    """The assertion does not hold, and says what was called."""
    scored = bench.score(written, calls=calls)
    assert scored.passed is False
    assert scored.reason


VALID = [
    ([("get_weather", {"city": "Paris"})], 1.0),
    ([("get_weather", {"city": "Paris", "days": 2})], 1.0),
    ([("get_wether", {"city": "Paris"})], 0.0),
    ([("get_weather", {})], 0.0),
    ([("get_weather", {"city": 7})], 0.0),
    ([("get_weather", {"city": "Paris", "days": 0})], 0.0),
    ([("get_weather", {"city": "Paris", "unit": "C"})], 0.0),
    ([("get_weather", {"city": "Paris"}), ("get_weather", {})], 0.5),
    ([ToolCall(name="get_weather", arguments="Paris")], 0.0),
    ([], 0.0),
]


@pytest.mark.parametrize("form", ["ours", "openai", "anthropic"])
@pytest.mark.parametrize(("calls", "value"), VALID)
def test_calls_are_checked_against_the_declared_tools(bench, calls, value, form):
    """However they are declared; the value is the share of the valid calls."""
    tools = {
        "ours": WEATHER,
        "openai": {"type": "function", "function": WEATHER},
        "anthropic": {"name": "get_weather", "input_schema": WEATHER["parameters"]},
    }
    scored = bench.score("valid_tool_call", calls=calls, tools=(tools[form],))
    assert (scored.passed, scored.value) == (value == 1.0, value)


def test_an_unknown_tool_is_named_with_a_suggestion(bench):
    """In the reason."""
    scored = bench.score("valid_tool_call", calls=["get_wether"], tools=(WEATHER,))
    assert "Did you mean 'get_weather'?" in scored.reason


def test_undeclared_arguments_may_be_allowed(bench):
    """Not strict, or where the schema says so; and no call may be right."""
    calls = [("get_weather", {"city": "Paris", "unit": "C"})]
    assert bench.passes({"valid_tool_call": {"strict": False}}, calls=calls, tools=(WEATHER,))
    assert bench.passes({"valid_tool_call": {"min": 0}}, calls=[], tools=(WEATHER,))


def test_tools_must_be_declared_and_be_schemas(bench):
    """Else the dataset is refused."""
    assert "declares `tools`" in bench.problems("valid_tool_call")[0]
    wrong = {"name": "a", "parameters": {"type": "objekt"}}
    assert "the declaration of `a`" in bench.problems("valid_tool_call", tools=(wrong,))[0]


def test_turns_are_the_models_messages(bench):
    """Those it added, or its answers where it kept none."""
    spoken = tuple(Message(role=role) for role in ("assistant", "tool", "assistant"))
    assert bench.passes({"max_turns": 2}, messages=spoken)
    assert not bench.passes({"max_turns": 1}, messages=spoken)
    assert bench.passes({"max_turns": 1})


def test_the_value_of_a_sequence_says_how_near_it_is(bench):
    """F1 of what both have, in order where order counts."""
    assert bench.score({"tool_sequence": ["a", "b"]}, calls=["b", "a"]).value == 0.5
    written = {"tool_sequence": {"names": ["a", "b"], "mode": "unordered"}}
    assert bench.score(written, calls=["b"]).value == pytest.approx(2 / 3)


NAMES = st.lists(st.sampled_from("abc"), max_size=7)


@given(NAMES, NAMES)
def test_the_modes_of_a_sequence_imply_each_other(wanted, found):
    """Exact is ordered and unordered; both of these hold all the names."""
    holds = {
        mode: sequence_holds(wanted, found, mode)
        for mode in ("exact", "ordered_subseq", "unordered", "subset", "superset")
    }
    assert holds["exact"] == (wanted == found)
    assert holds["unordered"] == (sorted(wanted) == sorted(found))
    assert not holds["exact"] or all(holds.values())
    assert not (holds["ordered_subseq"] or holds["unordered"]) or holds["superset"]
    assert holds["ordered_subseq"] == (_common(wanted, found) == len(wanted))


@pytest.mark.parametrize("seed", range(30))
def test_loops_are_found_where_a_slow_search_finds_them(bench, seed):
    """A block of any size, repeated in a row."""
    draw = random.Random(seed)
    names = draw.choices("ab", k=draw.randint(0, 14))
    repeats = draw.choice([2, 3])
    slow = any(
        names[i : i + size] * repeats == names[i : i + size * repeats]
        for size in range(1, len(names) + 1)
        for i in range(len(names) - size * repeats + 1)
    )
    assert slow is not bench.passes({"no_loops": repeats}, calls=names)


def test_thousands_of_calls_are_followed_quickly(bench):
    """A long trajectory is no problem."""
    import time

    calls = [ToolCall(name="t", arguments={"i": i % 997}) for i in range(5_000)]
    begun = time.process_time()
    assert bench.passes("no_loops", calls=calls)
    assert bench.passes({"tool_sequence": {"names": ["t"] * 5, "mode": "superset"}}, calls=calls)
    assert time.process_time() - begun < 5
