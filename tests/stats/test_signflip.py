"""The sign-flip test against enumeration, McNemar, and itself."""

from itertools import product
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.signflip import (
    _drawn,
    _exact_real,
    _exact_whole,
    fewest_changes,
    mcnemar,
    sign_flip,
)


def brute_force(changes):
    """The share of all signings whose sum is at most the one seen."""
    bar = sum(changes) + 1e-9
    signings = list(product((-1, 1), repeat=len(changes)))
    return sum(
        sum(s * c for s, c in zip(signs, changes, strict=True)) <= bar for signs in signings
    ) / len(signings)


@given(st.lists(st.integers(-15, 15), max_size=10))
def test_whole_changes_equal_brute_force(changes):
    """Pass counts: every path of the exact test."""
    assert pytest.approx(brute_force(changes)) == sign_flip(changes).p


@given(st.lists(st.integers(-15, 15).filter(bool), min_size=1, max_size=12))
def test_the_generating_function_and_the_two_halves_agree(changes):
    """Two exact algorithms, one answer."""
    assert pytest.approx(_exact_real(changes)) == _exact_whole(changes)


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, -0.1, -0.2, -0.3, 0.7]), max_size=9))
def test_real_changes_equal_brute_force_with_ties(changes):
    """0.1 + 0.2 ties with 0.3, whatever the last bit says."""
    assert pytest.approx(brute_force(changes)) == sign_flip(changes).p


@given(worse=st.integers(0, 60), better=st.integers(0, 60))
def test_one_binary_sample_a_side_is_mcnemar(worse, better):
    """The exact one-sided McNemar test, a binomial test of the pairs that differ."""
    stats = pytest.importorskip("scipy.stats")
    found = sign_flip([-1] * worse + [1] * better + [0] * 5)
    assert mcnemar(worse, better) == found.p
    if worse + better:
        expected = stats.binomtest(better, worse + better, alternative="less").pvalue
        assert pytest.approx(expected) == found.p
    assert (worse, better) == (found.worse, found.better)


def test_draws_come_close_to_the_exact_p_and_repeat():
    """Seeded: the same seed gives the same p."""
    rng = Random(5)
    changes = [rng.randint(-5, 4) for _ in range(80)]
    exact = sign_flip(changes)
    assert exact.method == "sign-flip, exact"
    moved = [c for c in changes if c]
    assert pytest.approx(exact.p, abs=0.01) == _drawn(moved, 9999, 0)
    assert _drawn(moved, 9999, 0) == _drawn(moved, 9999, 0)


def test_many_real_changes_are_drawn():
    """The method says how many; p is never 0."""
    found = sign_flip([-0.1 - i / 1000 for i in range(40)])
    assert (found.method, found.p) == ("sign-flip, 9,999 seeded draws", 1 / 10_000)


def test_all_better_is_p_1_and_all_worse_is_the_least_p():
    """All cases improving must not look like a regression."""
    assert sign_flip([2, 1, 3]).p == 1.0
    assert sign_flip([-2, -1, -3]).p == 1 / 8
    assert sign_flip([0, 0]).p == 1.0


def test_p_does_not_depend_on_the_unit():
    """A common factor changes nothing."""
    assert sign_flip([-3, 1, -2, 4, -6]).p == sign_flip([-30, 10, -20, 40, -60]).p


def test_fewest_changes():
    """Five all for the worse give 1/32 = 0.031, four 0.0625."""
    assert fewest_changes(0.04) == 5
    assert fewest_changes(0.001) == 10


@pytest.mark.parametrize(
    "call",
    [
        lambda: sign_flip([0.1, float("nan")]),
        lambda: sign_flip([1], draws=10),
        lambda: fewest_changes(0),
        lambda: mcnemar(-1, 2),
    ],
)
def test_bad_arguments_are_refused(call):
    """Not finite, too few draws, no alpha, a negative count."""
    with pytest.raises(ValueError, match=r"must|needs|inside"):
        call()


@pytest.mark.parametrize("real", [False, True])
def test_ten_thousand_changes_take_under_two_seconds(real):
    """The largest diff that is promised."""
    rng = Random(6)
    changes = [rng.random() - 0.5 if real else rng.randint(-5, 5) for _ in range(10_000)]
    started = process_time()
    sign_flip(changes)
    assert process_time() - started < 2
