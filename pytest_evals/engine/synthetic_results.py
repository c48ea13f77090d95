"""Results of trials without a call: skipped samples, failed hooks and internal errors. Pure."""

from time import time

from pytest_evals.exchange import ErrorInfo
from pytest_evals.matrix import Trial
from pytest_evals.result import Outcome, TrialResult


def result_without_call(
    trial: Trial, outcome: Outcome, error: ErrorInfo, *, beyond: bool = False
) -> TrialResult:
    """Make the result of a trial that made no call.

    Args:
        trial: the trial.
        outcome: errored or skipped.
        error: the reason.
        beyond: whether the sample is not counted among the planned ones.
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


def internal_error_result(trial: Trial, error: BaseException) -> TrialResult:
    """Make the result of a trial that failed by a bug of this package."""
    from pytest_evals.ground.user_code import full_traceback

    info = ErrorInfo(
        type="internal",
        message=f"this is a fault of pytest_evals itself: {type(error).__name__}: {error}",
        detail=full_traceback(error),
    )
    return result_without_call(trial, Outcome.ERRORED, info)
