"""Percentiles of clustered samples, with exact binomial bounds from their order statistics."""

from collections.abc import Sequence
from itertools import chain, pairwise
from math import asin, ceil, exp, floor, fsum, log, pi, sin
from statistics import fmean

from pytest_evals.stats.distributions import binomial_tail, normal_quantile
from pytest_evals.stats.estimate import Estimate, check_confidence
from pytest_evals.stats.quantiles import quantile

_ROUNDING = 1e-9


def estimate_percentile(
    values: Sequence[Sequence[float]], q: float, *, confidence: float = 0.95
) -> Estimate:
    """Estimate the q-quantile of all samples, with an interval clustered by case.

    The ends are order statistics: the upper end is the j-th least of n samples, with the least j
    such that n independent samples have j or more below the true quantile with a chance of at most
    (1 - confidence)/2; the lower end is its mirror image (Wilks 1948, "Order statistics"; Woodruff
    1952, "Confidence intervals for medians and other position measures"). n is the effective number
    of samples (`effective_samples`). Without such a j there is no interval: p95 with 95 %
    confidence in its upper end needs 59 samples.

    Args:
        values: the samples of each case, every case with one or more finite numbers.
        q: 0..1 (p95 is 0.95).
        confidence: inside (0, 1).

    Returns:
        The estimate in the unit of the values; without an interval for a single case, or if there
        are too few samples.

    Raises:
        ValueError: there is no case, a value is not finite, or another argument is out of range.
    """
    check_confidence(confidence)
    ordered = sorted(chain.from_iterable(values))
    value, n, cases = quantile(ordered, q), len(ordered), len(values)
    if cases == 1:
        reason = "one case does not show how much cases differ"
        return Estimate(value, None, None, n, 1, confidence, "none", 0, reason)
    effective = effective_samples(values, q)
    tail = (1 - confidence) / 2
    above, below = upper_rank(effective, q, tail), upper_rank(effective, 1 - q, tail)
    if above is None or below is None:
        reason = _too_few(q, tail, n, effective)
        return Estimate(value, None, None, n, cases, confidence, "none", 0, reason)
    low = ordered[n - _stretched(below, effective, n)]
    high = ordered[_stretched(above, effective, n) - 1]
    method = "exact order statistics on the effective sample size"
    return Estimate(value, min(low, value), max(high, value), n, cases, confidence, method)


def upper_rank(n: int, q: float, tail: float) -> int | None:
    """Return which of n ordered independent samples bounds the q-quantile from above.

    Args:
        n: the samples, >= 1.
        q: 0..1.
        tail: the chance that the bound is below the quantile, inside (0, 1).

    Returns:
        The least j in 1..n with P(Binomial(n, q) >= j) <= tail, or None if there is none.
    """
    if binomial_tail(n, n, q) > tail:
        return None
    least, greatest = 1, n
    while least < greatest:
        middle = (least + greatest) // 2
        if binomial_tail(middle, n, q) <= tail:
            greatest = middle
        else:
            least = middle + 1
    return least


def needed_samples(q: float, tail: float) -> int | None:
    """Return the fewest independent samples that bound the q-quantile on both sides.

    Args:
        q: 0..1.
        tail: the chance of an error on each side, inside (0, 1).

    Returns:
        The number, or None for an extreme (q is 0 or 1), which no sample bounds.
    """
    rarest = max(q, 1 - q)
    return None if rarest >= 1 else max(1, ceil(log(tail) / log(rarest) - _ROUNDING))


def _too_few(q: float, tail: float, n: int, effective: int) -> str:
    needed = needed_samples(q, tail)
    if needed is None:
        return "no sample bounds an extreme"
    present = "there is 1" if n == 1 else f"there are {n}"
    if effective < n:
        present = f"these {n} are worth {effective}, as samples of one case are alike"
    return f"{needed} samples are needed to bound p{100 * q:g}, and {present}"


