"""Score and ScoreError: what a scorer says of an answer, or why it cannot."""

import math
from typing import Any, Literal

from pydantic import Field, field_validator

from pytest_evals.ground.canonical import Frozen

NO_LABEL = "(none)"
"""The label of an answer that names none of those there are: a wrong one, and no class."""


class Score(Frozen):
    """What one scorer says of one trial."""

    name: str
    """Its metric: what reports and gates call it."""
    type: str
    """The scorer's name in the registry."""
    version: str = "1"
    """Changes when the same answer could get another score."""
    value: float | None = None
    """0..1 where it can be; None where the scorer gives a label or a bare verdict."""
    passed: bool | None = None
    """Whether the assertion holds; None does not vote."""
    label: str | None = None
    reason: str = ""
    """Why, with the user's own text in it."""
    bar: str | None = None
    """What was asked for, in short (``>= 0.7``)."""
    weight: float = 1.0
    """Its share in the trial's score."""
    advisory: bool = False
    """Shown, without a vote."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    kind: Literal["score"] = "score"

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        """A score that is no number is a ScoreError, not a Score."""
        if value is not None and not math.isfinite(value):
            raise ValueError(f"a score is a finite number, found {value}")
        return value


class ScoreError(Frozen):
    """A scorer that could not score: never 0, never dropped."""

    name: str
    type: str
    version: str = "1"
    message: str
    """What went wrong and what to do."""
    detail: str | None = None
    """The traceback of the user's own code, where it was that."""
    weight: float = 1.0
    advisory: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    kind: Literal["error"] = "error"
