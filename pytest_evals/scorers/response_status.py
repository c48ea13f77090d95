"""The status of a response: its finish reason, or an expected error."""

from collections.abc import Iterable
from typing import ClassVar, get_args

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import ErrorType, suggest
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import quoted

NEVER_SCORED = frozenset({"not_run", "stale", "internal", "template", "script_mismatch"})
"""Errors that are unrelated to the model; trials with these errors are not scored."""


class FinishReason(Scorer):
    """The finish reason is one of these (stop, length, tool_calls, content_filter, …)."""

    type: ClassVar[str] = "finish_reason"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "reasons"
    example: ClassVar[str] = "finish_reason: [stop, tool_calls]"

    reasons: tuple[str, ...] = Field(min_length=1)
    """The accepted finish reasons; in a conversation, those of the last response."""

    @field_validator("reasons", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        """Accept a single reason."""
        return (value,) if isinstance(value, str) else value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare."""
        reason = None if ctx.response is None else ctx.response.finish_reason
        if reason is None:
            raise ScoringError("the model did not report a finish reason")
        return Verdict(
            passed=reason in self.reasons,
            label=reason,
            bar=" or ".join(self.reasons),
            reason=f"the finish reason is {reason!r}",
        )


class ExpectedError(Scorer):
    """The trial ends with an error of this type: the model or application rejects the input.

    It also scores trials without an output; it fails if there is no error.
    """

    type: ClassVar[str] = "expected_error"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    scores_errors: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "error"
    example: ClassVar[str] = "expected_error: {error: content_filtered, message: policy}"

    error: str | None = None
    """The type of the error, such as `rate_limit` or `target`; by default any type."""
    message: str | None = None
    """A text that the message must contain, case-insensitively."""

    @field_validator("error")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        """Reject unknown error types."""
        check_error_type(value)
        return value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the error."""
        error = ctx.error
        required = self.error or "any error"
        if error is None:
            return Verdict(
                passed=False,
                bar=required,
                reason=f"there is no error but an output: {quoted(ctx.answer)}",
            )
        reason = f"the error is {error.type}: {quoted(error.message)}"
        right = self.error in {None, error.type}
        if right and self.message is not None:
            right = self.message.casefold() in error.message.casefold()
            reason += "" if right else f", which does not contain {quoted(self.message)}"
        return Verdict(passed=right, label=error.type, bar=required, reason=reason)

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for an empty message, which every message contains."""
        if self.message is not None and not self.message:
            yield "`expected_error` with an empty `message` cannot fail on it; remove `message`"


def check_error_type(value: str | None) -> None:
    """Reject an error type that no scored trial can have.

    Raises:
        ValueError: the type is unknown or never scored; with a suggestion.
    """
    scored = [name for name in get_args(ErrorType) if name not in NEVER_SCORED]
    if value is not None and value not in scored:
        if value in NEVER_SCORED:
            raise ValueError(f"trials with the error {value!r} are not scored; use another type")
        raise ValueError(f"unknown error type {value!r}.{suggest(value, scored, limit=20)}")
