"""The length of an output, in words or characters."""

from collections.abc import Iterable
from typing import ClassVar, Self

from pydantic import Field, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict


class _Count(Scorer):
    """Counts units in the output."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "max"
    unit: ClassVar[str]

    min: int | None = Field(default=None, ge=0)
    """The least number."""
    max: int | None = Field(default=None, ge=0)
    """The greatest number."""

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        """Reject missing bounds, and a minimum above the maximum."""
        if self.min is None and self.max is None:
            raise ValueError("it needs `max`, `min` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is greater than `max` {self.max}: it cannot pass")
        return self

    def count(self, text: str) -> int:
        """Return the number of units."""
        raise NotImplementedError

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the count with the bounds."""
        count = self.count(ctx.answer)
        low = self.min is None or count >= self.min
        high = self.max is None or count <= self.max
        bars = [f">= {self.min}"] if self.min is not None else []
        bars += [f"<= {self.max}"] if self.max is not None else []
        return Verdict(
            passed=low and high,
            bar=" and ".join(bars),
            reason=f"the output has {count} {self.unit}",
            metadata={"count": count},
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the assertion cannot fail."""
        if self.min == 0 and self.max is None:
            yield f"`{self.type}` with `min: 0` cannot fail"


class WordCount(_Count):
    """The output has at least `min` and at most `max` words, separated by whitespace."""

    type: ClassVar[str] = "word_count"
    unit: ClassVar[str] = "words"
    example: ClassVar[str] = "word_count: {min: 3, max: 50}"

    def count(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())


class CharCount(_Count):
    """The output has at least `min` and at most `max` characters (Unicode code points)."""

    type: ClassVar[str] = "char_count"
    unit: ClassVar[str] = "characters"
    example: ClassVar[str] = "char_count: 280"

    def count(self, text: str) -> int:
        """Return the number of code points."""
        return len(text)
