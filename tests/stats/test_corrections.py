"""Corrections of p-values against their definitions, and against scipy."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.corrections import adjust

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=25)


@given(p_values=p_values)
def test_holm_is_the_closure_of_bonferroni(p_values):
    """The adjusted p is the greatest of m·p over the ordered tests before it (Holm 1979)."""
    expected = [
        min(
            1.0,
            max(
                sum(q >= other for q in p_values) * other
                for other in p_values
                if other <= p
            ),
        )
        for p in p_values
    ]  # fmt: skip
    assert pytest.approx(expected, abs=1e-12) == adjust(p_values, correction="holm")


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_rejects_what_every_intersection_rejects(p_values):
    """Brute force over all subsets: Bonferroni on each that holds the test (Marcus 1976)."""
    n = len(p_values)
    subsets = [[i for i in range(n) if mask >> i & 1] for mask in range(1, 1 << n)]
    expected = [
        max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in subsets if i in s)
        for i in range(n)
    ]
    assert pytest.approx(expected, abs=1e-12) == adjust(p_values, correction="holm")


@given(p_values=p_values)
def test_benjamini_hochberg_is_that_of_scipy(p_values):
    """Ties and ends included, in the order given."""
    stats = pytest.importorskip("scipy.stats")
    expected = stats.false_discovery_control(p_values, method="bh")
    assert pytest.approx(list(expected), abs=1e-12) == adjust(
        p_values, correction="benjamini-hochberg"
    )


@given(p_values=p_values)
def test_corrections_keep_the_order_and_never_help(p_values):
    """A smaller p stays smaller, and none falls below itself."""
    for correction in ("holm", "benjamini-hochberg", "none"):
        adjusted = adjust(p_values, correction=correction)
        assert all(p - 1e-12 <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
        ordered = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
        assert all(q <= later + 1e-12 for q, later in pairwise(ordered))


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
