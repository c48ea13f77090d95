"""The correlation of samples within a run: independence is kept, correlation is found."""

from math import comb
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.correlation import (
    CORRELATIONS,
    PRIOR_WEIGHT,
    UNSEEN_CORRELATION,
    is_flickering,
    posterior_weights,
    prior_weights,
)

cells = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


def suite(rng, rho, *, cases=60, n=5):
    """Draw a baseline and a run of middling cases whose samples have this correlation."""

    def side(rate):
        if rho:
            weight = (1 - rho) / rho
            rate = rng.betavariate(rate * weight, (1 - rate) * weight)
        return sum(rng.random() < rate for _ in range(n)), n

    rates = [rng.uniform(0.2, 0.8) for _ in range(cases)]
    return [(*side(rate), *side(rate)) for rate in rates]


def test_nothing_seen_gives_the_weights_of_before():
    """Cases that never flicker, and such as can split in one way only."""
    before = prior_weights(repeated=True)
    assert dict(before.weights)[0.0] == pytest.approx(1 - PRIOR_WEIGHT)
    assert pytest.approx(PRIOR_WEIGHT * sum(CORRELATIONS) / len(CORRELATIONS)) == before.correlation
    assert posterior_weights([(5, 5, 5, 5), (0, 1, 2, 2), (0, 3, 0, 3)]).weights == before.weights


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=300))
def test_one_sample_in_the_run_shows_nothing(outcomes):
    """However long the baseline is: a correlation of 0.2 is taken for granted."""
    assert UNSEEN_CORRELATION in CORRELATIONS
    found = posterior_weights([(b, 5, w, 1) for b, w in outcomes])
    assert {UNSEEN_CORRELATION: 1.0} == {rho: weight for rho, weight in found.weights if weight}
    assert found.correlation == UNSEEN_CORRELATION


@given(st.lists(cells, max_size=30))
def test_weights_are_weights(cells):
    """They sum to 1, whatever the cells and their order."""
    found = posterior_weights(cells)
    assert pytest.approx(1) == sum(weight for _, weight in found.weights)
    assert all(0 <= weight <= 1 for _, weight in found.weights)
    assert pytest.approx(found.correlation) == posterior_weights(reversed(cells)).correlation


@given(st.lists(cells, max_size=15))
def test_whole_flips_are_no_evidence(cells):
    """Breaks, near breaks and fixes change no weight."""
    cells = [*cells, (5, 5, 5, 5)]
    flips = [(5, 5, 0, 5), (4, 5, 0, 5), (0, 5, 5, 5), (3, 3, 0, 4)]
    assert dict(posterior_weights([*cells, *flips]).weights) == pytest.approx(
        dict(posterior_weights(cells).weights)
    )


def test_one_split_is_weighed_by_its_chances():
    """3 of 3 and 1 of 3, given 4 passes: hypergeometric, or beta-binomial on a fine grid."""
    ways = {(3, 1): 3, (2, 2): 9, (1, 3): 3}
    assert ways == {(x, y): comb(3, x) * comb(3, y) for x, y in ways}

    def chance(rho):
        weight = (1 - rho) / rho
        total = dict.fromkeys(ways, 0.0)
        for i in range(400):
            rate = (i + 0.5) / 400
            for x, y in ways:
                value = float(comb(3, x) * comb(3, y))
                for passes in (x, y):
                    for j in range(passes):
                        value *= (rate * weight + j) / (weight + j)
                    for j in range(3 - passes):
                        value *= ((1 - rate) * weight + j) / (weight + passes + j)
                total[x, y] += value
        return total[3, 1] / sum(total.values())

    found = dict(posterior_weights([(3, 3, 1, 3)]).weights)
    for rho in CORRELATIONS:
        odds = PRIOR_WEIGHT / len(CORRELATIONS) * chance(rho) / ((1 - PRIOR_WEIGHT) * 3 / 15)
        assert pytest.approx(odds, rel=0.01) == found[rho] / found[0.0]


def test_independent_samples_rarely_look_alike():
    """By chance about as rarely as the doubt of before says (Ville: below DOUBT / 0.5)."""
    rng = Random(1)
    found = [dict(posterior_weights(suite(rng, 0.0)).weights)[0.0] for _ in range(200)]
    assert sum(weight < 0.5 for weight in found) / 200 < 2 * PRIOR_WEIGHT
    assert sorted(found)[100] > 1 - PRIOR_WEIGHT


@pytest.mark.parametrize("rho", [0.3, 0.5])
def test_alike_samples_are_noticed_and_measured(rho):
    """At 200 cases of middling difficulty."""
    rng = Random(2)
    found = [posterior_weights(suite(rng, rho, cases=200)) for _ in range(20)]
    assert all(dict(one.weights)[0.0] < 0.01 for one in found)
    assert pytest.approx(rho, abs=0.08) == sum(one.correlation for one in found) / 20


def test_enormous_evidence_is_still_a_number():
    """10,000 cases: no overflow, no zero division."""
    rng = Random(3)
    assert posterior_weights(suite(rng, 0.9, cases=10_000)).correlation == pytest.approx(0.6)
    assert posterior_weights(suite(rng, 0.0, cases=10_000)).correlation == pytest.approx(
        0.0, abs=1e-6
    )


def test_a_baseline_of_thousands_is_no_trouble():
    """No overflow in the number of ways, and no long wait."""
    started = process_time()
    found = posterior_weights([(3000, 5000, 3, 5), (2990, 5000, 30, 50)] * 20)
    assert process_time() - started < 2
    assert dict(found.weights)[0.0] > 1 - PRIOR_WEIGHT


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ((5, 5, 5, 5), False),
        ((0, 5, 0, 5), False),
        ((5, 5, 0, 5), False),
        ((0, 5, 5, 5), False),
        ((4, 5, 5, 5), True),
        ((5, 5, 1, 3), True),
        ((1, 1, 0, 1), False),
    ],
)
def test_a_case_flickers_that_is_neither_steady_nor_flipped(cell, expected):
    """Both kinds of answers within one run."""
    assert is_flickering(*cell) is expected
