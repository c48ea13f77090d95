"""Percentiles, and the seeded bootstrap over cases."""

from collections.abc import Callable, Sequence
from itertools import chain
from math import floor, isfinite
from random import Random
from typing import TypeVar

from pytest_evals.stats.estimate import Absent, Estimate, check_confidence

T = TypeVar("T")


def quantile(values: Sequence[float], q: float) -> float:
    """Return the q-quantile of the values, interpolated between its two neighbours.

    Definition 7 of Hyndman and Fan 1996, "Sample quantiles in statistical packages": the value at
    index (n-1)·q of the sorted values, from 0. numpy and spreadsheets use it by default; q = 0.5 is
    the median.

    Args:
        values: one or more finite numbers, in any order.
        q: 0..1 (p95 is 0.95).

    Returns:
        A number between the least and the greatest value, in their unit.

    Raises:
        ValueError: there are no values, one is not finite, or q is not in 0..1.
    """
    if not values or not all(map(isfinite, values)):
        raise ValueError("a quantile needs one or more finite values")
    if not 0 <= q <= 1:
        raise ValueError(f"q is in 0..1, got {q}")
    ordered = sorted(values)
    place = (len(ordered) - 1) * q
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    share = place - below
    if share == 0 or ordered[below] == ordered[above]:
        return ordered[below]
    return ordered[below] * (1 - share) + ordered[above] * share


def clustered_quantile(
    values: Sequence[Sequence[float]],
    q: float,
    *,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate | Absent:
    """Return the q-quantile of all samples, with a bootstrap interval over cases.

    Args:
        values: the samples of each case; cases without samples are left out and counted.
        q: 0..1, as in `quantile`.
        confidence: inside (0, 1).
        draws: bootstrap draws, >= 100.
        seed: of the bootstrap's generator; the same seed gives the same interval.

    Returns:
        The estimate in the unit of the values, or Absent without a sample.

    Raises:
        ValueError: a value is not finite, or another argument is outside its range.
    """
    cases = [samples for samples in values if samples]
    if not cases:
        return Absent("no case has a sample")
    value = quantile(list(chain.from_iterable(cases)), q)
    interval = cluster_bootstrap(
        cases,
        lambda drawn: quantile(list(chain.from_iterable(drawn)), q),
        confidence=confidence,
        draws=draws,
        seed=seed,
    )
    return from_bootstrap(
        value,
        interval,
        n=sum(map(len, cases)),
        cases=len(cases),
        confidence=confidence,
        dropped=len(values) - len(cases),
    )


def cluster_bootstrap(
    clusters: Sequence[T],
    statistic: Callable[[list[T]], float | None],
    *,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | Absent:
    """Return the bootstrap percentile interval of a statistic over clusters.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. Complete clusters are
    drawn with replacement (Davison and Hinkley 1997, "Bootstrap Methods and their Application",
    section 3.8), so samples of one case stay together. Draws without a value are left out.

    Args:
        clusters: one entry per case.
        statistic: takes drawn clusters, returns the value, or None if it does not exist.
        confidence: inside (0, 1).
        draws: >= 100.
        seed: the same seed gives the same interval.

    Returns:
        (low, high) in the statistic's unit, or Absent with fewer than 2 clusters, or if more than a
        tenth of the draws have no value.

    Raises:
        ValueError: the confidence or the number of draws is outside its range.
    """
    check_confidence(confidence)
    if draws < 100:
        raise ValueError(f"a bootstrap interval needs 100 draws or more, got {draws}")
    if len(clusters) < 2:
        return Absent("one case does not show how much cases differ")
    rng = Random(seed)  # noqa: S311 - a repeatable draw, no secret
    values = [
        value
        for _ in range(draws)
        if (value := statistic(rng.choices(clusters, k=len(clusters)))) is not None
    ]
    if len(values) < 0.9 * draws:
        return Absent("too many bootstrap draws have no value")
    tail = (1 - confidence) / 2
    return quantile(values, tail), quantile(values, 1 - tail)


def from_bootstrap(
    value: float,
    interval: tuple[float, float] | Absent,
    *,
    n: int,
    cases: int,
    confidence: float,
    dropped: int = 0,
) -> Estimate:
    """Return the Estimate of a value and its bootstrap interval, which may be absent.

    Args:
        value: the point estimate.
        interval: the result of `cluster_bootstrap`.
        n: samples of the value.
        cases: cases of the value.
        confidence: of the interval.
        dropped: cases left out.
    """
    if isinstance(interval, Absent):
        return Estimate(value, None, None, n, cases, confidence, "none", dropped, interval.reason)
    low, high = interval
    return Estimate(value, low, high, n, cases, confidence, "bootstrap by case", dropped)
