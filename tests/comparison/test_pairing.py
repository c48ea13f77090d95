"""Two models on the same cases: measured, paired, tested and put into words."""

import pytest

from pytest_evals.comparison.pairing import compare_pairs, measures_of
from pytest_evals.comparison.row import ComparisonPlan
from pytest_evals.comparison.sentences import row_notes, row_sentence
from pytest_evals.comparison.side import Side
from pytest_evals.ground.errors import SettingsError
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome
from pytest_evals.run_record import Run

RUN = Run(id="20261201-000000-0000", started_at=0.0)


def side(model, passes):
    """Make a side: one sample per case, passed or failed."""
    table = TrialTable("d")
    for case, passed in passes.items():
        outcome = Outcome.PASSED if passed else Outcome.FAILED
        table.add(TrialStats(id=case, case=case, model=model, sample=0, outcome=outcome))
    return Side(RUN, model, table, {}, label=model)


def rows(one, two):
    """Compare two sides by pass@1."""
    return compare_pairs([ComparisonPlan("d", [(one, two)], measures_of([one, two], None, None))])


def test_a_side_with_itself_differs_nowhere():
    """Every case is paired, and the word is `same`."""
    one = side("a", {"x": True, "y": False})
    (row,) = rows(one, one)
    assert ("same", 2, 0.5, 0.5) == (
        row.word, row.result.cases, row.reference_mean, row.candidate_mean
    )  # fmt: skip
    assert row_sentence(row).startswith("a and a: no difference on any of 2 cases.")


def test_a_clear_difference_has_its_size():
    """The candidate passes where the reference fails."""
    cases = [f"c{i}" for i in range(12)]
    (row,) = rows(side("a", dict.fromkeys(cases, False)), side("b", dict.fromkeys(cases, True)))
    assert "better" == row.word
    assert row_sentence(row).startswith("b is better than a by 100.0 points (95 % interval ")


def test_few_changes_are_not_significant():
    """The sentence says how many changed cases a test needs."""
    (row,) = rows(
        side("a", {"x": True, "y": True, "z": False}),
        side("b", {"x": False, "y": True, "z": False}),
    )
    sentence = row_sentence(row)
    assert "the difference is not statistically significant (3 cases: 0 better, 1 worse" in sentence
    assert "Not enough changed cases: 1 changed, at least " in sentence


def test_a_case_of_one_side_is_dropped_with_its_reason():
    """And the note lists it."""
    (row,) = rows(side("a", {"x": True, "y": True}), side("b", {"x": True}))
    assert [("y", "not run by b")] == [(drop.case, drop.reason) for drop in row.dropped]
    assert ["not compared: y (not run by b)"] == list(row_notes([row]))


def test_an_unknown_scorer_or_key_is_an_error():
    """Both name the option."""
    one = side("a", {"x": True})
    with pytest.raises(SettingsError, match="--of nice"):
        measures_of([one], "nice", None)
    with pytest.raises(SettingsError, match="--group-by color: no case has a color"):
        measures_of([one], None, "color")
