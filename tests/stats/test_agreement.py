"""Agreement of labellers against scikit-learn, scipy and krippendorff."""

import subprocess
import sys
from math import isnan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_evals.stats.agreement import (
    Ratings,
    accuracy,
    confusion,
    count_false_passes,
    f1_score,
    macro_f1,
    precision,
    recall,
)
from pytest_evals.stats.concordance import (
    cohen_kappa,
    krippendorff_alpha,
    mean_absolute_error,
    spearman,
)
from pytest_evals.stats.estimate import Absent
from pytest_evals.stats.intervals import wilson
from pytest_evals.stats.prevalence import JudgeError, rogan_gladen

pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=25)


def ratings(drawn, cases=()):
    """Make ratings of (true, predicted) pairs."""
    truth, predicted = zip(*drawn, strict=True)
    return Ratings(truth, predicted, tuple(cases))


def value(found):
    """Take the value, or None where it is absent."""
    return None if isinstance(found, Absent) else found.value


@settings(max_examples=40)
@given(pairs)
def test_the_rates_are_those_of_scikit_learn(drawn):
    """Confusion matrix, accuracy, precision, recall, F1, macro-F1, kappa."""
    metrics = pytest.importorskip("sklearn.metrics")
    data = ratings(drawn)
    truth, predicted = data.truth, data.predicted
    labels = sorted(set(truth) | set(predicted))
    if len(labels) > 1:
        assert metrics.confusion_matrix(truth, predicted, labels=labels).tolist() == [
            list(line) for line in confusion(data).counts
        ]
    assert pytest.approx(metrics.accuracy_score(truth, predicted)) == value(accuracy(data))
    options = {"labels": ["a"], "average": "macro", "zero_division": float("nan")}
    for ours, theirs in (
        (precision, metrics.precision_score),
        (recall, metrics.recall_score),
        (f1_score, metrics.f1_score),
    ):
        expected = theirs(truth, predicted, **options)
        assert (None if isnan(expected) else pytest.approx(expected)) == value(ours(data, "a"))
    macro = metrics.f1_score(truth, predicted, average="macro")
    assert pytest.approx(macro) == value(macro_f1(data))
    if len(labels) > 1:
        assert pytest.approx(metrics.cohen_kappa_score(truth, predicted)) == value(
            cohen_kappa(data)
        )
    else:
        assert isinstance(cohen_kappa(data), Absent)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@settings(max_examples=40)
@given(
    items=st.lists(
        st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3),
        min_size=2,
        max_size=15,
    )
)
def test_krippendorffs_alpha(level, items):
    """Three raters, values missing, all levels."""
    krippendorff = pytest.importorskip("krippendorff")
    rows = [list(column) for column in zip(*items, strict=True)]
    found = krippendorff_alpha(rows, level=level)
    used = {v for item in items if sum(v is not None for v in item) > 1 for v in item} - {None}
    if len(used) < 2:
        assert isinstance(found, Absent)
        return
    known = [[float("nan") if v is None else v for v in row] for row in rows]
    expected = krippendorff.alpha(reliability_data=known, level_of_measurement=level)
    assert pytest.approx(expected) == found.value


def test_krippendorffs_own_example():
    """Four observers, twelve units: the published values of the nominal and interval levels."""
    none = None
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, none, none, none],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, none, 3],
        [none, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, none],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, none],
    ]
    assert pytest.approx(0.743, abs=5e-4) == krippendorff_alpha(rows).value
    assert pytest.approx(0.815, abs=5e-4) == krippendorff_alpha(rows, level="ordinal").value
    interval = krippendorff_alpha(rows, level="interval")
    assert pytest.approx(0.849, abs=5e-4) == interval.value
    assert interval.low <= interval.value <= interval.high
    assert (interval.n, interval.cases, interval.dropped) == (40, 11, 1)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=3, max_size=20))
def test_spearman_and_absolute_error(drawn):
    """Ties included."""
    stats = pytest.importorskip("scipy.stats")
    metrics = pytest.importorskip("sklearn.metrics")
    truth, predicted = map(list, zip(*drawn, strict=True))
    found = spearman(truth, predicted)
    if len(set(truth)) == 1 or len(set(predicted)) == 1:
        assert isinstance(found, Absent)
    else:
        assert pytest.approx(stats.spearmanr(truth, predicted).statistic) == found.value
    error = metrics.mean_absolute_error(truth, predicted)
    assert pytest.approx(error) == mean_absolute_error(truth, predicted).value


def test_kappa_knows_that_items_of_one_case_belong_together():
    """Every item five times over: the same kappa, and no narrower by case than without copies."""
    rng = Random(1)
    once = [(rng.random() < 0.6, rng.random() < 0.6) for _ in range(30)]
    once = [(true, true if rng.random() < 0.7 else said) for true, said in once]
    single = cohen_kappa(ratings(once))
    copies = [pair for pair in once for _ in range(5)]
    by_case = cohen_kappa(ratings(copies, [i for i in range(30) for _ in range(5)]))
    pooled = cohen_kappa(ratings(copies))
    assert pytest.approx(single.value) == by_case.value
    assert pytest.approx((single.low, single.high)) == (by_case.low, by_case.high)
    assert pooled.high - pooled.low < 0.7 * (by_case.high - by_case.low)
    assert (by_case.n, by_case.cases) == (150, 30)


