"""The break rule: its confirmations, and the chance of breaks that nothing explains."""

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.breaks import break_chances, break_p, confirmation_samples
from pytest_evals.stats.correlation import CorrelationWeights, prior_weights
from pytest_evals.stats.flips import (
    max_correlated_flip_chance,
    max_flip_chance,
    max_flips_per_flicker,
)


def expected_breaks(cells, flickering, more):
    """Sum up the chances of false breaks, by hand, as they are weighed before any data."""
    share = (flickering + 1) / len(cells)
    return sum(
        weight * alike_chance(a, n, more, rho, share)
        for rho, weight in prior_weights(repeated=True).weights
        for a, n in cells
    )


def alike_chance(a, n, more, rho, share):
    """Bound a false break by its worst rate and by the cases that flicker."""
    independent = max_flip_chance(a, n + more)
    if not rho:
        return independent
    ratio = max_flips_per_flicker(a, n, n + more, rho)
    return max(independent, min(max_correlated_flip_chance(a, n + more, rho), share * ratio))


@pytest.mark.parametrize(
    ("cases", "flickering", "rows"), [(20, 0, 1), (60, 3, 1), (60, 0, 5), (300, 1, 2)]
)
def test_r_is_the_least_that_holds_the_expected_false_breaks(cases, flickering, rows):
    """At most 0.01/rows are expected, and not with r - 1."""
    cells = [(5, 5)] * cases
    r = confirmation_samples(cells, flickering, level=0.01 / rows, limit=15)
    assert 0 < r < 15
    assert expected_breaks(cells, flickering, r) <= 0.01 / rows
    assert expected_breaks(cells, flickering, r - 1) > 0.01 / rows


def test_no_more_than_the_most_are_asked():
    """Where no number would do, and where 0 do."""
    assert confirmation_samples([(5, 5)] * 10_000, 0, level=0.01, limit=15) == 15
    assert confirmation_samples([(30, 30)] * 20, 0, level=0.01, limit=15) == 0
    assert confirmation_samples([(1, 1)] * 20, 20, level=0.01, limit=15) == 0


def test_the_walk_through_of_sixty_cases_asks_four_more():
    """5 baseline samples, 5 now: 9 failures are needed; more where cases flicker."""
    assert confirmation_samples([(5, 5)] * 60, 0, level=0.01, limit=15) == 4
    assert confirmation_samples([(5, 5)] * 60, 6, level=0.01, limit=15) > 4


def test_p_is_the_binomial_tail_over_all_compared_cases():
    """Summed by hand; and unequal samples by enumeration."""
    q = max_flip_chance(5, 9)
    by_hand = sum(comb(60, k) * q**k * (1 - q) ** (60 - k) for k in range(3, 61))
    assert pytest.approx(by_hand) == break_p([(5, 5)] * 60, 3, more=4)
    cells = [(3, 1), (5, 2), (2, 4), (7, 7), (4, 1)]
    chances = [max_flip_chance(a, n + 1) if a >= 3 else 0.0 for a, n in cells]
    enumerated = 0.0
    for outcome in product((0, 1), repeat=5):
        if sum(outcome) >= 2:
            weight = 1.0
            for happened, q in zip(outcome, chances, strict=True):
                weight *= q if happened else 1 - q
            enumerated += weight
    assert pytest.approx(enumerated) == break_p(cells, 2, more=1)


def test_nothing_confirmed_is_p_1():
    """Without a break there is nothing to explain."""
    assert break_p([(5, 5)] * 60, 0, more=4) == 1.0
    assert break_p([], 0, more=0) == 1.0


def test_runs_of_one_sample_ask_for_more():
    """They cannot show that their samples are independent."""
    asked = [confirmation_samples([(10, n)] * 60, 6, level=0.01, limit=15) for n in (2, 1)]
    assert asked[0] < 6 < asked[1]


def test_p_is_averaged_over_the_correlations():
    """Each by its weight, and only as many cases as flickered can flip if samples are correlated."""
    cells = [(5, 5)] * 40
    alike = CorrelationWeights(((0.0, 0.7), (0.2, 0.3)))
    for flickering in (0, 39):
        chance = alike_chance(5, 5, 4, 0.2, (flickering + 1) / 40)
        parts = [1 - (1 - q) ** 40 for q in (max_flip_chance(5, 9), chance)]
        assert pytest.approx(0.7 * parts[0] + 0.3 * parts[1]) == break_p(
            cells, 1, more=4, weights=alike, flickering=flickering
        )


@given(
    more=st.integers(0, 12),
    confirmed=st.integers(1, 10),
    flickering=st.integers(0, 30),
    doubt=st.floats(0, 1),
)
def test_doubt_and_flicker_never_make_a_break_surer(more, confirmed, flickering, doubt):
    """P grows with the weight of correlated samples and with the cases that flicker."""
    cells = [(5, 5)] * 20 + [(3, 4)] * 10

    def p(doubt, flickering):
        alike = CorrelationWeights(((0.0, 1 - doubt), (0.3, doubt)))
        return break_p(cells, confirmed, more=more, weights=alike, flickering=flickering)

    assert p(0.0, flickering) <= p(doubt, flickering) + 1e-15
    assert p(doubt, flickering) <= p(doubt, 30) + 1e-15


def test_a_case_with_fewer_than_three_baseline_samples_has_no_chance():
    """It is never flagged."""
    assert break_chances([(2, 5), (1, 1), (3, 3)], more=2, rho=0.2) == [
        0.0,
        0.0,
        max_correlated_flip_chance(3, 5, 0.2),
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda: confirmation_samples([(5, 5)], 0, level=0, limit=10),
        lambda: confirmation_samples([(5, 5)], 0, level=0.01, limit=-1),
        lambda: break_p([(5, 5)], 2, more=0),
    ],
)
def test_bad_arguments_are_refused(call):
    """No level, fewer than no samples, more breaks than cases."""
    with pytest.raises(ValueError, match=r"must|inside"):
        call()
