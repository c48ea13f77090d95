"""Two models on the same cases: the test, its interval, and their agreement."""

from itertools import product
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.compare import compare
from pytest_evals.stats.rows import Dropped


def one(changes, **options):
    """Compare a candidate that differs from the reference by these changes."""
    reference = {f"c{i}": [0.0] for i in range(len(changes))}
    candidate = {f"c{i}": [change] for i, change in enumerate(changes)}
    return compare({"row": (reference, candidate)}, **options)[0]


@given(st.lists(st.sampled_from([-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5]), min_size=1, max_size=9))
def test_p_equals_brute_force(changes):
    """Twice the smaller share of signings as extreme as the sum seen."""
    signings = list(product((-1, 1), repeat=len(changes)))
    sums = [sum(s * c for s, c in zip(signs, changes, strict=True)) for signs in signings]
    seen = sum(changes)
    up = sum(s >= seen - 1e-9 for s in sums) / len(sums)
    down = sum(s <= seen + 1e-9 for s in sums) / len(sums)
    assert pytest.approx(min(1, 2 * min(up, down))) == one(changes).p


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=40), st.floats(-1, 1))
def test_the_interval_agrees_with_the_test(changes, shift):
    """0 is outside the interval exactly where p is at most 0.05, wherever the changes lie."""
    found = one([change + shift for change in changes])
    assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)
    assert found.low - 1e-9 <= found.change <= found.high + 1e-9


def test_it_is_scipys_permutation_test():
    """On 10 real changes all 1,024 signings."""
    stats = pytest.importorskip("scipy.stats")
    numpy = pytest.importorskip("numpy")
    rng = Random(2)
    changes = [rng.gauss(0.3, 0.5) for _ in range(10)]
    expected = stats.permutation_test(
        (numpy.array(changes),), numpy.mean, permutation_type="samples", n_resamples=numpy.inf
    )
    assert pytest.approx(expected.pvalue) == one(changes).p


def test_all_cases_improving_is_surely_better():
    """P is near 0, not 1."""
    found = one([0.1 + i / 1000 for i in range(100)])
    assert found.p < 0.001
    assert found.low > 0
    assert (found.better, found.worse) == (100, 0)


def test_the_interval_covers():
    """A true difference of 0.2 with skewed noise: about 95 %."""
    rng = Random(7)
    covered = 0
    for _ in range(200):
        found = one([0.2 + rng.expovariate(1) - 1 for _ in range(40)], draws=999)
        covered += found.low <= 0.2 <= found.high
    assert covered / 200 > 0.89


def test_rows_are_corrected_together_and_dropped_pairs_named():
    """Holm over all rows that are shown."""
    worse = {f"c{i}": [0.1 * (i % 3)] for i in range(10)}
    better = {case: [score[0] + 0.3] for case, score in worse.items()}
    first, second = compare(
        {"up": (worse, better), "same": ({**worse, "extra": [1.0]}, {**worse, "new": [0.0]})}
    )
    assert (pytest.approx(2 / 1024), pytest.approx(4 / 1024)) == (first.p, first.p_adjusted)
    assert (second.p, second.p_adjusted) == (1.0, 1.0)
    assert (
        Dropped("extra", "not scored for the candidate"),
        Dropped("new", "not scored for the reference"),
    ) == second.dropped


def test_too_few_cases_have_no_interval():
    """Five cases are too few for an interval at 95 %; no pairs have no change."""
    few = one([0.1, 0.2, 0.3, 0.1, 0.2])
    assert (few.low, few.unknown) == (
        None,
        "5 cases are too few for an interval at 0.95 confidence",
    )
    none = compare({"row": ({"a": [1.0]}, {"b": [1.0]})})[0]
    assert (none.change, none.p, none.cases, none.unknown) == (None, 1.0, 0, "no pairs")


@pytest.mark.slow
def test_draws_are_seeded_and_fast():
    """10,000 cases in under 2 s, the same twice."""
    rng = Random(9)
    changes = [rng.gauss(0.01, 1) for _ in range(10_000)]
    started = process_time()
    found = one(changes)
    assert process_time() - started < 2
    assert found == one(changes)


def test_bad_arguments_are_refused():
    """Too few draws, an impossible confidence, a score that is no number."""
    for options in ({"draws": 5}, {"confidence": 0}):
        with pytest.raises(ValueError, match="got"):
            one([0.1], **options)
    with pytest.raises(ValueError, match="finite"):
        one([float("nan")])


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("correction", ["holm", "none"])
def test_how_many_must_differ(rows, correction):
    """With one case fewer the corrected p cannot reach 0.05, however the others look."""
    family = {f"other{i}": ({"a": [0.0]}, {"a": [0.0]}) for i in range(rows - 1)}
    for worse in range(1, 11):
        sides = (
            {f"c{i}": [1.0] for i in range(12)},
            {f"c{i}": [float(i >= worse)] for i in range(12)},
        )
        found = compare({"row": sides, **family}, correction=correction)[0]
        assert found.too_few == (worse < found.changes_needed)
        assert found.is_significant == (worse >= found.changes_needed)


def test_the_smallest_difference_is_found_four_times_of_five():
    """Normal changes of that mean are told apart in about 80 % of 200 draws; by 8 cases too."""
    rng = Random(7)
    for cases in (8, 30):
        sure = one([rng.gauss(0, 0.2) for _ in range(cases)])
        found = 0
        for _ in range(200):
            found += one(
                [rng.gauss(sure.smallest, 0.2) for _ in range(cases)], draws=400
            ).is_significant
        assert 0.5 < found / 200 <= 1
    assert one([0.1] * 5).smallest is None
