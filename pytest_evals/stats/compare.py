"""The comparison of two models or runs on the same cases: difference, interval and p-value.

The test and its interval use the same sign flips, so they always agree. Flipping the signs of the
changes in a subset S gives a sum as extreme as the observed one, against a shift δ, exactly if the
mean of S lies on the other side of δ. So the interval of all δ that the test does not reject lies
between two order statistics of subset means (Hartigan 1969, "Using subsample values as typical
values").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, fsum, isfinite, sqrt
from operator import add
from random import Random
from statistics import fmean

from pytest_evals.stats.corrections import Correction, adjust
from pytest_evals.stats.distributions import normal_quantile, t_quantile
from pytest_evals.stats.estimate import check_confidence
from pytest_evals.stats.rows import Dropped, PairedScore, pair_scores
from pytest_evals.stats.settle import summarize_changes
from pytest_evals.stats.signflip import fewest_changes

_EXACT = 13
_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against reference, on the cases with a score of both."""

    name: str
    """The name of the row, such as "helpful: b against a"."""

    change: float | None
    """The mean over cases of (candidate - reference), in the score's unit; None without pairs."""

    low: float | None
    """The lower end of its interval; None without an interval, with the reason in `unknown`."""

    high: float | None
    """The upper end of its interval; None without an interval, with the reason in `unknown`."""

    confidence: float
    """The nominal coverage of (low, high), inside (0, 1)."""

    p: float
    """The two-sided sign-flip p-value of no difference, in (0, 1]."""

    p_adjusted: float
    """p corrected over all rows of the comparison, in (0, 1]."""

    cases: int
    """Pairs, >= 0."""

    better: int
    """Cases on which the candidate is better."""

    worse: int
    """Cases on which the candidate is worse."""

    dropped: tuple[Dropped, ...]
    """Cases with a score on one side only."""

    method: str
    """The method of p and the interval."""

    unknown: str | None = None
    """Why there is no interval; None if there is one."""

    changes_needed: int = 0
    """The least number of cases, all on one side, with which the corrected p can reach
    1 - confidence."""

    smallest: float | None = None
    """The minimum detectable effect: the smallest true difference, of either sign, that the test
    finds with 80 % probability; None with fewer cases than `changes_needed`."""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is statistically significant after correction."""
        return bool(self.cases) and self.p_adjusted <= 1 - self.confidence + 1e-12

    @property
    def too_few(self) -> bool:
        """Whether too few cases differ for the test to be significant."""
        return self.better + self.worse < self.changes_needed


Scores = Mapping[str, Sequence[float]]
"""Case id -> the finite scores of its samples; the test does not depend on which way is better."""


def compare(
    rows: Mapping[str, tuple[Scores, Scores]],
    *,
    confidence: float = 0.95,
    correction: Correction = "holm",
    draws: int = 9999,
    seed: int = 0,
) -> list[Comparison]:
    """Compare candidates with references, paired by case, and correct the p-values together.

    Each case counts once, by the mean of its samples. Up to 13 cases use all 2^C sign flips; more
    cases use `draws` seeded ones, with p = (1 + as extreme) / (1 + draws) on each side.

    Args:
        rows: name -> (reference, candidate); all rows that are shown, one per metric, slice or pair
            of models.
        confidence: of each interval, inside (0, 1).
        correction: of the p-values over the rows.
        draws: sign flips to draw for more than 13 cases, >= 100.
        seed: of these draws; the same seed gives the same result.

    Returns:
        One comparison a row, in the order of the rows.

    Raises:
        ValueError: a score is not finite, or an argument is outside its range.
    """
    check_confidence(confidence)
    level = (1 - confidence) / (len(rows) if rows and correction != "none" else 1)
    if draws < 100:
        raise ValueError(f"a permutation test needs 100 draws or more, got {draws}")
    comparisons = []
    for name, (reference, candidate) in rows.items():
        pairs, dropped = pair_scores(reference, candidate)
        changes = [pair.change for pair in pairs]
        row = _compare(name, changes, confidence, draws, seed)
        needed = fewest_changes(level / 2)
        smallest = _smallest(pairs, level) if len(pairs) >= max(2, needed) else None
        comparisons.append(
            replace(row, dropped=_renamed(dropped), changes_needed=needed, smallest=smallest)
        )
    adjusted = adjust([row.p for row in comparisons], correction=correction)
    return [replace(row, p_adjusted=p) for row, p in zip(comparisons, adjusted, strict=True)]


def _smallest(pairs: Sequence[PairedScore], level: float) -> float:
    """Return the minimum detectable difference, at 80 % power.

    The normal power of a mean, with the variance of the observed changes and one pseudo-flip each
    way, so that equal cases do not claim certainty (`settle.Changes`).
    """
    error = sqrt(summarize_changes(pairs, independent=True).variance())
    return (t_quantile(1 - level / 2, len(pairs) - 1) + normal_quantile(_POWER)) * error


def _renamed(dropped: Sequence[Dropped]) -> tuple[Dropped, ...]:
    sides = {
        "not in the baseline": "not scored for the reference",
        "not in this run": "not scored for the candidate",
    }
    return tuple(
        Dropped(case.case, sides.get(case.reason, "no score on one side")) for case in dropped
    )


def _compare(
    name: str, changes: Sequence[float], confidence: float, draws: int, seed: int
) -> Comparison:
    if not changes:
        return Comparison(
            name, None, None, None, confidence, 1.0, 1.0, 0, 0, 0, (), "none", "no pairs"
        )
    assert all(map(isfinite, changes))
    exact = len(changes) <= _EXACT
    means = subset_means(changes, draws=draws, seed=seed)
    up = sum(mean >= 0 for mean in means)
    down = sum(mean <= 0 for mean in means)
    p = min(1.0, 2 * (1 + min(up, down)) / (1 + len(means)))
    low, high = _inverted(means, confidence)
    method = "sign-flip, exact" if exact else f"sign-flip, {draws:,} seeded draws"
    unknown = None
    if low is None:
        unknown = f"{len(changes)} cases are too few for an interval at {confidence:g} confidence"
    return Comparison(
        name=name,
        change=fmean(changes),
        low=low,
        high=high,
        confidence=confidence,
        p=p,
        p_adjusted=p,
        cases=len(changes),
        better=sum(change > 0 for change in changes),
        worse=sum(change < 0 for change in changes),
        dropped=(),
        method=method,
        unknown=unknown,
    )


def subset_means(changes: Sequence[float], *, draws: int, seed: int) -> list[float]:
    """Return the means of the non-empty subsets: all of up to 13 changes, otherwise drawn ones.

    A mean closer to 0 than 1e-12 of the changes' mean size is 0.

    Args:
        changes: one or more finite numbers.
        draws: the number of subsets to draw for more than 13 changes.
        seed: of the draws.

    Returns:
        The means, ascending. Drawn subsets that are empty are left out.
    """
    # a complex number carries the sum (real) and the size (imaginary) of a subset
    parts = [complex(change, 1) for change in changes]
    sums = _all_sums(parts) if len(parts) <= _EXACT else _drawn_sums(parts, draws, seed)
    close = 1e-12 * fsum(map(abs, changes)) / len(changes)
    means = [subset.real / subset.imag for subset in sums if subset.imag]
    return sorted(0.0 if abs(mean) <= close else mean for mean in means)


def _all_sums(values: Sequence[complex]) -> list[complex]:
    sums = [0j]
    for value in values:
        sums += [s + value for s in sums]
    return sums


def _drawn_sums(values: Sequence[complex], draws: int, seed: int) -> list[complex]:
    rng = Random(seed)  # noqa: S311 - a repeatable draw, no secret
    sums = [0j] * draws
    for i in range(0, len(values), 8):
        table = _all_sums(values[i : i + 8])
        table *= 256 // len(table)
        sums = list(map(add, sums, map(table.__getitem__, rng.randbytes(draws))))
    return sums


def _inverted(means: Sequence[float], confidence: float) -> tuple[float | None, float | None]:
    """Return the least and the greatest shift that the two-sided test does not reject.

    A shift is rejected if 2·(1 + means on its far side)/(1 + all) is at most alpha. So the ends are
    the k-th least and k-th greatest mean, k = floor(alpha·(1 + all)/2).
    """
    k = floor((1 - confidence) * (1 + len(means)) / 2 + 1e-9)
    return (means[k - 1], means[-k]) if k >= 1 else (None, None)
