"""What statsmodels has too, it has the same. It is slow to import: here, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_evals.stats.corrections import adjust
from pytest_evals.stats.intervals import clopper_pearson, wilson
from pytest_evals.stats.signflip import mcnemar

pytestmark = pytest.mark.heavy

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.fixture(scope="module")
def statsmodels():
    """Import it before the first clock of a test ticks."""
    pytest.importorskip("statsmodels")
    from statsmodels.stats import contingency_tables, multitest, proportion

    return {"mcnemar": contingency_tables.mcnemar, "adjust": multitest.multipletests,
            "interval": proportion.proportion_confint}  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
@settings(max_examples=10)  # theirs collects garbage each time, 0.1 s
@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=25))
def test_adjusted_p_values(statsmodels, ours, theirs, p_values):
    """Ties and ends included, in the order given."""
    expected = statsmodels["adjust"](p_values, method=theirs)[1]
    assert pytest.approx(list(expected), abs=1e-12) == adjust(p_values, correction=ours)


@given(worse=st.integers(0, 60), better=st.integers(0, 60))
def test_mcnemar(statsmodels, worse, better):
    """Theirs has two sides: twice the p of the side that leans."""
    two_sided = statsmodels["mcnemar"]([[5, worse], [better, 5]], exact=True).pvalue
    lean, other = max(worse, better), min(worse, better)
    assert pytest.approx(two_sided) == min(1, 2 * mcnemar(lean, other))


@pytest.mark.parametrize(("ours", "theirs"), [(wilson, "wilson"), (clopper_pearson, "beta")])
@given(counts=counts, confidence=st.floats(0.5, 0.999))
def test_intervals_of_a_rate(statsmodels, ours, theirs, counts, confidence):
    """Wilson's and the exact one."""
    found = ours(*counts, confidence=confidence)
    expected = statsmodels["interval"](*counts, alpha=1 - confidence, method=theirs)
    assert pytest.approx(expected, abs=1e-8) == (found.low, found.high)
