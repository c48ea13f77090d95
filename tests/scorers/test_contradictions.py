"""Assertions of one case that cannot both hold are refused when it is collected."""

from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pytest_evals.case import Case
from pytest_evals.scorers.contradictions import contradictions


@pytest.mark.parametrize(
    "written",
    [
        [{"contains": "t"}, {"not": {"contains": "t"}}],
        [{"contains": "30 days"}, {"not": {"icontains": "DAYS"}}],
        [{"equals": "a b"}, {"not": {"contains_any": ["x", "b"]}}],
        [{"contains_all": ["a", "b"]}, {"not": {"contains": "b"}}],
        [{"all_of": [{"contains": "a"}, {"not": {"contains": "a"}}]}],
        [{"contains": "a"}, {"not": {"any_of": [{"contains": "a"}, {"contains": "b"}]}}],
        [{"forbidden_tools": ["t"]}, {"tool_called": "t"}],
        [{"forbidden_tools": ["adm*"]}, {"tool_sequence": ["admin"]}],
        [{"required_tool_calls": [{"name": "t"}]}, {"tool_called": {"name": "t", "max": 0, "min": 0}}],
        [{"tool_called": "t"}, {"max_tool_calls": 0}],
        [{"tool_called": "t"}, {"not": {"tool_called": "t"}}],
        [{"expect": {"forbidden_tools": ["t"]}}, {"tool_called": "t"}],
        [{"tool_called": {"name": "t", "min": 3}}, {"max_tool_calls": 2}],
        [{"tool_sequence": ["a", "b", "c"]}, {"max_tool_calls": 2}],
        [{"tool_sequence": ["a", "a"]}, {"tool_called": {"name": "a", "max": 1}}],
        [{"equals": "a b"}, {"contains": "c"}],
        [{"equals": "a"}, {"equals": "b"}],
        [{"starts_with": "abc"}, {"char_count": 2}],
        [{"word_count": {"min": 5}}, {"word_count": 3}],
    ],
)  # fmt: skip
def test_contradictions_name_both_assertions(bench, written):
    """The message names both assertions."""
    bounds = [bench.bind(item) for item in written]
    (message,) = contradictions(bounds, Case(id="c", input="q"))
    assert "contradict" in message
    assert message.count("`") >= 4


@pytest.mark.parametrize(
    "written",
    [
        [{"contains": "a"}, {"not": {"contains": "ab"}}],
        [{"icontains": "a"}, {"not": {"contains": "a"}}],
        [{"contains": "a"}, {"not": {"contains_all": ["a", "b"]}}],
        [{"contains_any": ["a", "b"]}, {"not": {"contains": "a"}}],
        [{"any_of": [{"contains": "a"}, {"not": {"contains": "a"}}]}],
        [{"contains": "a"}, {"type": "not", "of": {"contains": "a"}, "transform": "first_line"}],
        [{"forbidden_tools": ["t"]}, {"tool_called": "u"}],
        [{"tool_called": "t"}, {"tool_called": {"name": "t", "max": 2}}],
        [{"expect": {"expected_error_type": "timeout"}}, {"contains": "a"}],
        [{"not": {"equals": "a"}}, {"contains": "a"}],
        [{"tool_sequence": {"names": ["t"], "mode": "subset"}}, {"forbidden_tools": ["t"]}],
        [{"tool_sequence": ["a", "b"]}, {"max_tool_calls": 2}],
        [{"equals": {"value": "A", "ignore_case": True}}, {"contains": "a"}],
        [{"equals": "a "}, {"equals": "a"}],
        [{"contains": "abc"}, {"char_count": 3}],
    ],
)
def test_assertions_that_can_hold_together(bench, written):
    """Nothing else is refused."""
    bounds = [bench.bind(item) for item in written]
    assert list(contradictions(bounds, Case(id="c", input="q"))) == []


_TEXT = st.text("abA ", min_size=1, max_size=3).filter(str.strip)
_NAMES = ["contains", "icontains", "equals", "starts_with", "ends_with"]
_ONE = st.builds(lambda name, text: {name: text}, st.sampled_from(_NAMES), _TEXT)
_MANY = st.builds(
    lambda name, texts: {name: texts},
    st.sampled_from(["contains_any", "contains_all", "icontains_any"]),
    st.lists(_TEXT, min_size=1, max_size=2),
)
_LENGTH = st.builds(
    lambda n, least: {"char_count": {"min": n} if least else {"max": n}},
    st.integers(1, 4),
    st.booleans(),
)
_PLAIN = _ONE | _MANY | _LENGTH
_OUTPUTS = ["".join(text) for n in range(5) for text in product("abA ", repeat=n)]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(_PLAIN | _PLAIN.map(lambda item: {"not": item}), min_size=2, max_size=3))
def test_no_output_passes_what_is_refused(bench, written):
    """Whatever is refused, no output of a small alphabet passes all of it."""
    bounds = [bench.bind(item) for item in written]
    assume(list(contradictions(bounds, Case(id="c", input="q"))))
    for output in _OUTPUTS:
        context = bench.context(output)
        scored = (bound.evaluate_now(context) for bound in bounds)
        assert not all(score.kind == "score" and score.passed for score in scored), output
