"""What a statistic is: a value with its n and its interval, or its absence with the reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """A number that does not exist, and why. Never 0, NaN or -1 in its place."""

    reason: str
    """Why there is no value, as a clause that can follow "absent: "."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, what it was made from, and how far it may be off."""

    value: float
    """The point estimate, in the unit of the data (rates are 0..1)."""

    low: float | None
    """The lower end of the interval, same unit; None where `unknown` says why."""

    high: float | None
    """The upper end of the interval, same unit; None where `unknown` says why."""

    n: int
    """How many samples stand behind the value, >= 1."""

    cases: int
    """How many cases (clusters of samples) stand behind the value, 1..n."""

    confidence: float
    """The nominal coverage of (low, high), inside (0, 1)."""

    method: str
    """The procedure of the interval, in words."""

    dropped: int = 0
    """How many cases were left out because they could not give the value."""

    unknown: str | None = None
    """Why there is no interval; None where there is one."""


def two_sided(confidence: float) -> float:
    """Return the confidence of the two-sided interval whose ends are one-sided bounds at this one.

    A claim like "the rate is above 0.9, with 95 % confidence" reads the lower end of the 90 %
    interval: two_sided(0.95) is 0.90.

    Args:
        confidence: of the one-sided claim, inside (0.5, 1).

    Raises:
        ValueError: confidence is not inside (0.5, 1).
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"a one-sided confidence is inside (0.5, 1), got {confidence}")
    return 2 * confidence - 1


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is not inside (0, 1) with a ValueError."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is inside (0, 1), got {confidence}")
