"""Rows: cases paired between a baseline and a run, fixed before the run; and the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from statistics import fmean, variance
from typing import Literal

from pytest_evals.stats.corrections import Correction
from pytest_evals.stats.intervals import check_counts


@dataclass(frozen=True, slots=True)
class PairedCase:
    """The passes of one case in the baseline and now."""

    case: str
    """The case's id."""

    base_pass: int
    """Passes in the baseline, 0..base_n."""

    base_n: int
    """Scored samples in the baseline, >= 1."""

    now_pass: int
    """Passes now, 0..now_n, without confirmation samples."""

    now_n: int
    """Scored samples now, >= 1."""

    def __post_init__(self) -> None:
        check_counts(self.base_pass, self.base_n)
        check_counts(self.now_pass, self.now_n)

    @property
    def change(self) -> float:
        """The pass rate now minus that in the baseline, -1..1."""
        return self.now_pass / self.now_n - self.base_pass / self.base_n

    @property
    def noise(self) -> tuple[float | None, float | None]:
        """The variance of one sample (baseline, now), each None with fewer than 2 samples."""
        return _binary_noise(self.base_pass, self.base_n), _binary_noise(self.now_pass, self.now_n)


def _binary_noise(passes: int, n: int) -> float | None:
    return passes * (n - passes) / (n * (n - 1)) if n > 1 else None


@dataclass(frozen=True, slots=True)
class PairedScore:
    """One case's mean score in the baseline and now; higher is better."""

    case: str
    """The case's id."""

    base_mean: float
    """The mean of the baseline's samples, finite."""

    base_n: int
    """Scored samples in the baseline, >= 1."""

    now_mean: float
    """The mean of the samples now, finite, in the same unit."""

    now_n: int
    """Scored samples now, >= 1."""

    base_variance: float | None = None
    """The variance (n-1) of the baseline's samples, >= 0; None if unknown."""

    now_variance: float | None = None
    """The variance (n-1) of the samples now, >= 0; None if unknown."""

    def __post_init__(self) -> None:
        if self.base_n < 1 or self.now_n < 1:
            raise ValueError(f"{self.case}: a mean needs 1 sample or more on both sides")
        if not (isfinite(self.base_mean) and isfinite(self.now_mean)):
            raise ValueError(f"{self.case}: a mean must be finite")

    @classmethod
    def of(cls, case: str, base: Sequence[float], now: Sequence[float]) -> "PairedScore":
        """Make the pair from its samples.

        Args:
            case: the case's id.
            base: the baseline's scores, one or more finite numbers.
            now: the scores now, one or more finite numbers.

        Raises:
            ValueError: a side is empty or a score is not finite.
        """
        if not base or not now:
            raise ValueError(f"{case}: a mean needs 1 sample or more on both sides")
        spread = [variance(side) if len(side) > 1 else None for side in (base, now)]
        return cls(case, fmean(base), len(base), fmean(now), len(now), spread[0], spread[1])

    @property
    def change(self) -> float:
        """The mean now minus that in the baseline, in the unit of the score."""
        return self.now_mean - self.base_mean

    @property
    def noise(self) -> tuple[float | None, float | None]:
        """The variance of one sample (baseline, now), each None if unknown."""
        return self.base_variance, self.now_variance


NOT_IN_RUN = "not in this run"
"""Why a case of the baseline has no pair: the run did not have it."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A case without a pair."""

    case: str
    """The case's id."""

    reason: str
    """Why it has no pair, in words."""


