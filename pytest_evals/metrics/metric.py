"""Metric: a number about many trials, with its n, its interval, or the reason why it is absent."""

from collections.abc import Callable
from math import inf
from typing import Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.plain_text import FEWEST_CASES

Unit = Literal["rate", "score", "s", "tokens", "USD"]
"""The unit of a metric: a share in 0..1, a score in its scorer's range, seconds, tokens, USD."""


_RANGES: dict[Unit, tuple[float, float]] = {
    "rate": (0.0, 1.0),
    "score": (-inf, inf),
    "s": (0.0, inf),
    "tokens": (0.0, inf),
    "USD": (0.0, inf),
}


def shown_interval(
    low: float | None, high: float | None, unit: Unit, *, is_change: bool = False
) -> tuple[float, float] | None:
    """Return the ends of an interval as reports show them: inside the range of the quantity.

    A normal approximation can exceed that range. No number changes: a gate reads the interval as
    computed.

    Args:
        low: the lower end; None without an interval.
        high: the upper end; None without an interval.
        unit: the unit of the quantity.
        is_change: whether the interval is that of a change, -1..1 for rates.

    Returns:
        (low, high) in the unit, or None without an interval.
    """
    if low is None or high is None:
        return None
    least, greatest = _RANGES[unit]
    if is_change:
        least = -greatest
    return max(least, low), min(greatest, high)


TOO_FEW = "too few"
"""What is shown instead of an interval of fewer cases."""


def interval_text(
    low: float | None,
    high: float | None,
    unit: Unit,
    cases: int,
    write: Callable[[float], str],
    *,
    is_change: bool = False,
    joint: str = " to ",
) -> str:
    """Return an interval as every report shows it.

    Args:
        low: the lower end; None without an interval.
        high: the upper end; None without an interval.
        unit: the unit of the quantity.
        cases: of the value; 0 without a value.
        write: formats an end.
        is_change: whether the interval is that of a change, -1..1 for rates.
        joint: the text between the ends.

    Returns:
        Both ends inside the range of the quantity; `TOO_FEW` with fewer than `FEWEST_CASES` cases;
        empty without an interval.
    """
    if 0 < cases < FEWEST_CASES:
        return TOO_FEW
    ends = shown_interval(low, high, unit, is_change=is_change)
    return "" if ends is None else joint.join(map(write, ends))


class Slice(Frozen):
    """A part of the cases: those that share a tag or a metadata value, or a single case."""

    key: str
    """``tag``, ``case``, or a metadata key (``metadata.tag`` for a metadata key named ``tag``)."""
    value: str
    """The tag, the case's id, or the metadata value as text (JSON if it is no string)."""

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Metric(Frozen):
    """One number over the trials of one model, or the reason why it is absent."""

    metric: str
    """The metric's name as in gates: ``pass@1``, ``pass^3 of tone``, ``p95(latency_s)``."""
    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    slice: Slice | None = None
    """The slice of cases; None is all."""
    value: float | None = None
    """The point estimate in its unit; None if it is absent, with the reason in `absent`."""
    n: int = 0
    """Samples of the value; 0 if it is absent."""
    cases: int = 0
    """Cases (clusters of samples) of the value."""
    low: float | None = None
    """The lower end of the interval; None without an interval, with the reason in `unknown`."""
    high: float | None = None
    """The upper end of the interval; None without an interval, with the reason in `unknown`."""
    confidence: float = 0.95
    """The nominal coverage of (low, high), inside (0, 1)."""
    method: str = ""
    """The method of the interval; empty without an interval."""
    unit: Unit = "rate"
    """The unit of the value."""
    better: Literal["higher", "lower"] = "higher"
    """Whether higher or lower values are better."""
    absent: str | None = None
    """Why there is no value; None if there is one."""
    unknown: str | None = None
    """Why there is no interval; None if there is one."""
    dropped: int = 0
    """Cases left out, as they have no value."""


class Confusion(Frozen):
    """The confusion matrix of one scorer under one model, with its metrics."""

    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    scorer: str
    """The scorer's name in reports."""
    labels: tuple[str, ...]
    """The classes of rows and columns, sorted."""
    counts: tuple[tuple[int, ...], ...]
    """counts[i][j]: trials with true label i and predicted label j."""
    unread: tuple[int, ...] = ()
    """unread[i]: trials with true label i and an answer without a label."""
    metrics: tuple[Metric, ...] = Field(default=())
    """Accuracy and macro-F1, then precision, recall and F1 of each label, with intervals."""

    @property
    def n(self) -> int:
        """The number of trials."""
        return sum(map(sum, self.counts)) + sum(self.unread)
