"""The interval of a mean change, its minimum detectable effect, and what would settle the row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import fmean

from pytest_evals.stats.distributions import normal_quantile, t_quantile
from pytest_evals.stats.rows import PairedCase, PairedScore
from pytest_evals.stats.signflip import fewest_changes
from pytest_evals.stats.verdict import Outlook

_BOUND = 0.95
_POWER = 0.8
_MAX_SAMPLES = 100
_MAX_CASES = 1_000_000


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of one row's cases, summarized."""

    cases: int
    """C, >= 1."""

    mean: float
    """D."""

    spread: float
    """The variance (C-1) between the cases' changes; 0 with one case."""

    fewest: int
    """min(n): the least number of independent samples of a case on either side, >= 1."""

    noise: float | None
    """The part of `spread` due to sampling; None if unknown, with single samples."""

    noise_of_one: float | None
    """That part with one sample per side of every case; None as `noise`."""

    def variance(self, *, cases: int | None = None, samples: int | None = None) -> float:
        """Return V, the variance of D, for the actual or other numbers of cases and samples.

        V = (C·var(d) + 2/min(n)²)/C²: the variance of a mean with one pseudo-flip each way, so
        that a row without flips does not claim certainty.

        Args:
            cases: another C; None is the actual one.
            samples: another number of samples per side; only if `noise` is known.
        """
        c = self.cases if cases is None else cases
        spread, fewest = self.spread, self.fewest
        if samples is not None:
            assert self.noise is not None
            assert self.noise_of_one is not None
            spread = max(0.0, spread - self.noise) + self.noise_of_one / samples
            fewest = samples
        return (c * spread + 2 / fewest**2) / c**2

    def interval(self) -> tuple[float, float] | None:
        """Return D ∓ t(0.95, C-1)·sqrt(V); None with one case."""
        if self.cases < 2:
            return None
        half = t_quantile(_BOUND, self.cases - 1) * sqrt(self.variance())
        return self.mean - half, self.mean + half


def summarize_changes(
    pairs: Sequence[PairedCase] | Sequence[PairedScore], *, independent: bool
) -> Changes:
    """Summarize the changes of one or more paired cases.

    Args:
        pairs: one or more.
        independent: whether samples of one case are independent draws; if not, a case counts as
            one sample, and more samples reduce no variance.

    Raises:
        ValueError: there are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs, no mean change")
    changes = [pair.change for pair in pairs]
    mean = fsum(changes) / len(changes)
    spread = fsum((d - mean) ** 2 for d in changes) / max(1, len(changes) - 1)
    fewest = min(min(pair.base_n, pair.now_n) for pair in pairs) if independent else 1
    noise, noise_of_one = _noise(pairs) if independent else (None, None)
    return Changes(len(changes), mean, spread, fewest, noise, noise_of_one)


def _noise(
    pairs: Sequence[PairedCase] | Sequence[PairedScore],
) -> tuple[float | None, float | None]:
    """Return the mean sampling variance over cases: as sampled, and with one sample per side.

    A side without repeats uses the variance of the other side.
    """
    sides: tuple[list[float], list[float]] = ([], [])
    for pair in pairs:
        for side, noise in zip(sides, pair.noise, strict=True):
            if noise is not None:
                side.append(noise)
    means = [fmean(side) if side else None for side in sides]
    base = means[0] if means[0] is not None else means[1]
    now = means[1] if means[1] is not None else means[0]
    if base is None or now is None:
        return None, None
    per_base = fmean(1 / pair.base_n for pair in pairs)
    per_now = fmean(1 / pair.now_n for pair in pairs)
    return base * per_base + now * per_now, base + now


def row_outlook(changes: Changes, *, margin: float, level: float, settled: bool) -> Outlook:
    """Return the minimum detectable effect of a row, and what would settle it.

    The minimum detectable effect is the drop δ with an 80 % chance that its estimate falls below
    both limits of the mean rule: -t(1-level)·sqrt(V) (the test and the upper end) and
    t(0.95)·sqrt(V) - margin (the lower end), by normal power. A number of samples or cases settles
    the row if the interval of a change like the observed one, with 80 % chance, ends above -margin
    or below 0. V then has its within-case part scaled by the samples, or more cases like these.

    Args:
        changes: of the row.
        margin: the tolerated drop, > 0.
        level: alpha of the mean rule divided by the number of rows, inside (0, 0.5).
        settled: whether the verdict is not inconclusive.
    """
    needed = fewest_changes(level)
    if changes.cases < 2:
        return Outlook(None, needed, None, None)
    smallest = _smallest_drop(changes, margin, level) if changes.cases >= needed else None
    if settled:
        return Outlook(smallest, needed, None, None)
    samples = _enough_samples(changes, margin, level)
    cases = None if samples else _more_cases(changes, margin, level)
    return Outlook(smallest, needed, samples, cases)


def _smallest_drop(changes: Changes, margin: float, level: float) -> float:
    error = sqrt(changes.variance())
    test = t_quantile(1 - min(level, 1 - _BOUND), changes.cases - 1)
    bound = t_quantile(_BOUND, changes.cases - 1)
    return normal_quantile(_POWER) * error + max(test * error, margin - bound * error)


def _enough(changes: Changes, margin: float, level: float, cases: int) -> float:
    """Return the standard error of D that settles a change like this one."""
    spare = normal_quantile(_POWER)
    passes = (changes.mean + margin) / (t_quantile(_BOUND, cases - 1) + spare)
    fails = -changes.mean / (t_quantile(1 - min(level, 1 - _BOUND), cases - 1) + spare)
    return max(passes, fails)


def _enough_samples(changes: Changes, margin: float, level: float) -> int | None:
    if changes.noise is None:
        return None
    bar = _enough(changes, margin, level, changes.cases) ** 2
    return _least(lambda m: changes.variance(samples=m) <= bar, changes.fewest + 1, _MAX_SAMPLES)


def _more_cases(changes: Changes, margin: float, level: float) -> int | None:
    def settles(cases: int) -> bool:
        error = _enough(changes, margin, level, cases)
        return changes.variance(cases=cases) <= error**2

    total = _least(settles, changes.cases + 1, _MAX_CASES)
    return None if total is None else total - changes.cases


def _least(holds: Callable[[int], bool], start: int, limit: int) -> int | None:
    """Return the least number in start..most for which a lasting condition holds."""
    low, high = start - 1, start
    while not holds(high):
        if high >= limit:
            return None
        low, high = high, min(limit, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
