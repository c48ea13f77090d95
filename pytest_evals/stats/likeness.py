"""Are the samples of one run more alike than those of two runs?

The break rule takes samples as independent draws. Where a run has a mood of its own (a shared
cache, one server's rounding), the samples of a case agree within each run and differ between runs,
and whole flips happen by themselves. Such a mood shows in the cases that did *not* flip: given a
case's passes in both runs together, independence makes those of one run hypergeometric, so the
squared changes have known moments. Where they exceed it, the chances of the break rule
are taken from the beta-binomial distribution with the correlation that the excess implies.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, comb, exp, lgamma, log, sqrt
from operator import mul

Cell = tuple[int, int, int, int]
"""(passes before, samples before, passes now, samples now) of one case."""

_ALARM = 1.0364333894937898  # the 85 % quantile of the normal distribution
_MOST = 0.95
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class _Moments:
    """What independence expects of one case's squared change."""

    mean: float
    variance: float
    third: float
    within: float
    size: float


def correlation(cells: Iterable[Cell]) -> float:
    """Return the correlation of samples within a run that the data give away, 0 if they do not.

    The homogeneity statistic is the sum of squared changes over all cases but flips and near flips,
    which are what the break rule is about; its moments are those of the hypergeometric distribution
    without these outcomes. Up to its 85 % point (by the expansion of Cornish and Fisher 1938, for
    skewness) the samples count as independent. Above, the correlation is the one whose expected
    statistic is the one seen. Both choices were made by simulation: a correlation of 0.2 must not
    block harmless changes, nor may the caution cost real breaks.

    Args:
        cells: one per compared case, 0 <= passes <= samples, samples >= 1.

    Returns:
        0.0, or a correlation in (0, 0.95].
    """
    seen = mean = variance = third = within = size = informative = 0.0
    for (b, a, w, n), times in Counter(cells).items():
        if not 0 < b + w < a + n or _near_flip(b, a, w, n):
            continue
        expected = _moments(a, n, b + w)
        seen += times * (w / n - b / a) ** 2
        mean += times * expected.mean
        variance += times * expected.variance
        within += times * expected.within
        size += times * expected.size
        third += times * expected.third
        informative += times
    if variance < _NOTHING:
        return 0.0
    alarm = _ALARM + (_ALARM**2 - 1) / 6 * third / variance**1.5
    if seen - mean <= alarm * sqrt(variance):
        return 0.0
    excess = seen / mean
    within, size = within / informative, size / informative
    found = size * (excess - 1) / (max(0.0, 2 - size) + excess * size * within)
    return min(_MOST, ceil(100 * found) / 100)


def _near_flip(b: int, a: int, w: int, n: int) -> bool:
    """Whether all pass on one side and none on the other, but for at most one of 3 or more."""
    spare = 1 if min(a, n) >= 3 else 0
    return (not w and b >= a - spare) or (not b and w >= n - spare)


@lru_cache(maxsize=65536)
def _moments(a: int, n: int, passes: int) -> _Moments:
    """Describe the squared change of a case with this many passes in its a + n samples."""
    weights, values = [], []
    for w in range(max(0, passes - a), min(passes, n) + 1):
        b = passes - w
        if not _near_flip(b, a, w, n):
            weights.append(comb(n, w) * comb(a, b))
            values.append((w / n - b / a) ** 2)
    total = sum(weights)
    if not total:
        return _Moments(0.0, 0.0, 0.0, 0.0, 0.0)
    shares = [weight / total for weight in weights]
    mean = sum(map(mul, shares, values))
    off = [value - mean for value in values]
    variance = sum(share * d**2 for share, d in zip(shares, off, strict=True))
    third = sum(share * d**3 for share, d in zip(shares, off, strict=True))
    both = a + n
    within = (a * (a - 1) + n * (n - 1)) / (both * (both - 1))
    return _Moments(mean, variance, third, within, 1 / a + 1 / n)


@lru_cache(maxsize=65536)
def flip_chance(a: int, m: int) -> float:
    """Return the greatest chance, over all pass rates, of a passes and then m failures.

    Args:
        a: samples that all passed, >= 1.
        m: later samples that all failed, >= 1.

    Raises:
        ValueError: a count is less than 1.
    """
    if a < 1 or m < 1:
        raise ValueError(f"both counts must be 1 or more, got {a} and {m}")
    return exp(a * log(a) + m * log(m) - (a + m) * log(a + m))


@lru_cache(maxsize=65536)
def correlated_flip_chance(a: int, m: int, rho: float) -> float:
    """Return the greatest chance of a passes in one run and m failures in another.

    As `flip_chance`, with samples that have the correlation rho within a run: each run's pass rate
    is a beta variable around the case's, so its passes are beta-binomial (Skellam 1948).

    Args:
        a: samples of the first run, which all passed, >= 1.
        m: samples of the second run, which all failed, >= 1.
        rho: the correlation, 0 <= rho < 1.

    Raises:
        ValueError: a count is less than 1, or rho is outside its range.
    """
    if not 0 <= rho < 1:
        raise ValueError(f"a correlation is in 0..1, below 1, got {rho}")
    if not rho:
        return flip_chance(a, m)
    if a < 1 or m < 1:
        raise ValueError(f"both counts must be 1 or more, got {a} and {m}")
    weight = (1 - rho) / rho
    low, high = 0.0, 1.0
    for _ in range(60):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _flip(left, a, m, weight) < _flip(right, a, m, weight):
            low = left
        else:
            high = right
    return exp(_flip((low + high) / 2, a, m, weight))


def _flip(rate: float, a: int, m: int, weight: float) -> float:
    """Return the log of the chance of a flip at this pass rate."""
    yes, no = rate * weight, (1 - rate) * weight
    return (
        lgamma(yes + a) - lgamma(yes) + lgamma(no + m) - lgamma(no)
        + 2 * lgamma(weight) - lgamma(weight + a) - lgamma(weight + m)
    )  # fmt: skip
