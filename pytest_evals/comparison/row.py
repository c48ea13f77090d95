"""One comparison of two models: the measure, and the outcome. Nouns alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_evals.comparison.side import Pair, Side
from pytest_evals.metrics.metric import Slice
from pytest_evals.stats.compare import Comparison
from pytest_evals.stats.rows import Dropped

PASSES = "pass@1"
"""The measure that needs no scorer: the share of samples that pass."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared, and on which cases."""

    of: str = PASSES
    """``pass@1``, ``score``, or a scorer's name."""
    part: Slice | None = None
    """The cases; None is all of them."""


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """The comparisons in one dataset: each pair by each measure."""

    dataset: str
    pairs: Sequence[Pair]
    measures: Sequence[Measure]


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One comparison."""

    dataset: str
    reference: Side
    candidate: Side
    measure: Measure
    result: Comparison
    """The paired test."""
    reference_mean: float | None
    """The reference's mean over the compared cases; None without any."""
    candidate_mean: float | None
    """The candidate's mean over the compared cases; None without any."""
    dropped: tuple[Dropped, ...]
    """Cases that could not be compared, each with the reason."""
    is_rate: bool
    """Whether the numbers are pass rates; else they are scores."""

    @property
    def word(self) -> str:
        """``better``, ``worse``, ``same`` if no compared case differs, or ``unclear``."""
        if self.result.is_significant and self.result.change:
            return "better" if self.result.change > 0 else "worse"
        differing = self.result.better + self.result.worse
        return "unclear" if differing or not self.result.cases else "same"
