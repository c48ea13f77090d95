"""A judge beside people: against scikit-learn, scipy and krippendorff, from the raw labels."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_evals.calibration.agreement import Judged, agreement_of
from pytest_evals.scorers.judge.human_labels import HumanLabel

verdict = st.one_of(st.none(), st.booleans())
rows = st.lists(
    st.tuples(verdict, verdict, verdict, verdict, st.integers(0, 3)), min_size=1, max_size=20
)
"""Three people, the judge, and whose question it is."""


def judged(drawn):
    """Make the answers: people who say nothing are not there."""
    return [
        Judged(
            case=f"c{case}",
            people={name: HumanLabel(passed=said) for name, said in zip("abc", people, strict=True)
                    if said is not None},
            passed=verdict,
            error=None if verdict is not None else "no verdict",
        )
        for *people, verdict, case in drawn
    ]  # fmt: skip


def truth_and_verdicts(drawn):
    """Return what most people say, a tie against the answer, and what the judge says."""
    votes = np.array([[np.nan if v is None else v for v in row[:4]] for row in drawn], dtype=float)
    kept = ~np.isnan(votes[:, 3]) & (~np.isnan(votes[:, :3])).any(axis=1)
    return np.nanmean(votes[kept, :3], axis=1) > 0.5, votes[kept, 3].astype(bool), kept


@settings(max_examples=25, deadline=None)
@given(rows)
def test_verdicts_are_measured_as_scikit_learn_does(drawn):
    """Precision, recall, specificity, F1, macro-F1, accuracy, kappa, the table; and the danger."""
    metrics = pytest.importorskip("sklearn.metrics")
    assume(any(any(v is not None for v in row[:3]) for row in drawn))
    found = agreement_of(judged([row for row in drawn if any(v is not None for v in row[:3])]))
    truth, said, kept = truth_and_verdicts(drawn)
    cases = np.array([row[4] for row in drawn])[kept]
    sizes = np.array([(cases == case).sum() for case in cases])
    if not truth.size:
        assert all(rate.value is None for name, rate in found.metrics.items() if name != "alpha")
        return
    table = metrics.confusion_matrix(truth, said, labels=[True, False])
    words = ("pass", "fail")
    assert found.confusion == {
        one: dict(zip(words, map(int, row), strict=True))
        for one, row in zip(words, table, strict=True)
    }
    options = {"zero_division": np.nan, "average": "binary"}
    expected = {
        "precision": metrics.precision_score(truth, said, pos_label=True, **options),
        "recall": metrics.recall_score(truth, said, pos_label=True, **options),
        "specificity": metrics.recall_score(truth, said, pos_label=False, **options),
        # The mean of the questions' own rates: one that was asked often counts once.
        "accuracy": metrics.accuracy_score(truth, said, sample_weight=1 / sizes),
        "macro_f1": metrics.f1_score(truth, said, average="macro"),
    }
    if len({*truth, *said}) > 1:
        expected["kappa"] = metrics.cohen_kappa_score(truth, said)
    for name, value in expected.items():
        mine = found.metrics[name].value
        assert np.isnan(value) if mine is None else mine == pytest.approx(value, abs=1e-5), name
    assert (found.dangerous.count, found.dangerous.n) == (
        int((said & ~truth).sum()), int((~truth).sum()),
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(rows)
def test_people_agree_as_krippendorff_has_it(drawn):
    """Three people of whom some say nothing."""
    krippendorff = pytest.importorskip("krippendorff")
    drawn = [row for row in drawn if any(v is not None for v in row[:3])]
    assume(drawn)
    matrix = np.array([[np.nan if v is None else v for v in row[:3]] for row in drawn], dtype=float)
    rate = agreement_of(judged(drawn)).metrics.get("alpha")
    if (~np.isnan(matrix)).any(axis=0).sum() < 2:
        assert rate is None
        return
    pairs = matrix[(~np.isnan(matrix)).sum(axis=1) > 1]
    if len(set(pairs[~np.isnan(pairs)])) < 2:
        assert rate.value is None
        return
    expected = krippendorff.alpha(reliability_data=matrix.T, level_of_measurement="nominal")
    assert pytest.approx(expected, abs=1e-5) == rate.value


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)), min_size=3,
                max_size=20))  # fmt: skip
def test_scores_are_compared_with_the_mean_of_people(drawn):
    """Spearman's rank correlation and the mean absolute error, on the judge's scale."""
    stats = pytest.importorskip("scipy.stats")
    metrics = pytest.importorskip("sklearn.metrics")
    items = [
        Judged(
            case=f"c{i}", people={"a": HumanLabel(score=a), "b": HumanLabel(score=b)}, score=judge
        )
        for i, (a, b, judge) in enumerate(drawn)
    ]
    found = agreement_of(items)
    matrix = np.array(drawn, dtype=float)
    truth, said = matrix[:, :2].mean(axis=1), matrix[:, 2]
    error = metrics.mean_absolute_error(truth, said)
    assert found.metrics["mae"].value == pytest.approx(error, abs=1e-5)
    if len(set(truth)) > 1 and len(set(said)) > 1:
        rank = stats.spearmanr(truth, said).statistic
        assert found.metrics["spearman"].value == pytest.approx(rank, abs=1e-5)
    else:
        assert found.metrics["spearman"].value is None
    assert found.unscored == 0


def test_a_published_kappa():
    """Two readers of 50 grant proposals, 20 both yes, 15 both no: kappa 0.4 (Cohen's textbook)."""
    cells = [(True, True, 20), (True, False, 5), (False, True, 10), (False, False, 15)]
    items = [
        Judged(case=f"{said}{judge}{i}", people={"a": HumanLabel(passed=said)}, passed=judge)
        for said, judge, n in cells
        for i in range(n)
    ]
    found = agreement_of(items)
    assert (found.metrics["accuracy"].value, found.metrics["kappa"].value) == (0.7, 0.4)


def test_what_the_judge_left_out_is_counted():
    """An error and no verdict are no disagreement, and not dropped without a word."""
    people = {"a": HumanLabel(passed=False)}
    items = [
        Judged(case="a", people=people, passed=True, high_risk=True),
        Judged(case="b", people=people, error="broken"),
        Judged(case="c", people=people),
    ]
    found = agreement_of(items)
    assert (found.unscored, found.dangerous.count, found.dangerous.high_risk) == (2, 1, 1)
    assert found.dangerous.cases == ("a",)
