"""Score and ScoreError: the result of one scorer on one trial, or why there is none."""

import math
from typing import Any, Literal

from pydantic import Field, field_validator

from pytest_evals.ground.canonical import Frozen

NO_LABEL = "(none)"
"""Label of a response that contains none of the valid labels. It is wrong and not a class."""


class Score(Frozen):
    """The result of one scorer on one trial."""

    name: str
    """Name of its metric in reports and gates."""
    type: str
    """Name of the scorer in the registry."""
    version: str = "1"
    """Version of the scorer; changes if the same response can get another score."""
    value: float | None = None
    """Value, 0..1 if possible; None if the scorer returns only a label or a verdict."""
    passed: bool | None = None
    """Whether the assertion passed; None if it is not an assertion."""
    label: str | None = None
    """Label that the scorer assigned; None if it assigns none."""
    reason: str = ""
    """Explanation, with excerpts of the response."""
    bar: str | None = None
    """The threshold, as text (``>= 0.7``)."""
    weight: float = 1.0
    """Weight in the trial's score, > 0."""
    advisory: bool = False
    """Whether it is shown but not counted."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Details of the scorer, as JSON."""
    kind: Literal["score"] = "score"
    """Distinguishes a score from an error in JSON."""

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        """Reject NaN and infinities: a scorer without a number returns a ScoreError."""
        if value is not None and not math.isfinite(value):
            raise ValueError(f"a score must be a finite number, found {value}")
        return value


class ScoreError(Frozen):
    """A scorer's failure to score. It is never counted as 0 and never dropped."""

    name: str
    """Name of its metric in reports and gates."""
    type: str
    """Name of the scorer in the registry."""
    version: str = "1"
    """Version of the scorer."""
    message: str
    """What happened and what to do."""
    detail: str | None = None
    """Traceback of user code; None if it did not raise."""
    weight: float = 1.0
    """Weight in the trial's score, > 0."""
    advisory: bool = False
    """Whether it is shown but not counted."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Details of the scorer, as JSON."""
    kind: Literal["error"] = "error"
    """Distinguishes an error from a score in JSON."""


def withheld_reason(score: Score | ScoreError) -> str:
    """Return why the verdict of a judge is not counted; empty if it is, or without a judge.

    A score that is advisory because the user wants it so has no reason.
    """
    judge = score.metadata.get("judge")
    details = judge if isinstance(judge, dict) else score.metadata
    reason = details.get("advisory") if score.advisory or details is judge else None
    return reason if isinstance(reason, str) else ""
