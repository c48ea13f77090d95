"""People's scores from rows of labels."""

import pytest

from pytest_evals.archive.human_scores import LabelDefaults, score_of_row
from pytest_evals.storage.base import TrialRow
from pytest_evals.storage.labels import LabelRow


def trial(sample):
    """Make a trial of one case."""
    return TrialRow(
        trial=f"d.yaml::a[m-{sample}]",
        dataset="d",
        case_id="a",
        model_id="m",
        sample=sample,
        outcome="passed",
        tolerated=False,
        score=1.0,
        tokens=None,
        cost_usd=None,
        unpriced=False,
        latency_s=None,
        error=None,
    )


TRIALS = {row.trial: row for row in (trial(0), trial(1))}


def test_a_row_is_matched_by_case_and_sample():
    """The defaults fill in the judge and an anonymous rater."""
    row = LabelRow(case="a", sample=1, label="pass")
    name, score = score_of_row(row, TRIALS, LabelDefaults(name="helpful", rater="ann"), 5.0)
    assert ("d.yaml::a[m-1]", "helpful", "ann", "pass", 5.0) == (
        name, score.name, score.rater, score.label, score.at
    )  # fmt: skip


def test_a_rater_of_the_row_stays():
    """Only an anonymous row takes the default."""
    row = LabelRow(trial="d.yaml::a[m-0]", name="helpful", label="pass", rater="bob")
    assert "bob" == score_of_row(row, TRIALS, LabelDefaults(rater="ann"), 0.0)[1].rater


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"case": "a", "name": "n"}, "2 trials .*a row must match exactly one"),
        ({"case": "a", "sample": 0}, "the row has no `name`"),
        ({"trial": "d.yaml::a[m-2]", "name": "n"}, "the run has no trial"),
    ],
)
def test_ambiguous_rows_are_errors(fields, message):
    """Several trials, no name, or no such trial."""
    with pytest.raises(ValueError, match=message):
        score_of_row(LabelRow(label="pass", **fields), TRIALS, LabelDefaults(), 0.0)
