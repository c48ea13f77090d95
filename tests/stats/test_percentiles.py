"""Bounds of percentiles: exact order statistics, against scipy, and rarely too low."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from math import sqrt
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.percentiles import (
    effective_samples,
    estimate_percentile,
    implied_likeness,
    midranks,
    needed_samples,
    upper_rank,
)

scipy_stats = pytest.importorskip("scipy.stats")
ROOT = Path(__file__).parents[2]
NUMBERS = st.integers(-1000, 1000).map(lambda x: x / 8)
CASES = st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=2, max_size=40)


@pytest.fixture(scope="module")
def bench():
    """Load the benchmark's script as a module."""
    path = ROOT / "benchmarks" / "simulate_percentiles.py"
    spec = spec_from_file_location("simulate_percentiles", path)
    module = module_from_spec(spec)
    sys.modules["simulate_percentiles"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["simulate_percentiles"]


@given(st.integers(1, 400), st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99]),
       st.sampled_from([0.005, 0.025, 0.05, 0.2]))  # fmt: skip
def test_the_rank_is_the_binomial_quantile(n, q, tail):
    """It is the least number that Binomial(n, q) reaches with at most the tail's chance."""
    chances = scipy_stats.binom.sf([j - 1 for j in range(1, n + 1)], n, q)
    fitting = [j for j, chance in enumerate(chances, 1) if chance <= tail]
    assert upper_rank(n, q, tail) == (fitting[0] if fitting else None)


@pytest.mark.parametrize(("q", "tail", "needed"), [
    (0.95, 0.05, 59), (0.05, 0.05, 59), (0.99, 0.05, 299), (0.5, 0.05, 5), (0.9, 0.05, 29),
    (0.95, 0.025, 72), (1.0, 0.05, None), (0.0, 0.05, None),
])  # fmt: skip
def test_the_least_number_of_samples(q, tail, needed):
    """The numbers of Wilks's tables; one sample less has no bound."""
    assert needed_samples(q, tail) == needed
    if needed is not None:
        assert upper_rank(needed, max(q, 1 - q), tail) == needed
        assert upper_rank(needed - 1, max(q, 1 - q), tail) is None


def test_too_few_samples_have_no_bound():
    """58 samples cannot bound p95, and the reason says how many can; 59 can."""
    short = estimate_percentile([[float(i)] for i in range(58)], 0.95, confidence=0.9)
    assert (short.low, short.high) == (None, None)
    assert short.unknown == "59 samples are needed to bound p95, and there are 58"
    enough = estimate_percentile([[float(i)] for i in range(59)], 0.95, confidence=0.9)
    assert (enough.high, enough.unknown) == (58.0, None)


def test_samples_of_one_case_that_are_alike_count_less():
    """Three equal samples of a case are one; three unlike ones are three."""
    rng = Random(1)
    equal = [[rng.gauss(0, 1)] * 3 for _ in range(30)]
    unlike = [[rng.gauss(0, 1) for _ in range(3)] for _ in range(30)]
    assert effective_samples(equal, 0.95) == 30
    assert effective_samples(unlike, 0.95) > 60
    reason = estimate_percentile(equal, 0.95, confidence=0.9).unknown
    assert reason == (
        "59 samples are needed to bound p95, and these 90 are worth 30, "
        "as samples of one case are alike"
    )


def test_cases_that_are_slow_as_a_whole_count_once():
    """Two slow cases of 20 are two pieces of evidence, not ten."""
    rng = Random(2)
    cases = [[rng.gauss(50 * (i < 2), 1) for _ in range(5)] for i in range(20)]
    assert effective_samples(cases, 0.93) <= 25


@given(CASES, st.sampled_from([0.5, 0.9]), st.sampled_from([0.5, 0.8, 0.9]))
def test_bounds_do_not_depend_on_the_unit(cases, q, confidence):
    """The bounds are the same samples on every scale."""
    found = estimate_percentile(cases, q, confidence=confidence)
    scaled = estimate_percentile(
        [[8 * x for x in cell] for cell in cases], q, confidence=confidence
    )
    if found.low is None:
        assert scaled.low is None
        assert found.unknown
    else:
        assert (8 * found.low, 8 * found.high) == (scaled.low, scaled.high)
        assert found.low <= found.value <= found.high


@given(CASES, st.sampled_from([0.5, 0.9, 0.95]))
def test_effective_samples_are_between_one_and_all(cases, q):
    """With one sample a case, all count."""
    n = sum(map(len, cases))
    assert 1 <= effective_samples(cases, q) <= n
    assert effective_samples([[x] for cell in cases for x in cell], q) == n


@pytest.mark.parametrize("correlation", [0.01, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 0.95, 0.99])
def test_likeness_beyond_a_quantile(correlation, q):
    """As from scipy's bivariate normal distribution."""
    z = scipy_stats.norm.ppf(q)
    both = scipy_stats.multivariate_normal.cdf([z, z], [0, 0], [[1, correlation], [correlation, 1]])
    expected = (both - q * q) / (q * (1 - q))
    assert implied_likeness(correlation, q) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_likeness_at_the_ends(q):
    """None stays none, and equal samples stay equal."""
    assert [implied_likeness(x, q) for x in (-0.2, 0.0, 1.0)] == [0.0, 0.0, 1.0]


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_midranks(values):
    """Those of scipy."""
    assert midranks(values) == list(scipy_stats.rankdata(values))


@pytest.mark.parametrize("size", [(5, 3), (10, 1), (10, 3), (20, 5), (50, 3), (100, 1)])
@pytest.mark.parametrize("scene", ["independent samples", "correlation 0.3 in a case"])
def test_a_suite_over_the_bar_rarely_passes(bench, scene, size):
    """At most 5 % and three standard errors; 13 to 65 % passed with Woodruff's interval."""
    passed = bench.shares(scene, *size, 300).passed
    assert passed <= 0.05 + 3 * sqrt(0.05 * 0.95 / 300)


def test_a_bound_is_no_infinity(bench):
    """Large suites have bounds, so the gate does not pass by having none."""
    assert bench.shares("independent samples", 100, 1, 50).unbounded == 0
    assert bench.shares("independent samples", 10, 1, 50).unbounded == 1
