"""Results of trials without a question: not needed, not ready, or broken by a fault of ours."""

from time import time

from pytest_evals.exchange import ErrorInfo
from pytest_evals.matrix import Trial
from pytest_evals.result import Outcome, TrialResult


def unanswered(
    trial: Trial, outcome: Outcome, error: ErrorInfo, *, beyond: bool = False
) -> TrialResult:
    """Make a result without a question.

    Args:
        trial: the trial.
        outcome: errored or skipped.
        error: why.
        beyond: whether it is a sample that the planned number does not count.
    """
    return TrialResult(
        id=trial.id,
        dataset=trial.dataset.name,
        case_id=trial.case.id,
        model_id=trial.model.id,
        sample=trial.sample,
        outcome=outcome,
        error=error,
        tags=trial.case.tags,
        metadata=trial.case.metadata,
        source=trial.case.source,
        started_at=time(),
        case_digest=trial.case.digest,
        beyond=beyond,
    )


def broken(trial: Trial, error: BaseException) -> TrialResult:
    """Make the result of a trial that our own code could not run."""
    from pytest_evals.ground.user_code import full_traceback

    told = ErrorInfo(
        type="internal",
        message=f"this is a fault of pytest_evals itself: {type(error).__name__}: {error}",
        detail=full_traceback(error),
    )
    return unanswered(trial, Outcome.ERRORED, told)
