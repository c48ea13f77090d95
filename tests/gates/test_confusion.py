"""Confusion matrices and corrected pass rates of many trials."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from pytest_evals.metrics.confusion import MAX_LABELS, compute_confusion, compute_confusions
from pytest_evals.metrics.prevalence import corrected_rates
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.prevalence import JudgeError, rogan_gladen
from pytest_evals.verdict.evaluate import evaluate_run
from pytest_evals.verdict.evaluation import EvaluationInput
from tests.gates.makers import info, table, trial

LABELS = st.sampled_from(["good", "bad", "so-so"])
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30).filter(
    lambda pairs: len({label for pair in pairs for label in pair}) > 1  # else the oracle complains
)


def labelled(pairs, *, model="m", scorer="mood"):
    """Return a table in which each case has a true label and the one it was given."""
    made = TrialTable("d")
    for i, (truth, said) in enumerate(pairs):
        labels = ((scorer, truth, said),)
        made.add(trial(f"c{i:03}", ok=truth == said, model=model, labels=labels))
    return made


@pytest.mark.heavy
@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_it_agrees_with_an_independent_implementation(pairs):
    """The matrix, and each label's precision, recall and F1."""
    found = compute_confusion(labelled(pairs), "mood", "m")
    truth, said = zip(*pairs, strict=True)
    labels = list(found.labels)
    matrix = oracle.confusion_matrix(truth, said, labels=labels)
    assert matrix.tolist() == [list(row) for row in found.counts]
    assert len(pairs) == found.n
    report = oracle.classification_report(
        truth, said, labels=labels, output_dict=True, zero_division=float("nan")
    )
    for metric in found.metrics[2:]:
        kind, _, label = metric.metric.removesuffix(")").replace("(mood, ", " ").partition(" ")
        expected = report[label][{"f1": "f1-score"}.get(kind, kind)]
        assert pytest.approx(expected, nan_ok=True) == (
            float("nan") if metric.value is None else metric.value
        )


def test_an_answer_without_a_label_is_an_error_but_no_class():
    """It misses its true label, and counts against its recall and the accuracy."""
    found = compute_confusion(labelled([("a", "a"), ("a", NO_LABEL), ("b", "b")]), "mood", "m")
    values = {metric.metric: metric.value for metric in found.metrics}
    assert (("a", "b"), ((1, 0), (0, 1)), (1, 0)) == (found.labels, found.counts, found.unread)
    assert pytest.approx(2 / 3) == values["accuracy(mood)"]
    assert (0.5, 1.0) == (values["recall(mood, a)"], values["precision(mood, a)"])
    assert pytest.approx((2 / 3 + 1) / 2) == values["macro_f1(mood)"]


def test_there_is_one_for_each_model_and_scorer_that_gives_labels():
    """And none for those that do not."""
    made = labelled([("a", "b")])
    made.add(trial("c000", model="n", labels=(("mood", "a", "a"), ("topic", "x", "y"))))
    found = [(one.model, one.scorer) for one in compute_confusions(made)]
    assert [("m", "mood"), ("n", "mood"), ("n", "topic")] == found
    assert compute_confusion(made, "contains", "m") is None
    assert () == compute_confusions(table({"a": "++"}))


def test_many_labels_are_no_classes():
    """A scorer whose labels are all different would draw a page of noughts."""
    names = [f"l{i}" for i in range(MAX_LABELS + 1)]
    assert compute_confusion(labelled(list(zip(names, names, strict=True))), "mood", "m") is None


JUDGE = JudgeError(passed_right=90, passed=100, failed_right=80, failed=100)


def judge_table(outcomes):
    """Return a table of a judge's verdicts."""
    return table(outcomes, names=("helpful",))


def test_a_judges_pass_rate_stands_beside_the_corrected_one():
    """The corrected one is Rogan and Gladen's, its samples clustered by case."""
    made = judge_table({f"c{i}": "++" if i < 30 else "--" for i in range(40)})
    raw, corrected = corrected_rates(made, {"helpful": JUDGE})
    expected = rogan_gladen(0.75, 40, JUDGE, n=80, cases=40)
    assert ("pass@1 of helpful", 0.75) == (raw.metric, raw.value)
    assert "corrected(pass@1 of helpful)" == corrected.metric
    assert (expected.value, expected.low, expected.high) == (
        corrected.value,
        corrected.low,
        corrected.high,
    )
    assert pytest.approx((0.75 + 0.8 - 1) / (0.9 + 0.8 - 1)) == corrected.value
    assert corrected.high - corrected.low > raw.high - raw.low


def test_what_cannot_be_corrected_says_why():
    """A judge that may not distinguish passes from fails; a judge that scored nothing."""
    poor = JudgeError(passed_right=5, passed=10, failed_right=5, failed=10)
    _, corrected = corrected_rates(judge_table({"a": "+", "b": "-"}), {"helpful": poor})
    assert corrected.value is None
    assert "may not distinguish passes from fails" in corrected.absent
    _, corrected = corrected_rates(judge_table({"a": "+"}), {"other": JUDGE})
    assert "other scores none of these cases" == corrected.absent


def test_both_are_in_the_evaluation_and_decide_nothing():
    """They are among the metrics; no gate reads a corrected rate."""
    made = labelled([("a", "a"), ("a", "b"), ("b", "b")])
    facts = info(made, gates=("pass@1 >= 0.5",))
    plain = evaluate_run(EvaluationInput(made, facts))
    told = evaluate_run(EvaluationInput(made, facts, judges={"contains": JUDGE}))
    assert ["mood"] == [one.scorer for one in told.confusions]
    new = [m.metric for m in told.metrics if m not in plain.metrics]
    assert ["pass@1 of contains", "corrected(pass@1 of contains)"] == new
    assert (plain.gates, plain.decision) == (told.gates, told.decision)
    assert told == type(told).model_validate_json(told.model_dump_json())
