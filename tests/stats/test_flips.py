"""The chances of whole flips, against grids of pass rates and scipy."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_evals.stats.flips import (
    beta_binomial_chance,
    max_correlated_flip_chance,
    max_flip_chance,
    max_flips_per_flicker,
)

samples = st.integers(1, 12)
correlations = st.floats(0.01, 0.9)


@given(a=samples, m=samples)
def test_q_is_its_closed_form_and_the_numeric_maximum(a, m):
    """a^a·m^m/(a+m)^(a+m) is the most that any pass rate gives."""
    grid = max((i / 5000) ** a * (1 - i / 5000) ** m for i in range(5001))
    assert pytest.approx(a**a * m**m / (a + m) ** (a + m)) == max_flip_chance(a, m)
    assert pytest.approx(grid, rel=1e-4) == max_flip_chance(a, m)


@given(a=samples, m=samples, rho=correlations)
def test_correlation_makes_flips_likelier(a, m, rho):
    """The beta-binomial maximum is on its curve's top, and above the independent one."""
    found = max_correlated_flip_chance(a, m, rho)
    weight = (1 - rho) / rho

    def flip(p):
        chance = 1.0
        for i in range(a):
            chance *= (p * weight + i) / (weight + i)
        for i in range(m):
            chance *= ((1 - p) * weight + i) / (weight + i)
        return chance

    assert pytest.approx(max(flip(i / 1000) for i in range(1001)), rel=1e-3) == found
    assert found >= max_flip_chance(a, m) - 1e-12
    assert max_correlated_flip_chance(a, m, 0.0) == max_flip_chance(a, m)


@given(n=samples, rate=st.floats(0.01, 0.99), rho=correlations)
def test_passes_of_a_run_are_beta_binomial(n, rate, rho):
    """As scipy has them; samples of a run have the correlation that is asked for."""
    stats = pytest.importorskip("scipy.stats")
    weight = (1 - rho) / rho
    theirs = stats.betabinom(n, rate * weight, (1 - rate) * weight)
    for passes in range(n + 1):
        assert pytest.approx(theirs.pmf(passes), rel=1e-6, abs=1e-12) == beta_binomial_chance(
            passes, n, rate, rho
        )
    both = beta_binomial_chance(2, 2, rate, rho)
    assert pytest.approx(rho) == (both - rate**2) / (rate * (1 - rate))


@given(a=st.integers(3, 8), n=st.integers(1, 8), more=st.integers(0, 12), rho=correlations)
@example(a=6, n=6, more=12, rho=0.03125)  # its worst rate lies between two of the grid
def test_cases_that_flicker_bound_those_that_flip(a, n, more, rho):
    """At any pass rate a flip is no likelier than the ratio times a flicker."""
    most = max_flips_per_flicker(a, n, n + more, rho)
    for rate in (0.03, 0.25, 0.5, 0.77, 0.95):
        flip = beta_binomial_chance(a, a, rate, rho) * beta_binomial_chance(0, n + more, rate, rho)
        whole = [
            beta_binomial_chance(0, size, rate, rho) + beta_binomial_chance(size, size, rate, rho)
            for size in (a, n)
        ]
        assert flip <= 1.001 * most * (1 - whole[0] * whole[1]) + 1e-15


@pytest.mark.parametrize(
    "call",
    [
        lambda: max_flip_chance(0, 1),
        lambda: max_correlated_flip_chance(1, 0, 0.1),
        lambda: max_correlated_flip_chance(1, 1, 1.0),
        lambda: max_flips_per_flicker(3, 3, 5, 1.0),
    ],
)
def test_bad_arguments_are_refused(call):
    """Counts below 1 and a correlation of 1."""
    with pytest.raises(ValueError, match=r"must|is in"):
        call()
