"""One comparison of two models: what is measured, and the outcome. Nouns alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_evals.comparison.side import Pair, Side
from pytest_evals.metrics.metric import Slice
from pytest_evals.stats.compare import Comparison
from pytest_evals.stats.rows import Dropped

PASSES = "pass@1"
"""What is compared unless a scorer is named: what became of the trials."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared, and on which cases."""

    of: str = PASSES
    """``pass@1``, ``score``, or a scorer's name."""
    part: Slice | None = None
    """None is all cases."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One comparison."""

    dataset: str
    reference: Side
    candidate: Side
    question: Question
    result: Comparison
    before: float | None
    """The reference's mean over the compared cases; None without any."""
    now: float | None
    """The candidate's."""
    dropped: tuple[Dropped, ...]
    """Cases that could not be compared, and why."""
    rate: bool
    """Whether the numbers are shares of passes (else scores)."""

    @property
    def word(self) -> str:
        """``better``, ``worse``, ``same`` where no compared case differs, or ``unclear``."""
        if self.result.told and self.result.change:
            return "better" if self.result.change > 0 else "worse"
        differ = self.result.better + self.result.worse
        return "unclear" if differ or not self.result.cases else "same"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared in one dataset."""

    dataset: str
    pairs: Sequence[Pair]
    asked: Sequence[Question]
