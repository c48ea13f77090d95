"""RowVerdict: the verdict of one comparison, with all its numbers."""

from dataclasses import dataclass
from typing import Literal

from pytest_evals.stats.rows import Dropped

Verdict = Literal["regressed", "passed", "inconclusive"]
"""regressed: significantly worse. passed: any drop is under the margin. inconclusive: neither."""

Rule = Literal["break", "mean", "noise-free"]
"""The rule by which a row regressed."""

Unit = Literal["passes", "score"]
"""The unit of a row: pass rates (shown in points of 100) or scores (shown unchanged)."""


@dataclass(frozen=True, slots=True)
class ConfirmPlan:
    """The cases of a row to call again, and how often; fixed before any sample is drawn."""

    row: str
    """The row's name."""

    cases: tuple[str, ...]
    """The flagged cases to call again, in order of their ids; empty if none."""

    n: int
    """The confirmation samples of each of these cases, >= 0. Sampling of a case may stop at its
    first pass, as it is no break then."""

    reason: str | None
    """Why flagged cases are not called again; None if they are, or if none is flagged."""


@dataclass(frozen=True, slots=True)
class MeanTest:
    """The numbers of the mean rule."""

    change: float
    """D: the mean over cases of (mean now - mean in the baseline); -1..1 for rates, otherwise in
    the unit of the score."""

    low: float | None
    """The lower end of the interval of D; None with fewer than 2 cases."""

    high: float | None
    """The upper end of the interval of D; None with fewer than 2 cases."""

    confidence: float
    """The coverage of (low, high): 0.90, so each end is a one-sided 95 % bound."""

    p: float
    """The one-sided sign-flip p-value of a drop, 0..1."""

    p_adjusted: float
    """p corrected over the rows; compared with alpha_mean."""

    method: str
    """The method of p."""

    worse: int
    """Cases with a lower mean."""

    better: int
    """Cases with a higher mean."""


@dataclass(frozen=True, slots=True)
class BreakTest:
    """The numbers of the break rule."""

    flagged: tuple[str, ...]
    """Cases that passed all of 3 or more baseline samples and failed all samples now."""

    confirmed: tuple[str, ...]
    """Flagged cases without a pass on confirmation (all flagged cases if r is 0)."""

    recovered: tuple[str, ...]
    """Flagged cases that passed on confirmation."""

    unanswered: tuple[str, ...]
    """Flagged cases with fewer than r scored confirmation samples."""

    flipped: tuple[str, ...]
    """Cases with fewer than 3 independent baseline samples that passed all of them and fail all
    now. They are listed, and never block."""

    more: int
    """r, the confirmation samples of each flagged case."""

    baseline_samples: tuple[int, ...]
    """The distinct numbers of baseline samples of the confirmed cases, ascending."""

    later_samples: tuple[int, ...]
    """The distinct numbers of failed samples of the confirmed cases, r included, ascending."""

    correlation: float
    """The correlation of samples of one run, 0..0.6: the mean of the correlations in `p`. About
    0.01 without evidence; 0 without a confirmed case. A higher correlation makes breaks weaker
    evidence."""

    p: float
    """The chance of as many confirmed breaks if nothing changed, 0..1."""

    p_adjusted: float
    """p corrected over the rows; compared with alpha_break."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The minimum detectable effect of a comparison, and what would settle it."""

    smallest_drop: float | None
    """The minimum detectable effect: the smallest true drop that the mean rule blocks with 80 %
    probability, in the row's unit; None if no drop is detectable."""

    changes_needed: int
    """The least number of changed cases, all worse, with which the mean rule can block."""

    samples: int | None
    """Samples per case, in the baseline and the run, that would settle an inconclusive row; None if
    it is settled, if samples cannot settle it, or if that is unknown from one sample per side."""

    cases: int | None
    """Further cases that would settle an inconclusive row; None if it is settled, or if samples
    would settle it."""


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The verdict of one row."""

    name: str
    """The row's name."""

    verdict: Verdict
    """regressed, passed or inconclusive."""

    rule: Rule | None
    """The rule that found the regression; None without one."""

    blocking: bool
    """Whether it fails the gate: regressed, or inconclusive under strict rules; never for an
    exploratory row."""

    exploratory: bool
    """Whether the row was not declared before the run."""

    unit: Unit
    """The unit of the numbers."""

    cases: int
    """Compared pairs, >= 0."""

    dropped: tuple[Dropped, ...]
    """Cases without a pair."""

    margin: float
    """The tolerated drop, in the row's unit."""

    worse: tuple[str, ...]
    """Cases with a lower mean, in order of their ids."""

    better: tuple[str, ...]
    """Cases with a higher mean, in order of their ids."""

    mean: MeanTest | None
    """The numbers of the mean rule; None for a noise-free row, or without pairs."""

    breaks: BreakTest | None
    """The numbers of the break rule; None for a noise-free row, for scores, or without pairs."""

    outlook: Outlook | None
    """The minimum detectable effect, and what would settle the row; None without a mean test."""

    improved: bool
    """Whether the complete interval is above 0 (for a noise-free row: D). No verdict depends on
    it."""

    sentence: str
    """The verdict in words, one or two sentences."""

    notes: tuple[str, ...]
    """Further facts, a sentence each."""

    @property
    def change(self) -> float | None:
        """D, the mean change over cases; None without a mean test."""
        return self.mean.change if self.mean else None
