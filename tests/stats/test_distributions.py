"""Tails and quantiles against scipy, and the laws they obey."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.distributions import (
    beta_quantile,
    binomial_tail,
    incomplete_beta,
    normal_quantile,
    poisson_binomial_tail,
    t_quantile,
)

reference = pytest.importorskip("scipy.stats")


@given(x=st.floats(0, 1), a=st.floats(0.3, 500), b=st.floats(0.3, 500))
def test_incomplete_beta_is_the_beta_distribution_function(x, a, b):
    """The distribution function of Beta(a, b)."""
    assert pytest.approx(reference.beta.cdf(x, a, b), abs=1e-9) == incomplete_beta(x, a, b)


@given(p=st.floats(0.001, 0.999), a=st.floats(0.5, 200), b=st.floats(0.5, 200))
def test_beta_quantile_is_the_inverse(p, a, b):
    """The quantile of Beta(a, b)."""
    assert pytest.approx(reference.beta.ppf(p, a, b), rel=1e-7) == beta_quantile(p, a, b)


@given(p=st.floats(0.0005, 0.9995), df=st.floats(0.8, 2000))
def test_t_quantile(p, df):
    """Student's quantile, whole and broken degrees of freedom."""
    assert pytest.approx(reference.t.ppf(p, df), rel=1e-7, abs=1e-9) == t_quantile(p, df)


def test_normal_quantile():
    """The number everybody knows."""
    assert pytest.approx(1.959964, abs=1e-6) == normal_quantile(0.975)


@given(n=st.integers(0, 400), p=st.floats(0, 1), data=st.data())
def test_binomial_tail(n, p, data):
    """P(X >= k) of a binomial, also outside 0..n."""
    k = data.draw(st.integers(-1, n + 2))
    assert pytest.approx(reference.binom.sf(k - 1, n, p), abs=1e-9) == binomial_tail(k, n, p)


def test_small_tails_keep_their_digits():
    """A tail of 1e-30 is not lost to 1 - (1 - 1e-30)."""
    expected = pytest.approx(reference.binom.sf(9, 100, 1e-4), rel=1e-9)
    assert expected == binomial_tail(10, 100, 1e-4)
    assert expected == poisson_binomial_tail(10, [1e-4] * 100)


def test_poisson_binomial_is_the_sum_over_all_outcomes():
    """Brute force over the 2^10 outcomes of ten unequal events."""
    rng = Random(3)
    chances = [rng.random() for _ in range(10)]
    exact = [0.0] * 11
    for outcome in range(1 << 10):
        weight = 1.0
        for i, p in enumerate(chances):
            weight *= p if outcome >> i & 1 else 1 - p
        exact[outcome.bit_count()] += weight
    expected = [pytest.approx(sum(exact[k:])) for k in range(11)]
    assert expected == [poisson_binomial_tail(k, chances) for k in range(11)]


@pytest.mark.parametrize(
    "call",
    [
        lambda: normal_quantile(0),
        lambda: normal_quantile(1),
        lambda: t_quantile(0.5, 0),
        lambda: t_quantile(1.0, 3),
        lambda: incomplete_beta(1.1, 1, 1),
        lambda: incomplete_beta(0.5, 0, 1),
        lambda: beta_quantile(-0.1, 1, 1),
        lambda: binomial_tail(1, -1, 0.5),
        lambda: binomial_tail(1, 1, float("nan")),
        lambda: poisson_binomial_tail(1, [1.5]),
    ],
)
def test_arguments_outside_the_domain_are_refused(call):
    """No NaN in, no NaN out."""
    with pytest.raises(ValueError, match="got"):
        call()
