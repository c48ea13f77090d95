"""A trial found by its name or a part of it."""

import pytest

from pytest_evals.archive.trial_lookup import find_trial, find_trials
from pytest_evals.ground.errors import StoreError

TRIALS = ["d.yaml::refund[gpt]", "d.yaml::refund-late[gpt]", "d.yaml::other[gpt]"]


@pytest.mark.parametrize("text", ["d.yaml::refund[gpt]", "refund[gpt]"])
def test_a_whole_name_wins_over_parts(text):
    """The node id, or the name after its `::`."""
    assert "d.yaml::refund[gpt]" == find_trial(text, TRIALS, "r")


def test_a_unique_part_is_enough():
    """No other trial has it."""
    assert "d.yaml::refund-late[gpt]" == find_trial("late", TRIALS, "r")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("refund", "'refund' is part of 2 trials of run r: "),
        ("refnd[gpt]", "run r has no trial 'refnd\\[gpt\\]'.*Did you mean"),
        ("", "run r has no trial ''"),
    ],
)
def test_no_match_and_several_are_errors(text, message):
    """The message lists what is near."""
    with pytest.raises(StoreError, match=message):
        find_trial(text, TRIALS, "r")


def test_a_case_names_all_its_trials():
    """Of every model and sample, and of no other case; anything else names one."""
    trials = ["d.yaml::a[m]", "d.yaml::a[n-1]", "d.yaml::a[n-2]", "d.yaml::ab[m]", "e.yaml::a[m]"]
    assert find_trials("a", trials, "r") == [trials[0], trials[1], trials[2], trials[4]]
    assert find_trials("ab", trials, "r") == ["d.yaml::ab[m]"]
    assert find_trials("a[n-2]", trials, "r") == ["d.yaml::a[n-2]"]
    assert find_trials("d.yaml::a[m]", trials, "r") == ["d.yaml::a[m]"]
    with pytest.raises(StoreError, match="no trial 'x'"):
        find_trials("x", trials, "r")
