"""Intervals for rates and means; the samples of one case are one cluster."""

from collections.abc import Sequence
from math import isfinite, sqrt
from statistics import fmean, variance
from typing import NamedTuple

from pytest_evals.stats.distributions import beta_quantile, normal_quantile, t_quantile
from pytest_evals.stats.estimate import Absent, Estimate, check_confidence


class Counts(NamedTuple):
    """How often a case passed in its scored samples."""

    passes: int
    """0..n."""

    n: int
    """Scored samples, >= 1."""


def wilson(passes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """Return a pass rate with Wilson's score interval, for independent samples.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        passes: 0..n.
        n: independent samples, >= 1.
        confidence: inside (0, 1).

    Returns:
        The estimate passes/n with its interval in 0..1.

    Raises:
        ValueError: the counts are impossible or the confidence is not inside (0, 1).
    """
    check_counts(passes, n)
    check_confidence(confidence)
    low, high = wilson_bounds(passes / n, n, normal_quantile((1 + confidence) / 2))
    return Estimate(passes / n, low, high, n, n, confidence, "Wilson")


def wilson_bounds(rate: float, n: float, z: float) -> tuple[float, float]:
    """Return the ends of the score interval around a rate.

    Args:
        rate: the observed rate, 0..1.
        n: the (effective) number of samples, > 0, also fractional.
        z: the quantile, normal or t, >= 0.

    Returns:
        (low, high), 0 <= low <= rate <= high <= 1.
    """
    z2 = z * z
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


def clopper_pearson(passes: int, n: int, *, confidence: float = 0.95) -> Estimate:
    """Return a pass rate with the exact interval, which covers at least `confidence`.

    Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of
    the binomial".

    Args:
        passes: 0..n.
        n: independent samples, >= 1.
        confidence: inside (0, 1).

    Returns:
        The estimate passes/n with its interval in 0..1.

    Raises:
        ValueError: the counts are impossible or the confidence is not inside (0, 1).
    """
    check_counts(passes, n)
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, passes, n - passes + 1) if passes else 0.0
    high = beta_quantile(1 - tail, passes + 1, n - passes) if passes < n else 1.0
    return Estimate(passes / n, low, high, n, n, confidence, "Clopper-Pearson")


def clustered_rate(
    counts: Sequence[tuple[int, int]], *, confidence: float = 0.95
) -> Estimate | Absent:
    """Return the mean of the cases' pass rates, with an interval clustered by case.

    The interval is Wilson's, with a t quantile on C-1 degrees of freedom and the effective sample
    size m(1-m)·C/s², limited to [C/2, samples]. Here m is the mean of the C rates and s² their
    variance (after Kish 1965, "Survey Sampling", and Korn and Graubard 1998, "Confidence intervals
    for proportions with small expected number of positive counts estimated from survey data"). If
    m is 0 or 1, s² is 0 and the effective size is C. With one sample per case, or with one case, it
    is plain Wilson; for one case the interval describes that case only.

    Args:
        counts: (passes, n) of each case, 0 <= passes <= n, n >= 1.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, or Absent without a case.

    Raises:
        ValueError: counts are impossible or the confidence is not inside (0, 1).
    """
    check_confidence(confidence)
    for passes, n in counts:
        check_counts(passes, n)
    cases = len(counts)
    if not cases:
        return Absent("no case has a scored sample")
    samples = sum(n for _, n in counts)
    if cases in {1, samples}:
        pooled = wilson(sum(passes for passes, _ in counts), samples, confidence=confidence)
        method = "Wilson" if cases == samples else "Wilson on the samples of one case"
        return Estimate(pooled.value, pooled.low, pooled.high, samples, cases, confidence, method)
    rates = [passes / n for passes, n in counts]
    mean = min(1.0, fmean(rates))
    effective = _effective_samples(mean, variance(rates), cases, samples)
    low, high = wilson_bounds(mean, effective, t_quantile((1 + confidence) / 2, cases - 1))
    method = "Wilson on the effective sample size, t quantile"
    return Estimate(mean, low, high, samples, cases, confidence, method)


def _effective_samples(mean: float, spread: float, cases: int, samples: int) -> float:
    if mean in {0, 1}:
        return cases
    if spread == 0:
        return samples
    return min(max(mean * (1 - mean) * cases / spread, cases / 2), samples)


def clustered_mean(
    values: Sequence[Sequence[float]],
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Estimate | Absent:
    """Return the mean of the cases' means, with the clustered standard error and a t quantile.

    The interval is m ∓ t·s/√C on C-1 degrees of freedom; s² is the variance between the C case
    means. That is the cluster-robust standard error of a mean of equal clusters (Miller 2024,
    "Adding error bars to evals", arXiv 2411.00640). If all case means are equal, s² = 0 would claim
    certainty: then the interval is Wilson's on C within `bounds`, or absent without bounds.

    Args:
        values: the scores of each case, every case with one or more finite numbers.
        confidence: inside (0, 1).
        bounds: the least and the greatest possible score, if any; they limit the interval.

    Returns:
        The estimate in the unit of the scores, or Absent without a case.

    Raises:
        ValueError: a case is empty, a score is not finite or out of bounds, bounds are not
            ascending, or the confidence is not inside (0, 1).
    """
    check_confidence(confidence)
    _check_scores(values, bounds)
    cases = len(values)
    if not cases:
        return Absent("no case has a scored sample")
    samples = sum(map(len, values))
    means = [fmean(scores) for scores in values]
    mean = fmean(means)
    low, high, method, unknown = _mean_interval(means, mean, confidence, bounds)
    return Estimate(mean, low, high, samples, cases, confidence, method, 0, unknown)


def _mean_interval(
    means: Sequence[float],
    mean: float,
    confidence: float,
    bounds: tuple[float, float] | None,
) -> tuple[float | None, float | None, str, str | None]:
    cases = len(means)
    if cases == 1:
        return None, None, "none", "one case does not show how much cases differ"
    t = t_quantile((1 + confidence) / 2, cases - 1)
    spread = variance(means)
    if spread > 0:
        half = t * sqrt(spread / cases)
        least, greatest = bounds or (mean - half, mean + half)
        method = "clustered standard error, t quantile"
        return max(least, mean - half), min(greatest, mean + half), method, None
    if bounds is None:
        return None, None, "none", f"all {cases} case means are equal, so their spread is unknown"
    least, greatest = bounds
    width = greatest - least
    low, high = wilson_bounds(min(1.0, max(0.0, (mean - least) / width)), cases, t)
    return least + width * low, least + width * high, "Wilson within the bounds, t quantile", None


def _check_scores(values: Sequence[Sequence[float]], bounds: tuple[float, float] | None) -> None:
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ValueError(f"bounds must be ascending, got {bounds}")
    for scores in values:
        if not scores:
            raise ValueError("a case without scores has no mean; leave it out")
        for score in scores:
            if not isfinite(score):
                raise ValueError(f"a score must be finite, got {score}")
            if bounds is not None and not bounds[0] <= score <= bounds[1]:
                raise ValueError(f"a score of {score} is outside its bounds {bounds}")


def check_counts(passes: int, n: int) -> None:
    """Raise ValueError for counts other than 0 <= passes <= n, n >= 1."""
    if n < 1 or not 0 <= passes <= n:
        raise ValueError(f"counts must have n >= 1 and 0 <= passes <= n, got {passes} of {n}")