@dataclass(frozen=True)
class Row:
    """One comparison declared before the run: a model under a gate."""

    name: str
    """The name, unique in its family, such as "gpt · no regressions"."""

    cases: tuple[PairedCase, ...] | tuple[PairedScore, ...]
    """The compared cases, each once; all counts or all scores."""

    independent: bool = True
    """False for a live model at temperature 0 or with a fixed seed, as its samples repeat. Then the
    break rule and the pseudo-flip count one sample per case."""

    noise_free: bool = False
    """True for scripted and replayed answers: every case that passes less often is a regression."""

    margin: float | None = None
    """The tolerated drop, in the row's unit (0.05 is 5 points); None for that of the rules."""

    dropped: tuple[Dropped, ...] = ()
    """Cases on one side only, shown with the verdict."""

    def __post_init__(self) -> None:
        ids = [pair.case for pair in self.cases]
        if len(set(ids)) != len(ids):
            twice = sorted({case for case in ids if ids.count(case) > 1})
            raise ValueError(f"row {self.name!r} has duplicate cases: {', '.join(twice)}")
        if len({type(pair) for pair in self.cases}) > 1:
            raise ValueError(f"row {self.name!r} mixes pass counts with scores")
        if self.margin is not None and not self.margin > 0:
            raise ValueError(f"row {self.name!r}: a margin must be positive, got {self.margin}")

    @cached_property
    def counts(self) -> tuple[PairedCase, ...]:
        """The cases in order of their ids if they are pass counts; otherwise empty."""
        pairs = (pair for pair in self.cases if isinstance(pair, PairedCase))
        return tuple(sorted(pairs, key=lambda pair: pair.case))

    @cached_property
    def breakable(self) -> bool:
        """Whether the break rule applies: pass counts with sampling noise."""
        return not self.noise_free and all(isinstance(pair, PairedCase) for pair in self.cases)

    @cached_property
    def cells(self) -> list[tuple[int, int]]:
        """The (baseline, now) sample numbers that the break rule counts, in order of `counts`."""
        if not self.independent:
            return [(1, 1)] * len(self.counts)
        return [(pair.base_n, pair.now_n) for pair in self.counts]


@dataclass(frozen=True, slots=True)
class Rules:
    """The constants of the comparison. The defaults were chosen by simulation."""

    margin: float = 0.05
    """The tolerated drop, in the unit of the metric (0.05 is 5 points), > 0."""

    alpha_mean: float = 0.04
    """The share of harmless changes that the mean rule may block, inside (0, 0.5)."""

    alpha_break: float = 0.01
    """The share of harmless changes that the break rule may block, inside (0, 0.5)."""

    correction: Correction = "holm"
    """The correction over rows, inside each alpha."""

    confirm: int | None = None
    """Confirmation samples of each flagged case; None derives them from the number of cases."""

    most_confirm: int = 15
    """The most confirmation samples per case, >= 0."""

    strict: bool = False
    """Whether an inconclusive row blocks too."""

    draws: int = 9999
    """Sign flips to draw if the exact test is too expensive, >= 100."""

    seed: int = 0
    """The seed of these draws."""

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise ValueError(f"a margin must be positive, got {self.margin}")
        if not (0 < self.alpha_mean < 0.5 and 0 < self.alpha_break < 0.5):
            raise ValueError("each alpha must be between 0 and 0.5 (exclusive)")
        if self.most_confirm < 0 or (self.confirm is not None and self.confirm < 0):
            raise ValueError("the number of confirmation samples must be 0 or more")


Side = Literal["baseline", "run"]


def pair_counts(
    base: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]
) -> tuple[tuple[PairedCase, ...], tuple[Dropped, ...]]:
    """Pair the pass counts of two sides by case; cases without a pair are named.

    Args:
        base: (passes, n) of each case in the baseline; n = 0 without a scored sample.
        now: the same of the run.

    Returns:
        The pairs and the dropped cases, each in order of case ids.

    Raises:
        ValueError: impossible counts.
    """
    pairs, dropped = [], []
    for case in sorted(base.keys() | now.keys()):
        before, after = base.get(case, (0, 0)), now.get(case, (0, 0))
        if before[1] and after[1]:
            pairs.append(PairedCase(case, *before, *after))
        else:
            dropped.append(Dropped(case, _missing(case, base, now)))
    return tuple(pairs), tuple(dropped)


def pair_scores(
    base: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]
) -> tuple[tuple[PairedScore, ...], tuple[Dropped, ...]]:
    """Pair the scores of two sides by case; cases without a pair are named.

    Args:
        base: the scores of each case in the baseline, finite; empty without a scored sample.
        now: the same of the run.

    Returns:
        The pairs and the dropped cases, each in order of case ids.

    Raises:
        ValueError: a score is not finite.
    """
    pairs, dropped = [], []
    for case in sorted(base.keys() | now.keys()):
        if base.get(case) and now.get(case):
            pairs.append(PairedScore.of(case, base[case], now[case]))
        else:
            dropped.append(Dropped(case, _missing(case, base, now)))
    return tuple(pairs), tuple(dropped)


def _missing(case: str, base: Mapping[str, object], now: Mapping[str, object]) -> str:
    if case not in base:
        return "not in the baseline"
    if case not in now:
        return NOT_IN_RUN
    sides: dict[Side, object] = {"baseline": base[case], "run": now[case]}
    empty = [side for side, samples in sides.items() if not samples or samples == (0, 0)]
    return f"no scored sample in the {' and the '.join(empty)}"
