"""The samples of several runs, pooled."""

from pytest_evals.comparison.pooling import drop_edited_cases, pool_tables
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome


def tally(case, sample, draw, *, passed=True, digest="q"):
    """Make a trial."""
    return TrialStats(
        id=f"{case}-{sample}",
        case=case,
        model="m",
        sample=sample,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        draw=draw,
        case_digest=digest,
    )


def table(*tallies):
    """Make a table."""
    made = TrialTable("d")
    for one in tallies:
        made.add(one)
    return made


def test_a_draw_counts_once_however_many_runs_used_it():
    """Stored answers are one draw; equal draws of one run are as many as it says."""
    one = table(tally("a", 0, "x"), tally("a", 1, "x"), tally("a", 2, "y"))
    two = table(tally("a", 0, "y"), tally("a", 1, "z"), tally("b", 0, "x"))
    found = pool_tables("d", [one, two])
    assert [t.draw for t in found.trials("m") if t.case == "a"] == ["x", "x", "y", "z"]
    assert [t.sample for t in found.trials("m")] == [0, 1, 2, 3, 0]
    assert len(pool_tables("d", [two, one])) == len(found)
    assert len(pool_tables("d", [one, one])) == len(one)


def test_cases_that_were_edited_are_told():
    """What another run defines otherwise is left out; what it does not have stays."""
    newest = table(tally("a", 0, "x"), tally("b", 0, "x", digest="new"))
    old = table(tally("a", 0, "x"), tally("b", 0, "x"), tally("c", 0, "x"))
    kept, edited = drop_edited_cases(old, newest)
    assert ([t.case for t in kept], edited) == (["a", "c"], ["b"])
