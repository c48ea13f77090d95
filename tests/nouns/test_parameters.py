"""Sampling parameters that are one number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pytest_evals.parameters import NUMBERS, Params, number_problems

SEVERAL = st.one_of(
    st.lists(st.floats(0, 2)), st.dictionaries(st.sampled_from(["grid", "values"]), st.just([0]))
)
ONE = st.one_of(st.integers(), st.floats(allow_nan=False), st.none(), st.text())


@given(
    wrong=st.dictionaries(st.sampled_from(sorted(NUMBERS)), SEVERAL),
    right=st.dictionaries(st.sampled_from(["stop", "logit_bias", "metadata"]), SEVERAL | ONE),
    single=st.dictionaries(st.sampled_from(sorted(NUMBERS)), ONE),
)
def test_each_list_where_a_number_stood_is_named(wrong, right, single):
    """Exactly those; parameters that are lists by nature, and single values, are left alone."""
    params = {**single, **right, **wrong}
    assert set(wrong) == {name for name, _ in number_problems(params)}
    for name, message in number_problems(params):
        assert message.startswith(f"`{name}` is one number, found ")


def test_options_of_scorers_reject_them():
    """The type of the options of a judge says the same."""
    options = TypeAdapter(Params)
    fine = {"temperature": 0.2, "stop": ["a", "b"]}
    assert fine == options.validate_python(fine)
    with pytest.raises(ValidationError, match=r"`temperature` is one number, found \[0, 0.7\]"):
        options.validate_python({"temperature": [0, 0.7]})
