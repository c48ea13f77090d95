"""Intervals against scipy, and their coverage where samples cluster."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.estimate import Absent, two_sided
from pytest_evals.stats.intervals import (
    clopper_pearson,
    clustered_mean,
    clustered_rate,
    wilson,
    wilson_bounds,
)
from pytest_evals.stats.quantiles import cluster_bootstrap, clustered_quantile, quantile

scipy_stats = pytest.importorskip("scipy.stats")
numpy = pytest.importorskip("numpy")

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("ours", "theirs"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@given(counts=counts, confidence=st.floats(0.5, 0.999))
def test_one_sample_a_case(ours, theirs, counts, confidence):
    """Wilson and the exact interval are those of scipy."""
    found = ours(*counts, confidence=confidence)
    expected = scipy_stats.binomtest(*counts).proportion_ci(confidence, method=theirs)
    assert pytest.approx((expected.low, expected.high), abs=1e-8) == (found.low, found.high)


def test_clustered_rate_follows_its_formula():
    """n_eff = m(1-m)·C/s² inside [C/2, samples], then Wilson with a t quantile."""
    cells = [(5, 5), (4, 5), (1, 5), (5, 5), (2, 5)]
    rates = numpy.array([c / n for c, n in cells])
    effective = rates.mean() * (1 - rates.mean()) * 5 / rates.var(ddof=1)
    assert 2.5 < effective < 25
    found = clustered_rate(cells)
    expected = wilson_bounds(rates.mean(), effective, scipy_stats.t.ppf(0.975, 4))
    assert pytest.approx(expected) == (found.low, found.high)
    assert (25, 5, pytest.approx(0.68)) == (found.n, found.cases, found.value)


def test_the_effective_size_is_limited_on_both_sides():
    """Equal rates are worth all samples, and never less than half the cases."""
    alike = clustered_rate([(3, 5)] * 8)
    t = scipy_stats.t.ppf(0.975, 7)
    assert pytest.approx(wilson_bounds(0.6, 40, t)) == (alike.low, alike.high)
    apart = clustered_rate([(0, 5), (5, 5)])
    least = wilson_bounds(0.5, 1, scipy_stats.t.ppf(0.975, 1))
    assert pytest.approx(least) == (apart.low, apart.high)


def test_one_sample_in_every_case_is_plain_wilson():
    """Clusters of one are no clusters."""
    assert wilson(7, 10) == clustered_rate([(1, 1)] * 7 + [(0, 1)] * 3)


def test_samples_that_all_pass_are_worth_their_cases():
    """Ten cases that passed five times each do not say more than ten samples would."""
    found = clustered_rate([(5, 5)] * 10)
    expected = wilson_bounds(1.0, 10, scipy_stats.t.ppf(0.975, 9))
    assert pytest.approx(expected) == (found.low, found.high)


def test_no_case_no_rate_and_one_case_speaks_of_itself():
    """Absent with its reason; Wilson on the samples of one case, called so."""
    assert Absent("no case has a scored sample") == clustered_rate([])
    assert clustered_rate([(3, 5)]).method == "Wilson on the samples of one case"


def test_a_clustered_rate_covers_where_pooled_samples_do_not():
    """Cases of unequal difficulty, 5 samples each: about 95 %, against far fewer when pooled."""
    rng = Random(1)
    ours = pooled = 0
    for _ in range(400):
        rates = [rng.choice((0.98, 0.9, 0.6, 0.2)) for _ in range(40)]
        cells = [(sum(rng.random() < p for _ in range(5)), 5) for p in rates]
        truth = (0.98 + 0.9 + 0.6 + 0.2) / 4
        found = clustered_rate(cells)
        plain = wilson(sum(c for c, _ in cells), 200)
        ours += found.low <= truth <= found.high
        pooled += plain.low <= truth <= plain.high
    assert ours / 400 >= 0.92
    assert pooled / 400 < 0.85


def test_clustered_mean_is_the_t_interval_of_case_means():
    """The same as scipy's on the means of the cases."""
    cases = [[0.1, 0.3], [0.9], [0.5, 0.6, 0.7]]
    means = [0.2, 0.9, 0.6]
    found = clustered_mean(cases)
    expected = scipy_stats.t.interval(0.95, 2, loc=numpy.mean(means), scale=scipy_stats.sem(means))
    assert pytest.approx(expected) == (found.low, found.high)
    assert (found.n, found.cases) == (6, 3)