def _stretched(rank: int, effective: int, n: int) -> int:
    """Return the rank among all n samples that matches a rank among the effective ones."""
    return min(n, ceil(rank * n / effective - _ROUNDING))


def effective_samples(values: Sequence[Sequence[float]], q: float) -> int:
    """Return how many independent samples say as much of the q-quantile as these.

    It is N / (1 + (Σn²/N - 1)·r) for cases of n samples, N in all (Kish 1965, "Survey Sampling").
    r is how alike samples of one case are in being at most the quantile, 0..1: the greater of the
    intraclass correlation seen, and of the one that the normal scores of all samples imply. The
    first one notices cases that are slow as a whole, the second one works where few samples are
    beyond the quantile. A sample without any of the rare slow cases cannot show either.

    Args:
        values: the samples of each case, every case with one or more finite numbers.
        q: 0..1.

    Returns:
        A whole number, rounded down, from 1 to all samples.
    """
    flat = list(chain.from_iterable(values))
    n = len(flat)
    if n == len(values):
        return n
    at = quantile(flat, q)
    scores = iter(normal_quantile((rank - 0.375) / (n + 0.25)) for rank in midranks(flat))
    ranked = [[next(scores) for _ in cell] for cell in values]
    within = [[float(x <= at) for x in cell] for cell in values]
    equal = min(flat) == max(flat)
    alike = 1.0 if equal else max(implied_likeness(_likeness(ranked), q), _likeness(within))
    size = sum(len(cell) ** 2 for cell in values) / n
    return max(1, floor(n / (1 + (size - 1) * min(1.0, alike)) + _ROUNDING))


def implied_likeness(correlation: float, q: float) -> float:
    """Return how correlated two normal variables are in being at most their q-quantile.

    The correlation of the two indicators, (P(both) - q²) / (q(1 - q)), as the integral of the
    bivariate normal density at the quantile over its correlation (Plackett 1954, "A reduction
    formula for normal multivariate integrals"), by Simpson's rule.

    Args:
        correlation: of the two variables; below 0 counts as 0.
        q: 0..1.

    Returns:
        A number in 0..1, the correlation itself for an extreme.
    """
    correlation = min(1.0, max(0.0, correlation))
    if not 0 < q < 1 or correlation == 1:
        return correlation
    steps, square = 64, normal_quantile(q) ** 2
    width = asin(correlation) / steps
    weights = [1, *([4, 2] * (steps // 2 - 1)), 4, 1]
    heights = [exp(-square / (1 + sin(k * width))) for k in range(steps + 1)]
    area = width / 3 * fsum(a * b for a, b in zip(weights, heights, strict=True))
    return min(1.0, area / (2 * pi * q * (1 - q)))


def _likeness(values: Sequence[Sequence[float]]) -> float:
    """Return the intraclass correlation, by the analysis of variance; 0 if all are equal.

    Fisher 1925, "Statistical methods for research workers", chapter 7, for unequal numbers.
    """
    n, cases = sum(map(len, values)), len(values)
    mean = fmean(chain.from_iterable(values))
    means = [fmean(cell) for cell in values]
    between = sum(
        len(cell) * (centre - mean) ** 2 for cell, centre in zip(values, means, strict=True)
    ) / (cases - 1)
    within = sum(
        (x - centre) ** 2 for cell, centre in zip(values, means, strict=True) for x in cell
    ) / (n - cases)
    size = (n - sum(len(cell) ** 2 for cell in values) / n) / (cases - 1)
    total = between + (size - 1) * within
    return (between - within) / total if total > 0 else 0.0


def midranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from 1; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    starts = [0] + [i + 1 for i, (a, b) in enumerate(pairwise(order)) if values[a] != values[b]]
    ranks = [0.0] * len(values)
    for start, end in pairwise([*starts, len(values)]):
        for index in order[start:end]:
            ranks[index] = (start + end + 1) / 2
    return ranks
