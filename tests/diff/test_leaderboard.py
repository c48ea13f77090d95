"""Ranks, and what a rank hides."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import SettingsError
from pytest_evals.metrics.leaderboard import Entrant, Leaderboard
from pytest_evals.metrics.rank import rank_entrants
from tests.gates.makers import drawn, table, trial


def board(tables, weights=None, **more):
    """Return the leaderboard of tables by name."""
    return rank_entrants(
        "d", [Entrant(n, made, "m") for n, made in tables.items()], weights, **more
    )


def scored(values, name="helpful", **more):
    """Return a table of one scorer's values, one case a value."""
    made = table({})
    for i, value in enumerate(values):
        made.add(trial(f"c{i}", names=(name,), values=(value,), verdicts=(None,), **more))
    return made


def test_the_best_stands_first():
    """Rows are ranked by value, each with n, interval, cost and latency."""
    found = board({"a": table({"x": "++-", "y": "+--"}), "b": table({"x": "+++", "y": "++-"})})
    assert [(row.name, row.rank) for row in found.rows] == [("b", 1), ("a", 2)]
    first = found.rows[0]
    assert (pytest.approx(5 / 6), 6, 2) == (first.value, first.n, first.cases)
    assert first.low < first.value < first.high
    assert (0.5, pytest.approx(0.001)) == (first.latency_s, first.cost_usd)
    assert found.weights == {"pass@1": 1.0}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9),
       st.floats(0.1, 5), st.floats(0.1, 5))  # fmt: skip
def test_weights_are_shares(pairs, one, two):
    """The value is the weighted mean of the scores' means, whatever the weights add up to."""
    made = table({})
    for i, values in enumerate(pairs):
        made.add(trial(f"c{i}", names=("p", "q"), values=values, verdicts=(None, None)))
    [row] = board({"a": made}, {"p": one, "q": two}).rows
    p, q = (fmean(x) for x in zip(*pairs, strict=True))
    assert pytest.approx((one * p + two * q) / (one + two)) == row.value


def test_unknown_weights():
    """A misspelt weight is an error with a suggestion, and weights are above 0."""
    made = {"a": scored([0.5])}
    with pytest.raises(
        SettingsError, match=r"no score is called 'helpfull'\. Did you mean 'helpful'"
    ):
        board(made, {"helpfull": 1})
    with pytest.raises(SettingsError, match="must be above 0"):
        board(made, {"helpful": 0})


def test_a_missing_scorer_makes_a_row_incomplete():
    """Leaving out a scorer does not help: no rank, unless renormalising is asked for."""
    whole = table({})
    for i in range(5):
        whole.add(trial(f"c{i}", names=("easy", "hard"), values=(0.6, 0.2), verdicts=(None, None)))
    tables = {"whole": whole, "part": scored([0.9] * 5, "easy")}
    found = board(tables, {"easy": 1, "hard": 1})
    assert [(row.name, row.rank) for row in found.rows] == [("whole", 1), ("part", None)]
    assert (found.rows[1].value, found.rows[1].incomplete) == (None, "it has no hard")
    assert "part has no rank: it has no hard." in found.notes
    again = board(tables, {"easy": 1, "hard": 1}, renormalise=True)
    assert [(row.name, row.rank, row.renormalised) for row in again.rows] == [
        ("part", 1, True),
        ("whole", 2, False),
    ]


def test_errors_on_hard_cases_do_not_help():
    """A row without scores for cases that others have is incomplete."""
    found = board({"a": table({"x": "+", "y": "-"}), "b": table({"x": "+", "y": "!"})})
    assert [(r.name, r.rank, r.errored) for r in found.rows] == [("a", 1, 0), ("b", None, 1)]
    assert found.rows[1].incomplete == "1 of 2 cases have no pass@1"
    assert found.rows[1].value == 1.0


def test_ties_and_overlaps_are_said():
    """Equal values share a rank, overlapping intervals are named, and the test is paired."""
    same = table({f"c{i}": "+-" for i in range(30)})
    found = board({"a": same, "b": same, "c": table({f"c{i}": "--" for i in range(30)})})
    assert [(row.name, row.rank, row.tied) for row in found.rows] == [
        ("a", 1, ("b",)),
        ("b", 1, ("a",)),
        ("c", 3, ()),
    ]
    assert found.rows[0].overlaps == ("b",)
    assert found.rows[0].p_first is None
    assert found.rows[1].p_first == 1.0
    assert found.rows[2].p_first < 0.05
    assert found.notes[0].startswith("a does not differ significantly from b (paired by case")


def test_the_front():
    """A row is on the front unless another is as good and cheaper, or better and as cheap."""

    def made(good, cost):
        return table({f"c{i}": "+" if i < good else "-" for i in range(10)}, cost_usd=cost)

    found = board({"best": made(9, 3.0), "cheap": made(5, 1.0), "bad": made(4, 2.0),
                   "unpriced": made(8, None)})  # fmt: skip
    assert {"best", "cheap"} == {row.name for row in found.rows if row.front}
    assert "The cost of unpriced is unknown, so no Pareto front includes them." in found.notes


def test_scores_of_some_cases_only():
    """Scorers that stand in some cases alone weigh by their own means, with an interval."""
    made = table({})
    for i in range(8):
        made.add(trial(f"c{i}", names=("p", "q") if i % 2 else ("p",),
                       values=(0.1 * i, 0.5 + 0.05 * i) if i % 2 else (0.1 * i,),
                       verdicts=(None, None) if i % 2 else (None,)))  # fmt: skip
    [row] = board({"a": made}, {"p": 1, "q": 1}).rows
    assert pytest.approx((0.35 + 0.7) / 2) == row.value
    assert row.low < row.value < row.high


@given(st.integers(0, 2**32))
def test_a_leaderboard_survives_json(seed):
    """A leaderboard is the same after its round trip."""
    found = board({"a": drawn([0.5] * 4, 2, seed), "b": drawn([0.8] * 4, 2, seed + 1)})
    assert found == Leaderboard.model_validate_json(found.model_dump_json())