def test_bounds_keep_the_interval_where_scores_can_be():
    """A mean near 1 has no upper end above 1; equal scores fall back to Wilson."""
    near = clustered_mean([[1.0], [0.6]], bounds=(0.0, 1.0))
    assert (near.low, near.high) == (0.0, 1.0)
    equal = clustered_mean([[5.0]] * 10, bounds=(1.0, 5.0))
    low, high = wilson_bounds(1.0, 10, scipy_stats.t.ppf(0.975, 9))
    assert pytest.approx((1 + 4 * low, 1 + 4 * high)) == (equal.low, equal.high)


def test_an_interval_that_would_lie_is_absent():
    """One case, or equal scores without bounds, show no spread."""
    assert clustered_mean([[0.5, 0.7]]).unknown == "one case does not show how much cases differ"
    found = clustered_mean([[0.5], [0.5]])
    assert (
        found.low,
        found.unknown,
    ) == (None, "all 2 case means are equal, so their spread is unknown")


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: wilson(1, 2, confidence=1.0),
        lambda: clustered_rate([(2, 1)]),
        lambda: clustered_mean([[float("nan")]]),
        lambda: clustered_mean([[1.2]], bounds=(0, 1)),
        lambda: clustered_mean([[0.2]], bounds=(1, 0)),
        lambda: quantile([0.1], 1.1),
        lambda: two_sided(0.5),
        lambda: cluster_bootstrap([1, 2], lambda _: 0.0, draws=10),
    ],
)
def test_bad_arguments_are_refused(call):
    """Each with what was found."""
    with pytest.raises(ValueError, match=r"got|outside"):
        call()


def test_empty_cases_and_values_are_refused():
    """A case without scores has no mean, and nothing has no quantile."""
    with pytest.raises(ValueError, match="without scores"):
        clustered_mean([[]])
    with pytest.raises(ValueError, match="finite"):
        quantile([], 0.5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_quantile_is_numpys_default(values, q):
    """Definition 7 of Hyndman and Fan."""
    expected = pytest.approx(float(numpy.quantile(values, q)), rel=1e-9, abs=1e-6)
    assert expected == quantile(values, q)


def test_a_quantile_of_clusters_is_seeded_and_inside_its_interval():
    """The same seed gives the same interval; empty cases are counted."""
    rng = Random(2)
    cases = [[rng.gauss(i % 7, 1) for _ in range(3)] for i in range(30)]
    found = clustered_quantile([*cases, []], 0.95)
    assert found == clustered_quantile([*cases, []], 0.95)
    assert found != clustered_quantile([*cases, []], 0.95, seed=1)
    assert found.low <= found.value <= found.high
    assert (found.dropped, found.cases, found.n) == (1, 30, 90)
    assert Absent("no case has a sample") == clustered_quantile([[]], 0.5)


def test_a_bootstrap_agrees_with_the_t_interval():
    """On many well-behaved cases both give nearly the same ends."""
    rng = Random(4)
    cases = [[rng.gauss(0, 1)] for _ in range(200)]
    low, high = cluster_bootstrap(cases, lambda drawn: sum(c[0] for c in drawn) / len(drawn))
    exact = clustered_mean(cases)
    assert pytest.approx((exact.low, exact.high), abs=0.03) == (low, high)


def test_a_bootstrap_of_one_cluster_or_of_nothing_is_absent():
    """One case shows no spread; a statistic that rarely exists has no interval."""
    assert isinstance(cluster_bootstrap([1], lambda _: 1.0), Absent)
    assert isinstance(cluster_bootstrap([1, 2], lambda _: None), Absent)


def test_a_one_sided_bound_is_an_end_of_a_wider_tailed_interval():
    """95 % one-sided is an end of the 90 % interval."""
    assert pytest.approx(0.9) == two_sided(0.95)
