"""Sequential sampling: curtailed sampling, and Wald's test with stated error rates."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log
from typing import Literal, TypeVar

from pytest_evals.stats.intervals import check_counts

V = TypeVar("V")


def settled(passes: int, n: int, *, limit: int, verdict: Callable[[int], V]) -> V | None:
    """Return a cell's verdict as soon as no remaining sample can change it.

    Curtailed sampling (Wetherill and Glazebrook 1986, "Sequential Methods in Statistics", chapter
    2): the verdict equals that of all `limit` samples, so stopping adds no error. The pass rate of
    a cell that stopped early is biased; metrics over many cells use the first samples of each.

    Args:
        passes: passes so far, 0..n.
        n: samples so far, 0..most.
        limit: samples of a full cell, >= 1.
        verdict: from the passes of a full cell to its verdict, which is never None.

    Returns:
        The verdict, or None if the remaining samples can still change it.

    Raises:
        ValueError: impossible counts.
    """
    if limit < 1 or not 0 <= passes <= n <= limit:
        raise ValueError(f"0 <= passes <= n <= most is needed, got {passes}, {n}, {limit}")
    first = verdict(passes)
    open_ends = range(passes + 1, passes + limit - n + 1)
    return first if all(verdict(end) == first for end in open_ends) else None


def curtailed(passes: int, n: int, *, need: int, limit: int) -> bool | None:
    """Return whether a cell passes, as soon as that is certain: `need` of `limit` must pass.

    Args:
        passes: passes so far, 0..n.
        n: samples so far, 0..most.
        need: passes that a full cell needs, 0..most.
        limit: samples of a full cell, >= 1.

    Returns:
        The verdict of all `limit` samples, or None if more samples are needed.

    Raises:
        ValueError: impossible counts, or need is not in 0..most.
    """
    if not 0 <= need <= limit:
        raise ValueError(f"need must be in 0..most, got {need} of {limit}")
    return settled(passes, n, limit=limit, verdict=lambda end: end >= need)


@dataclass(frozen=True, slots=True)
class Sprt:
    """Wald's sequential test between two pass rates.

    Wald 1945, "Sequential tests of statistical hypotheses". Sampling continues until the likelihood
    ratio leaves (beta/(1-alpha), (1-beta)/alpha). The error rates are at most about alpha and beta.
    """

    good: float
    """The pass rate of a cell that should be accepted, inside (0, 1), above `bad`."""

    bad: float
    """The pass rate of a cell that should be rejected, inside (0, 1)."""

    alpha: float = 0.05
    """The chance to reject a good cell, inside (0, 0.5)."""

    beta: float = 0.05
    """The chance to accept a bad cell, inside (0, 0.5)."""

    def __post_init__(self) -> None:
        if not 0 < self.bad < self.good < 1:
            raise ValueError(f"0 < bad < good < 1 is needed, got {self.bad} and {self.good}")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise ValueError(
                f"alpha and beta must be inside (0, 0.5), got {self.alpha}, {self.beta}"
            )

    def first(self, outcomes: Iterable[bool]) -> Literal["good", "bad"] | None:
        """Return the first decision over the samples in order; None without a decision.

        Args:
            outcomes: whether each sample passed, in order; samples after the decision are ignored.
        """
        passes = n = 0
        for passed in outcomes:
            passes, n = passes + passed, n + 1
            decision = self.decide(passes, n)
            if decision is not None:
                return decision
        return None

    def decide(self, passes: int, n: int) -> Literal["good", "bad"] | None:
        """Return the rate that the samples so far support, or None if more are needed.

        Args:
            passes: passes so far, 0..n.
            n: samples so far, >= 0.

        Raises:
            ValueError: impossible counts.
        """
        if not n and not passes:
            return None
        check_counts(passes, n)
        ratio = passes * log(self.bad / self.good) + (n - passes) * log(
            (1 - self.bad) / (1 - self.good)
        )
        if ratio >= log((1 - self.beta) / self.alpha):
            return "bad"
        return "good" if ratio <= log(self.beta / (1 - self.alpha)) else None
