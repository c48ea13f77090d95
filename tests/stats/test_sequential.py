"""Stopping early: the curtailed verdict is the full one; Wald's test keeps its errors."""

from itertools import product
from math import log
from random import Random

import pytest

from pytest_evals.stats.sequential import Sprt, curtailed, settled


@pytest.mark.parametrize("most", range(1, 9))
def test_the_curtailed_verdict_is_the_full_one_on_every_sequence(most):
    """All 0/1 sequences, all bars; and it stops no later than it must."""
    for need in range(most + 1):
        for sequence in product((0, 1), repeat=most):
            full = sum(sequence) >= need
            verdicts = [
                curtailed(sum(sequence[:n]), n, need=need, limit=most) for n in range(most + 1)
            ]
            assert {full} == set(verdicts) - {None}
            assert verdicts[-1] is full
            for n, verdict in enumerate(verdicts):
                possible = {sum(sequence[:n]) + more >= need for more in range(most - n + 1)}
                assert (verdict is None) == (len(possible) > 1)


def test_any_verdict_can_be_settled():
    """Three words in the place of two."""

    def word(passes):
        return "steady" if passes == 4 else "broken" if passes == 0 else "flaky"

    assert settled(1, 2, limit=4, verdict=word) == "flaky"
    assert settled(2, 2, limit=4, verdict=word) is None


def test_wald_decides_at_his_bounds():
    """The ratio of likelihoods leaves (beta/(1-alpha), (1-beta)/alpha)."""
    test = Sprt(0.9, 0.5)
    assert test.decide(0, 0) is None
    n = 1
    while test.decide(n, n) is None:
        n += 1
    assert n * log(0.9 / 0.5) >= log(0.95 / 0.05) > (n - 1) * log(0.9 / 0.5)
    assert test.decide(n, n) == "good"
    assert test.decide(0, 2) == "bad"


@pytest.mark.parametrize(("rate", "wrong"), [(0.9, "bad"), (0.6, "good")])
def test_wald_keeps_the_stated_error_rates(rate, wrong):
    """1,000 cells at each of the two rates; 5 % and its Monte Carlo error."""
    rng, test, errors = Random(3), Sprt(0.9, 0.6), 0
    for _ in range(1000):
        passes = n = 0
        while (found := test.decide(passes, n)) is None:
            passes, n = passes + (rng.random() < rate), n + 1
        errors += found == wrong
    assert errors / 1000 <= 0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: settled(3, 2, limit=4, verdict=bool),
        lambda: curtailed(0, 0, need=5, limit=4),
        lambda: Sprt(0.5, 0.9),
        lambda: Sprt(0.9, 0.5, alpha=0.7),
        lambda: Sprt(0.9, 0.5).decide(3, 2),
    ],
)
def test_bad_arguments_are_refused(call):
    """Impossible counts, bars and rates."""
    with pytest.raises(ValueError, match="got"):
        call()
