"""Corrections of p-values against statsmodels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.corrections import adjust

multitest = pytest.importorskip("statsmodels.stats.multitest")


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=25))
def test_adjusted_p_values(ours, theirs, p_values):
    """Ties and ends included, in the order given."""
    expected = multitest.multipletests(p_values, method=theirs)[1]
    assert pytest.approx(list(expected), abs=1e-12) == adjust(p_values, correction=ours)


def test_none_and_nothing():
    """No correction changes nothing; no rows give no p-values."""
    assert adjust([0.2, 0.01], correction="none") == [0.2, 0.01]
    assert adjust([]) == []


def test_a_bad_p_value_or_name_is_refused():
    """NaN is no p-value."""
    with pytest.raises(ValueError, match="got nan"):
        adjust([float("nan")])
    with pytest.raises(ValueError, match="one of holm"):
        adjust([0.1], correction="bonferoni")
