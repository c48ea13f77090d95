"""The paired sign-flip test: is the sum of the changes of all cases more extreme than by chance?

If nothing changed, each case's change is as likely to have the other sign. The p-value is the share
of the 2^m signings of the m non-zero changes with a sum as extreme as the observed one (Fisher
1935, "The Design of Experiments", section 21; Pitman 1937, "Significance tests which may be applied
to samples from any populations"). With one binary sample per side it is the exact McNemar test
(McNemar 1947, "Note on the sampling error of the difference between correlated proportions").
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, isfinite
from operator import add
from random import Random

_EXACT_COST = 3e8
_EXACT_REAL = 26
_DRAWN = "sign-flip, {draws:,} seeded draws"


@dataclass(frozen=True, slots=True)
class SignFlip:
    """The one-sided result of a sign-flip test."""

    p: float
    """The chance of a sum this low or lower if nothing changed, in (0, 1]."""

    method: str
    """The computation of p: exact, or the number of seeded draws."""

    worse: int
    """The number of negative changes."""

    better: int
    """The number of positive changes."""


def sign_flip(
    changes: Sequence[int] | Sequence[float], *, draws: int = 9999, seed: int = 0
) -> SignFlip:
    """Test for a drop, one-sided. To test for a rise, pass the negated changes.

    The test is exact for pass counts at nearly any number of cases, and for up to 26 non-zero real
    changes. Otherwise it uses `draws` seeded random signings, with p = (1 + as extreme) /
    (1 + draws) (Phipson and Smyth 2010, "Permutation p-values should never be zero"). Real sums
    closer than 1e-9 of the total size count as equal.

    Args:
        changes: one finite number per case; all integers for the exact test of counts.
        draws: sign flips to draw if the exact test is too expensive, >= 100.
        seed: of these draws; the same seed gives the same p.

    Returns:
        p in (0, 1], its method, and the numbers of worse and better cases.

    Raises:
        ValueError: a change is not finite, or too few draws.
    """
    if draws < 100:
        raise ValueError(f"a permutation test needs 100 draws or more, got {draws}")
    if not all(map(isfinite, changes)):
        raise ValueError("changes must be finite")
    moved = [change for change in changes if change]
    better = sum(change > 0 for change in moved)
    worse = len(moved) - better
    p, method = _p_value(moved, better, draws, seed)
    return SignFlip(p, method, worse, better)


def _p_value(moved: Sequence[float], better: int, draws: int, seed: int) -> tuple[float, str]:
    if not moved:
        return 1.0, "sign-flip, exact"
    sizes = {abs(change) for change in moved}
    if len(sizes) == 1:
        return _binomial_half(better, len(moved)), "sign-flip, exact (McNemar)"
    if all(isinstance(change, int) for change in moved):
        integers = [int(change) for change in moved]
        if _exact_cost(integers) <= _EXACT_COST:
            return _exact_whole(integers), "sign-flip, exact"
    if len(moved) <= _EXACT_REAL:
        return _exact_real(moved), "sign-flip, exact"
    return _drawn(moved, draws, seed), _DRAWN.format(draws=draws)


def _binomial_half(k: int, n: int) -> float:
    """P(X <= k), X ~ Binomial(n, 1/2), by exact integers."""
    if 2 * k >= n:
        return 1.0 if k == n else 1 - _binomial_half(n - k - 1, n)
    term = total = 1
    for j in range(k):
        term = term * (n - j) // (j + 1)
        total += term
    return total / (1 << n)


def _reduced(changes: Sequence[int]) -> tuple[list[int], int, int]:
    """Divide by the common divisor; return sizes, their total, and the sum of positive ones."""
    divisor = gcd(*changes)
    sizes = [abs(change) // divisor for change in changes]
    up = sum(change // divisor for change in changes if change > 0)
    return sizes, sum(sizes), up


def _exact_cost(changes: Sequence[int]) -> float:
    """Estimate the bytes that `_exact_whole` touches."""
    sizes, total, up = _reduced(changes)
    return len(sizes) ** 2 * (min(up, total - up) + 1) / 8


def _exact_whole(changes: Sequence[int]) -> float:
    """Count the signings exactly, with the generating function of the sizes as one big integer.

    The coefficient of x^t in the product of (1 + x^size) counts the signings with positive changes
    of sum t. Coefficients are slots of m+1 bits, which cannot overflow. One remainder sums the
    slots up to t (a digit sum in base 2^(m+1)).
    """
    sizes, total, up = _reduced(changes)
    if 2 * up >= total:  # the distribution is symmetric: count the smaller tail
        return 1.0 if up == total else 1 - _share_up_to(total - up - 1, sizes)
    return _share_up_to(up, sizes)


def _share_up_to(up: int, sizes: Sequence[int]) -> float:
    m = len(sizes)
    slot = m + 1
    kept = (1 << (up + 1) * slot) - 1
    ways = 1
    for size in sizes:
        ways = (ways + (ways << size * slot)) & kept
    return (ways % ((1 << slot) - 1)) / (1 << m)


def _exact_real(changes: Sequence[float]) -> float:
    """Count the signings exactly by meeting in the middle (Horowitz and Sahni 1974)."""
    bar = sum(changes) + 1e-9 * sum(map(abs, changes))
    half = len(changes) // 2
    left = _signed_sums(changes[:half])
    right = sorted(_signed_sums(changes[half:]))
    return sum(bisect_right(right, bar - partial) for partial in left) / (1 << len(changes))


def _signed_sums(changes: Sequence[float]) -> list[float]:
    sums = [0.0]
    for change in changes:
        sums = [s - change for s in sums] + [s + change for s in sums]
    return sums


def _drawn(changes: Sequence[float], draws: int, seed: int) -> float:
    """Draw signings eight cases at a time: a random byte selects one of a table's 256 sums.

    All draws use one table before the next, so that the table stays in the processor's cache.
    """
    bar = sum(changes) + 1e-9 * sum(map(abs, changes))
    rng = Random(seed)  # noqa: S311 - a repeatable draw, no secret
    sums = [0.0] * draws
    for i in range(0, len(changes), 8):
        table = _signed_sums(changes[i : i + 8])
        table *= 256 // len(table)
        sums = list(map(add, sums, map(table.__getitem__, rng.randbytes(draws))))
    return (1 + sum(drawn <= bar for drawn in sums)) / (1 + draws)


def fewest_changes(alpha: float) -> int:
    """Return the least number of changed cases, all worse, with which p can reach alpha.

    With m changes the least p is 2^-m.

    Args:
        alpha: inside (0, 1).

    Returns:
        m, >= 1.

    Raises:
        ValueError: alpha is not inside (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1 (exclusive), got {alpha}")
    m = 1
    while 0.5**m > alpha:
        m += 1
    return m


def mcnemar(worse: int, better: int) -> float:
    """Return the one-sided exact McNemar p-value: P(X <= better), X ~ Binomial(both, 1/2).

    Args:
        worse: pairs that passed before and fail now, >= 0.
        better: pairs that failed before and pass now, >= 0.

    Returns:
        A probability in (0, 1].

    Raises:
        ValueError: a count is negative.
    """
    if worse < 0 or better < 0:
        raise ValueError(f"counts must be >= 0, got {worse} and {better}")
    return _binomial_half(better, worse + better)
