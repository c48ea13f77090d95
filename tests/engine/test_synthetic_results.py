"""Results of trials that made no call."""

from pytest_evals.engine.synthetic_results import internal_error_result, result_without_call
from pytest_evals.exchange import ErrorInfo
from pytest_evals.result import Outcome
from tests.engine._fakes import trial_of


def test_it_says_which_trial_and_why():
    """Everything of the case, nothing of an answer."""
    trial = trial_of(tags=["t"], metadata={"k": 1})
    error = ErrorInfo(type="not_needed", message="enough")
    result = result_without_call(trial, Outcome.SKIPPED, error, beyond=True)
    assert (result.id, result.case_id, result.model_id) == (trial.id, "c0", "m")
    assert (result.outcome, result.error, result.beyond) == (Outcome.SKIPPED, error, True)
    assert (result.tags, result.metadata, result.case_digest) == (
        ("t",), {"k": 1}, trial.case.digest,
    )  # fmt: skip
    assert (result.exchanges, result.scores, result.score) == ((), (), None)
    assert result.unneeded
    assert result.started_at > 0


def test_a_bug_has_its_traceback():
    """It is called what it is, so that it is reported."""
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError as error:
        result = internal_error_result(trial_of(), error)
    assert (result.outcome, result.error.type) == (Outcome.ERRORED, "internal")
    assert "this is a fault of pytest_evals itself: ZeroDivisionError: oops" in result.error.message
    assert "test_synthetic_results.py" in result.error.detail
    assert not result.beyond
