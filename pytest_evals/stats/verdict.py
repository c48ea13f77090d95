"""The result of comparing one row: a verdict and every number behind it."""

from dataclasses import dataclass
from typing import Literal

from pytest_evals.stats.rows import Dropped

Verdict = Literal["regressed", "passed", "inconclusive"]
"""Worse for sure; not worse than the margin allows for sure; neither."""

Rule = Literal["break", "mean", "noise-free"]
"""Which rule says that a row regressed."""

Unit = Literal["passes", "score"]
"""What a row's numbers are: pass rates (shown in points of 100) or scores (shown as they are)."""


@dataclass(frozen=True, slots=True)
class ConfirmPlan:
    """Which cases of a row to ask again, and how often; fixed before any answer is drawn."""

    row: str
    """The row's name."""

    cases: tuple[str, ...]
    """The flagged cases to ask again, in order of their ids; empty where none is to be asked."""

    n: int
    """How many more samples of each of these cases to draw, >= 0. A case may be left alone after
    its first pass: it is no break then."""

    reason: str | None
    """Why flagged cases are not asked; None where they are, or where none is flagged."""


@dataclass(frozen=True, slots=True)
class MeanTest:
    """The mean rule's numbers."""

    change: float
    """D: the mean over cases of (mean now - mean in the baseline); rates -1..1, else the score's
    unit."""

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
    """How p was computed."""

    worse: int
    """Cases whose mean fell."""

    better: int
    """Cases whose mean rose."""


@dataclass(frozen=True, slots=True)
class BreakTest:
    """The break rule's numbers."""

    flagged: tuple[str, ...]
    """Cases that passed all of 3 or more baseline samples and failed all samples now."""

    confirmed: tuple[str, ...]
    """Flagged cases that did not pass when asked again either (all flagged ones when r is 0)."""

    recovered: tuple[str, ...]
    """Flagged cases that passed when asked again."""

    unanswered: tuple[str, ...]
    """Flagged cases that were not asked again, or gave fewer than r scored answers."""

    flipped: tuple[str, ...]
    """Cases that passed all of their fewer than 3 independent baseline samples and fail all now.
    Listed; they never block."""

    more: int
    """r, the confirmation samples of each flagged case."""

    baseline_samples: tuple[int, ...]
    """The different numbers of baseline samples of the confirmed cases, ascending."""

    later_samples: tuple[int, ...]
    """The different numbers of failed samples of the confirmed cases, r included, ascending."""

    correlation: float
    """How alike the samples of one run look, 0..0.6: the mean of the correlations that `p` reckons
    with. About 0.01 where nothing is seen either way; 0 where nothing is confirmed. The higher, the
    less a break counts."""

    p: float
    """The chance of so many confirmed breaks if nothing changed, 0..1."""

    p_adjusted: float
    """p corrected over the rows; compared with alpha_break."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What this comparison could have seen, and what would settle it."""

    smallest_drop: float | None
    """The smallest true drop that the mean rule would have blocked with 80 % chance, in the row's
    unit; None where no drop could have been seen."""

    changes_needed: int
    """How many cases must change, all for the worse, before the mean rule can block."""

    samples: int | None
    """Samples per case, in the baseline and the run, that would settle an inconclusive row; None
    where it is settled, samples cannot settle it, or one sample a side does not tell."""

    cases: int | None
    """How many more cases would settle an inconclusive row; None where it is settled or samples
    do."""


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The verdict on one row."""

    name: str
    """The row's name."""

    verdict: Verdict
    """regressed, passed or inconclusive."""

    rule: Rule | None
    """Which rule found the regression; None where there is none."""

    blocking: bool
    """Whether it fails the gate: regressed, or inconclusive under strict rules; never where the
    row is exploratory."""

    exploratory: bool
    """Whether the row was not declared before the run."""

    unit: Unit
    """What the numbers are."""

    cases: int
    """Pairs compared, >= 0."""

    dropped: tuple[Dropped, ...]
    """Cases without a partner."""

    margin: float
    """The drop that was tolerated, in the row's unit."""

    worse: tuple[str, ...]
    """Cases whose mean fell, in order of their ids."""

    better: tuple[str, ...]
    """Cases whose mean rose, in order of their ids."""

    mean: MeanTest | None
    """The mean rule's numbers; None for a noise-free row or one without pairs."""

    breaks: BreakTest | None
    """The break rule's numbers; None for a noise-free row, scores, or no pairs."""

    outlook: Outlook | None
    """What could have been seen; None where there is no mean test."""

    improved: bool
    """Whether the whole interval lies above 0 (for a noise-free row: D itself). No verdict rests
    on it."""

    sentence: str
    """The verdict in words, one or two sentences."""

    notes: tuple[str, ...]
    """What else a reader should know, a sentence each."""

    @property
    def change(self) -> float | None:
        """D, the mean change over cases; None where there is no mean test."""
        return self.mean.change if self.mean else None
