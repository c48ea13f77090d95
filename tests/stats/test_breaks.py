"""The break rule's chances, its confirmations, and its doubt about alike samples."""

from itertools import product
from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.breaks import break_p, confirmations
from pytest_evals.stats.likeness import correlated_flip_chance, correlation, flip_chance

samples = st.integers(1, 12)


@given(a=samples, m=samples)
def test_q_is_its_closed_form_and_the_numeric_maximum(a, m):
    """a^a·m^m/(a+m)^(a+m) is the most that any pass rate gives."""
    grid = max((i / 5000) ** a * (1 - i / 5000) ** m for i in range(5001))
    assert pytest.approx(a**a * m**m / (a + m) ** (a + m)) == flip_chance(a, m)
    assert pytest.approx(grid, rel=1e-4) == flip_chance(a, m)


@given(a=samples, m=samples, rho=st.floats(0.01, 0.9))
def test_correlation_makes_flips_likelier(a, m, rho):
    """The beta-binomial maximum is on its curve's top, and above the independent one."""
    found = correlated_flip_chance(a, m, rho)
    weight = (1 - rho) / rho

    def flip(p):
        chance = 1.0
        for i in range(a):
            chance *= (p * weight + i) / (weight + i)
        for i in range(m):
            chance *= ((1 - p) * weight + i) / (weight + i)
        return chance

    assert pytest.approx(max(flip(i / 1000) for i in range(1001)), rel=1e-3) == found
    assert found >= flip_chance(a, m) - 1e-12


@pytest.mark.parametrize(("cases", "rows"), [(20, 1), (60, 1), (60, 5), (500, 2)])
def test_r_is_the_least_that_holds_the_expected_false_breaks(cases, rows):
    """C·q(a, n+r) <= 0.01/rows, and not with r - 1."""
    r = confirmations([(5, 5)] * cases, level=0.01 / rows, most=10)
    assert r == 10 or cases * flip_chance(5, 5 + r) <= 0.01 / rows
    assert r == 0 or cases * flip_chance(5, 5 + r - 1) > 0.01 / rows


def test_the_walk_through_of_sixty_cases_asks_four_more():
    """5 baseline samples, 5 now: 9 failures are needed."""
    assert confirmations([(5, 5)] * 60, level=0.01, most=10) == 4
    assert confirmations([(5, 5)] * 10_000, level=0.01, most=10) == 10


def test_p_is_the_binomial_tail_over_all_compared_cases():
    """Summed by hand; and unequal samples by enumeration."""
    q = flip_chance(5, 9)
    by_hand = sum(comb(60, k) * q**k * (1 - q) ** (60 - k) for k in range(3, 61))
    assert pytest.approx(by_hand) == break_p([(5, 5)] * 60, 3, more=4)
    cells = [(3, 1), (5, 2), (2, 4), (7, 7), (4, 1)]
    chances = [flip_chance(a, n + 1) if a >= 3 else 0.0 for a, n in cells]
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


def test_independent_samples_rarely_look_alike():
    """About one suite in ten raises the alarm."""
    rng = Random(1)

    def cell(p):
        return (
            sum(rng.random() < p for _ in range(5)),
            5,
            sum(rng.random() < p for _ in range(5)),
            5,
        )

    suites = [[cell(rng.random()) for _ in range(60)] for _ in range(200)]
    alarms = sum(correlation(suite) > 0 for suite in suites)
    assert alarms / 200 < 0.17


def test_alike_samples_are_noticed_and_measured():
    """Correlation 0.3 within a run, at 200 cases of middling difficulty."""
    rng = Random(2)

    def side(p):
        mood = rng.betavariate(p * 7 / 3, (1 - p) * 7 / 3)
        return sum(rng.random() < mood for _ in range(5)), 5

    found = []
    for _ in range(20):
        rates = [rng.uniform(0.3, 0.7) for _ in range(200)]
        found.append(correlation([(*side(p), *side(p)) for p in rates]))
    assert min(found) > 0.1
    assert sum(found) / 20 < 0.5


def test_flips_themselves_are_no_evidence_of_alike_samples():
    """Three breaks beside five fixes among steady cases leave the samples independent."""
    steady = [(5, 5, 5, 5)] * 40 + [(4, 5, 5, 5), (5, 5, 4, 5)] * 3
    assert correlation([*steady, *[(5, 5, 0, 5)] * 3, *[(0, 5, 5, 5)] * 5]) == 0.0
    assert correlation([]) == 0.0
    assert correlation([(1, 1, 0, 1)] * 5) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: flip_chance(0, 1),
        lambda: correlated_flip_chance(1, 0, 0.1),
        lambda: correlated_flip_chance(1, 1, 1.0),
        lambda: confirmations([(5, 5)], level=0, most=10),
        lambda: break_p([(5, 5)], 2, more=0),
    ],
)
def test_bad_arguments_are_refused(call):
    """Counts below 1, a correlation of 1, no level, more breaks than cases."""
    with pytest.raises(ValueError, match=r"must|is in"):
        call()
