"""Estimate: a value with n and interval. Absent: a value that does not exist, with the reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """A number that does not exist, with the reason; never 0, NaN or -1."""

    reason: str
    """Why there is no value, as a clause that can follow "absent: "."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its samples and its interval."""

    value: float
    """The point estimate, in the unit of the data (rates are 0..1)."""

    low: float | None
    """The lower end of the interval, same unit; None without one, with the reason in `unknown`."""

    high: float | None
    """The upper end of the interval, same unit; None without one, with the reason in `unknown`."""

    n: int
    """The samples of the value, >= 1."""

    cases: int
    """The cases (clusters of samples) of the value, 1..n."""

    confidence: float
    """The nominal coverage of (low, high), inside (0, 1)."""

    method: str
    """The method of the interval, in words."""

    dropped: int = 0
    """Cases left out, as they have no value."""

    unknown: str | None = None
    """Why there is no interval; None if there is one."""


def two_sided(confidence: float) -> float:
    """Return the two-sided confidence that matches a one-sided one: 2·confidence - 1.

    The claim "the rate is above 0.9, with 95 % confidence" uses the lower end of the 90 % interval:
    two_sided(0.95) is 0.90.

    Args:
        confidence: of the one-sided claim, inside (0.5, 1).

    Returns:
        The confidence of the two-sided interval, inside (0, 1).

    Raises:
        ValueError: confidence is not inside (0.5, 1).
    """
    if not 0.5 < confidence < 1:
        raise ValueError(
            f"a one-sided confidence must be between 0.5 and 1 (exclusive), got {confidence}"
        )
    return 2 * confidence - 1


def check_confidence(confidence: float) -> None:
    """Raise ValueError for a confidence that is not inside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence must be between 0 and 1 (exclusive), got {confidence}")
