"""Leaderboard: models or runs ranked by weighted scores, with what a rank hides. Pure.

A row that lacks a scorer, or has no score for a case that others have, is incomplete and has no
rank: leaving out what is hard must not help. Renormalising over what is there only when asked.
"""

from dataclasses import dataclass

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.trial_table import TrialTable

PASSES = "pass@1"
"""The weight's name of what became of the trials."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """One row's trials."""

    name: str
    """What the row is called: a model, or a run and a model."""
    table: TrialTable
    model: str


class WeightedScore(Frozen):
    """One weighted score of a row."""

    value: float | None = None
    """The mean over cases; None where nothing has this score."""
    cases: int = 0
    """Cases behind it."""
    weight: float
    """Its share, 0..1, as it was counted."""


class LeaderboardRow(Frozen):
    """One row of a leaderboard."""

    name: str
    """What it is called."""
    rank: int | None = None
    """1 is best, equal values share a rank; None where the row is incomplete."""
    value: float | None = None
    """The weighted mean of the scores; None where one of them does not exist."""
    low: float | None = None
    """The lower end of its interval; None where there is none."""
    high: float | None = None
    """The upper end of its interval; None where there is none."""
    n: int = 0
    """Scored samples."""
    cases: int = 0
    """Cases with a score."""
    parts: dict[str, WeightedScore] = Field(default_factory=dict)
    """The scores by name."""
    incomplete: str | None = None
    """Why it has no rank; None where it has one."""
    renormalised: bool = False
    """Whether weights of missing scores went to the others."""
    cost_usd: float | None = None
    """Mean USD a trial; None where unknown."""
    latency_s: float | None = None
    """Mean seconds a trial; None where unknown."""
    p95_latency_s: float | None = None
    """Seconds that 95 % of trials stay within; None where unknown."""
    errored: int = 0
    """Trials without an answer or a score."""
    front: bool = False
    """Whether no other ranked row is both as good and cheaper, or better and as cheap."""
    tied: tuple[str, ...] = ()
    """Rows with the same value."""
    overlaps: tuple[str, ...] = ()
    """Rows whose intervals overlap with this one's."""
    p_first: float | None = None
    """The p-value, paired by case and corrected over the rows, of no difference from the first;
    None for the first itself and for rows without a rank."""


class Leaderboard(Frozen):
    """Rows, the best first; incomplete ones at the end."""

    dataset: str
    weights: dict[str, float]
    """The weights by score, as given, made to add up to 1."""
    confidence: float = 0.95
    """Of the intervals."""
    rows: tuple[LeaderboardRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know, a sentence each."""
