"""Metric: a number about many trials, with its n, its interval, or the reason why it is absent."""

from typing import Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen

Unit = Literal["rate", "score", "s", "tokens", "USD"]
"""What a metric's value is: a share of 0..1, a score as its scorer gives it, seconds, tokens,
dollars."""


class Slice(Frozen):
    """A part of the cases: those that share a tag, a metadata value, or one case alone."""

    key: str
    """``tag``, ``case``, or a metadata key (``metadata.KEY`` where a key is called as these)."""
    value: str
    """The tag, the case's id, or the metadata value as text (JSON where it is no text)."""

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Metric(Frozen):
    """One number about the trials of one model, or why there is none."""

    metric: str
    """Its name as gates write it: ``pass@1``, ``pass^3 of tone``, ``p95(latency_s)``."""
    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    slice: Slice | None = None
    """Which cases; None is all of them."""
    value: float | None = None
    """The point estimate in its unit; None where `absent` says why. Never 0 or 1 in its place."""
    n: int = 0
    """Samples behind the value; 0 where there is none."""
    cases: int = 0
    """Cases (clusters of samples) behind the value."""
    low: float | None = None
    """The lower end of the interval; None where `unknown` says why, or there is no value."""
    high: float | None = None
    """The upper end of the interval; None where `unknown` says why, or there is no value."""
    confidence: float = 0.95
    """The nominal coverage of (low, high), inside (0, 1)."""
    method: str = ""
    """How the interval was made; empty where there is none."""
    unit: Unit = "rate"
    """What the value is."""
    better: Literal["higher", "lower"] = "higher"
    """Which way is good."""
    absent: str | None = None
    """Why there is no value; None where there is one."""
    unknown: str | None = None
    """Why there is no interval; None where there is one."""
    dropped: int = 0
    """Cases left out because they could not give the value."""


class Confusion(Frozen):
    """The confusion matrix of one scorer under one model, with what follows from it."""

    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    scorer: str
    """The scorer, as reports call it."""
    labels: tuple[str, ...]
    """The classes, which rows and columns stand for, sorted."""
    counts: tuple[tuple[int, ...], ...]
    """counts[i][j]: trials whose true label is i and that were given label j."""
    unread: tuple[int, ...] = ()
    """unread[i]: trials whose true label is i and whose answer names no label."""
    metrics: tuple[Metric, ...] = Field(default=())
    """Accuracy and macro-F1, then precision, recall and F1 of each label, with intervals."""

    @property
    def n(self) -> int:
        """The trials in it."""
        return sum(map(sum, self.counts)) + sum(self.unread)