def test_a_rate_of_clean_cases_has_wilsons_interval():
    """One item a case: 9 of 10 predicted passes are passes."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    data = ratings([(True, True)] * 9 + [(False, True)] + [(False, False)] * 4)
    found = precision(data, True)
    expected = proportion.proportion_confint(9, 10, method="wilson")
    assert (pytest.approx(expected), 10) == ((found.low, found.high), found.n)


def test_repeated_items_are_drawn_by_case():
    """Two items a case: a bootstrap; and none where all are alike."""
    drawn = [pair for i in range(20) for pair in ((True, True), (True, i % 3 > 0))]
    found = recall(ratings(drawn, [i for i in range(20) for _ in "ab"]), True)
    assert found.method == "bootstrap by case"
    assert found.low < found.value < found.high
    alike = recall(ratings([(True, True)] * 4, [1, 1, 2, 2]), True)
    assert (alike.value, alike.low) == (1.0, None)


def test_dangerous_errors_are_passes_of_what_people_fail():
    """Counted, named, and bounded from above exactly."""
    stats = pytest.importorskip("scipy.stats")
    data = ratings(
        [(False, True), (False, False), (True, False), (False, True), (True, True)],
        ["a", "b", "c", "d", "e"],
    )
    found = count_false_passes(data)
    assert (found.count, found.n, found.cases) == (2, 3, ("a", "d"))
    assert pytest.approx(stats.beta.ppf(0.95, 3, 1)) == found.upper
    none = count_false_passes(ratings([(False, False)] * 59))
    assert (0, pytest.approx(1 - 0.05 ** (1 / 59))) == (none.count, none.upper)
    assert count_false_passes(ratings([(True, True)])).upper is None


def test_what_does_not_exist_is_absent():
    """Nothing predicted, nothing true, no items, constant sides."""
    data = ratings([("a", "b")])
    assert Absent("nothing was predicted 'a'") == precision(data, "a")
    assert Absent("nothing is truly 'b'") == recall(data, "b")
    empty = Ratings((), ())
    assert Absent("no items") == accuracy(empty)
    assert Absent("no items") == macro_f1(empty)
    assert isinstance(f1_score(data, "c"), Absent)
    assert isinstance(krippendorff_alpha([[1, None], [None, 2]]), Absent)
    assert isinstance(mean_absolute_error([], []), Absent)
    assert isinstance(spearman([1], [2]), Absent)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Ratings(("a",), ()),
        lambda: Ratings(("a",), ("a",), (1, 2)),
        lambda: confusion(Ratings(("a",), ("b",)), labels=["a"]),
        lambda: krippendorff_alpha([[1], [1, 2]]),
        lambda: krippendorff_alpha([["a"], ["b"]], level="ordinal"),
        lambda: spearman([1], []),
        lambda: JudgeError(3, 2, 1, 1),
        lambda: rogan_gladen(1.1, 10, JudgeError(9, 10, 9, 10), n=10, cases=10),
        lambda: rogan_gladen(0.5, 0, JudgeError(9, 10, 9, 10), n=10, cases=10),
        lambda: count_false_passes(Ratings((False,), (True,)), confidence=0.4),
    ],
)
def test_bad_arguments_are_refused(call):
    """Lengths, labels, counts, rates."""
    with pytest.raises(ValueError, match=r"\w+"):
        call()


def test_rogan_gladen_is_its_formula():
    """(0.7 + 0.8 - 1)/(0.9 + 0.8 - 1)."""
    judge = JudgeError(90, 100, 80, 100)
    found = rogan_gladen(0.7, 200, judge, n=600, cases=200)
    assert pytest.approx(0.5 / 0.7) == found.value
    assert found.low < found.value < found.high
    assert (found.n, found.cases) == (600, 200)


def test_rogan_gladen_is_wider_than_the_raw_rate_and_narrows_with_labels():
    """It carries what is not known of the judge."""
    few = rogan_gladen(0.8, 200, JudgeError(18, 20, 16, 20), n=200, cases=200)
    many = rogan_gladen(0.8, 200, JudgeError(900, 1000, 800, 1000), n=200, cases=200)
    raw = wilson(160, 200)
    assert few.high - few.low > many.high - many.low > raw.high - raw.low


def test_a_judge_that_may_be_a_coin_corrects_nothing():
    """The interval of sensitivity + specificity - 1 reaches 0."""
    found = rogan_gladen(0.5, 100, JudgeError(6, 10, 6, 10), n=100, cases=100)
    assert isinstance(found, Absent)
    assert "may not distinguish passes from fails" in found.reason


def test_rogan_gladen_covers():
    """Simulated with uncertain sensitivity and specificity: about 95 % or more."""
    rng = Random(5)

    def draw(n, p):
        return sum(rng.random() < p for _ in range(n))

    covered = 0
    for _ in range(300):
        judge = JudgeError(draw(60, 0.9), 60, draw(40, 0.8), 40)
        apparent = draw(100, 0.8 * 0.9 + 0.2 * 0.2) / 100
        found = rogan_gladen(apparent, 100, judge, n=100, cases=100)
        covered += found.low <= 0.8 <= found.high
    assert covered / 300 > 0.91


def test_rogan_gladen_never_gates():
    """Nothing that decides so much as imports it."""
    code = (
        "import sys, pytest_evals.verdict.gate.evaluate, pytest_evals.verdict.diff, pytest_evals.verdict.decision\n"
        "print('pytest_evals.stats.prevalence' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
