"""How an answer ended: its finish reason, or the error that was expected instead of it."""

from collections.abc import Iterable
from typing import ClassVar, get_args

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import ErrorType, suggest
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import quoted

NEVER_SCORED = frozenset({"not_run", "stale", "internal", "template", "script_mismatch"})
"""Errors that say nothing of the model: a trial that ends with one is not scored."""


class FinishReason(Scorer):
    """The answer ended for one of these reasons (stop, length, tool_calls, content_filter, …)."""

    type: ClassVar[str] = "finish_reason"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "reasons"
    example: ClassVar[str] = "finish_reason: [stop, tool_calls]"

    reasons: tuple[str, ...] = Field(min_length=1)
    """The reasons that are right; in a conversation, of the last answer."""

    @field_validator("reasons", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        """Accept one reason as a text."""
        return (value,) if isinstance(value, str) else value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare."""
        reason = None if ctx.response is None else ctx.response.finish_reason
        if reason is None:
            raise ScoringError("the model did not report why its answer ended")
        return Verdict(
            passed=reason in self.reasons,
            label=reason,
            bar=" or ".join(self.reasons),
            reason=f"the answer ended by {reason!r}",
        )


class ExpectedError(Scorer):
    """There is no answer, but an error of this type: the model or the application refuses rightly.

    Scored where a trial has no answer too; without an error it fails.
    """

    type: ClassVar[str] = "expected_error"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.LIMIT
    graded: ClassVar[bool | None] = False
    scores_errors: ClassVar[bool] = True
    shorthand: ClassVar[str | None] = "error"
    example: ClassVar[str] = "expected_error: {error: content_filtered, message: policy}"

    error: str | None = None
    """Its type, as `rate_limit` or `target`; any type without it."""
    message: str | None = None
    """A text that its message must contain, in upper or lower case."""

    @field_validator("error")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        """Refuse a type that no error has."""
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
                reason=f"there was no error but an answer: {quoted(ctx.answer)}",
            )
        reason = f"the error is {error.type}: {quoted(error.message)}"
        right = self.error in {None, error.type}
        if right and self.message is not None:
            right = self.message.casefold() in error.message.casefold()
            reason += "" if right else f", which does not contain {quoted(self.message)}"
        return Verdict(passed=right, label=error.type, bar=required, reason=reason)

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """An empty text is in every message."""
        if self.message is not None and not self.message:
            yield "`expected_error` with an empty `message` asserts nothing of it"


def check_error_type(value: str | None) -> None:
    """Refuse an error type that no scored trial can end with.

    Raises:
        ValueError: no error is of that type, or none that is scored; with a suggestion.
    """
    scored = [name for name in get_args(ErrorType) if name not in NEVER_SCORED]
    if value is not None and value not in scored:
        if value in NEVER_SCORED:
            raise ValueError(f"a trial that ends with {value!r} is not scored; expect another type")
        raise ValueError(f"no error is of the type {value!r}.{suggest(value, scored, limit=20)}")
