"""A break that was not cleared is never a pass, however steady the other cases are."""

import pytest

from pytest_evals.stats.paired import evaluate_rows, plan_confirmations
from pytest_evals.stats.rows import PairedCase, Row, Rules


def row(broken=1, cases=200, n=3):
    """Return a row of steady cases, of which the first ones broke."""
    pairs = [PairedCase(f"c{i}", n, n, 0 if i < broken else n, n) for i in range(cases)]
    return Row("r", tuple(pairs))


@pytest.mark.parametrize("cases", [20, 60, 200])
def test_a_break_without_confirmation_is_not_passed(cases):
    """One broken case among many steady ones: the mean cannot tell, and the case is named."""
    (made,) = evaluate_rows([row(cases=cases)], confirmed=None)
    assert made.verdict != "passed"
    assert "c0" in " ".join([made.sentence, *made.notes])


def test_a_cleared_break_passes():
    """It passed when it was asked again."""
    made = row()
    (plan,) = plan_confirmations([made], rules=Rules(confirm=4))
    answers = {"r": {case: [False, True, True, True] for case in plan.cases}}
    (cleared,) = evaluate_rows([made], rules=Rules(confirm=4), confirmed=answers)
    if plan.cases:
        assert cleared.verdict == "passed", cleared.sentence
    (open_,) = evaluate_rows([made], rules=Rules(confirm=4), confirmed={})
    assert open_.verdict == "inconclusive"
    assert "c0 passed all baseline samples and failed all now" in open_.sentence


def test_steady_cases_pass():
    """Nothing broke."""
    (made,) = evaluate_rows([row(broken=0)], confirmed={})
    assert made.verdict == "passed"
