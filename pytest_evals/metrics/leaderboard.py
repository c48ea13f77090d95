"""Leaderboard: models or runs ranked by weighted scores.

A row that lacks a scorer, or a score of a case that others have, is incomplete and has no rank:
leaving out hard cases must not help. An option ranks such rows by the scores they have.
"""

from dataclasses import dataclass

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.trial_table import TrialTable

PASSES = "pass@1"
"""The name of the weight of outcomes."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """The trials of one row."""

    name: str
    """The name of the row: a model, or a run and a model."""
    table: TrialTable
    model: str


class WeightedScore(Frozen):
    """One weighted score of a row."""

    value: float | None = None
    """The mean over cases; None if no case has this score."""
    cases: int = 0
    """Cases of the mean."""
    weight: float
    """The weight as counted, 0..1."""


class LeaderboardRow(Frozen):
    """One row of a leaderboard."""

    name: str
    """The name of the row."""
    rank: int | None = None
    """1 is best, equal values share a rank; None if the row is incomplete."""
    value: float | None = None
    """The weighted mean of the scores; None if one of them does not exist."""
    low: float | None = None
    """The lower end of its interval; None without an interval."""
    high: float | None = None
    """The upper end of its interval; None without an interval."""
    n: int = 0
    """Scored samples."""
    cases: int = 0
    """Cases with a score."""
    parts: dict[str, WeightedScore] = Field(default_factory=dict)
    """The scores by name."""
    incomplete: str | None = None
    """Why it has no rank; None if it has one."""
    renormalised: bool = False
    """Whether weights of missing scores were added to the others."""
    cost_usd: float | None = None
    """Mean USD per trial; None if unknown."""
    latency_s: float | None = None
    """Mean seconds per trial; None if unknown."""
    p95_latency_s: float | None = None
    """The 95th percentile of seconds per trial; None if unknown."""
    errored: int = 0
    """Trials without an answer or a score."""
    front: bool = False
    """Whether the row is on the Pareto front: no ranked row is as good and cheaper, or better and
    as cheap."""
    tied: tuple[str, ...] = ()
    """Rows with the same value."""
    overlaps: tuple[str, ...] = ()
    """Rows with an overlapping interval."""
    p_first: float | None = None
    """The p-value of no difference from the first row, paired by case and corrected over the rows;
    None for the first row and for rows without a rank."""


class Leaderboard(Frozen):
    """Rows, the best first, incomplete ones last."""

    dataset: str
    weights: dict[str, float]
    """The weights by score, normalised to a sum of 1."""
    confidence: float = 0.95
    """The confidence of the intervals."""
    rows: tuple[LeaderboardRow, ...] = ()
    notes: tuple[str, ...] = ()
    """Further facts, a sentence each."""
