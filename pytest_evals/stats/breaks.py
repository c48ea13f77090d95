"""The break rule: a case that always passed in the baseline and never passes now.

A flagged case passed all of its a baseline samples and fails all of its m samples now. If nothing
changed and its pass rate is p, the chance of that is p^a·(1-p)^m. Over all p it is at most
q(a, m) = a^a·m^m / (a+m)^(a+m), reached at p = a/(a+m). So the number of such cases is at most
Poisson-binomial with these chances, however hard the cases are. Correlated samples of a run raise
the chance (`flips`). The correlation is unknown, so p is averaged over the correlations that the
data leave plausible (`correlation`).
"""

from collections import Counter
from collections.abc import Sequence

from pytest_evals.stats.correlation import CorrelationWeights, prior_weights
from pytest_evals.stats.distributions import binomial_tail, poisson_binomial_tail
from pytest_evals.stats.flips import (
    max_correlated_flip_chance,
    max_flip_chance,
    max_flips_per_flicker,
)

MIN_BASELINE = 3
"""The least number of baseline samples of a flagged case."""

_INDEPENDENT = CorrelationWeights(((0.0, 1.0),))

Cells = Sequence[tuple[int, int]]
"""(baseline samples, samples now) of every compared case, each >= 1."""


def confirmation_samples(cells: Cells, flickering: int, *, level: float, limit: int) -> int:
    """Return the number of confirmation samples of each flagged case, fixed before any is drawn.

    It is the least r >= 0 with at most `level` expected false breaks over all compared cases, and
    at most `limit`. Every case has its worst pass rate; the expectation is averaged over the prior
    weights of the correlations.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        flickering: the number of flickering cases (`correlation.is_flickering`), 0..cases.
        level: alpha of the break rule divided by the number of rows, inside (0, 1).
        limit: the greatest r, >= 0.

    Raises:
        ValueError: level or most is outside its range.
    """
    if not 0 < level < 1 or limit < 0:
        raise ValueError(f"level is inside (0, 1) and most >= 0, got {level} and {limit}")
    kinds = Counter(cells)
    prior = prior_weights(repeated=any(n > 1 for _, n in kinds)).weights
    share = (flickering + 1) / max(1, len(cells))
    for r in range(limit):
        expected = sum(
            weight * times * _chance(*cell, r, rho, share)
            for rho, weight in prior
            for cell, times in kinds.items()
        )
        if expected <= level:
            return r
    return limit


def break_chances(
    cells: Cells, *, more: int, rho: float = 0.0, flickering: int | None = None
) -> list[float]:
    """Return each case's greatest chance of a false break; 0 for a case that cannot be flagged.

    With correlated samples, mostly flickering cases flip by chance. So each chance is at most that
    of (flickering + 1) cases, spread over all, and at least that of independent samples.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        more: confirmation samples, >= 0.
        rho: the correlation of samples within a run, 0 <= rho < 1.
        flickering: the number of flickering cases, 0..cases; None assumes all.

    Returns:
        One chance in 0..1 per case, in the order of `cells`.
    """
    share = 1.0 if flickering is None else (flickering + 1) / len(cells)
    chances = {(a, n): _chance(a, n, more, rho, share) for a, n in set(cells)}
    return [chances[cell] for cell in cells]


def _chance(a: int, n: int, more: int, rho: float, share: float) -> float:
    if a < MIN_BASELINE:
        return 0.0
    independent = max_flip_chance(a, n + more)
    if not rho:
        return independent
    correlated = min(
        max_correlated_flip_chance(a, n + more, rho),
        share * max_flips_per_flicker(a, n, n + more, rho),
    )
    return max(independent, correlated)


def break_p(
    cells: Cells,
    confirmed: int,
    *,
    more: int,
    weights: CorrelationWeights = _INDEPENDENT,
    flickering: int | None = None,
) -> float:
    """Return the chance of this many confirmed breaks or more, if nothing changed.

    Binomial if all cases have the same numbers of samples, Poisson-binomial otherwise; averaged
    over the correlations within a run by their weights (a posterior predictive p-value: Meng 1994,
    "Posterior predictive p-values").

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        confirmed: the number of cases that passed all baseline samples and none since.
        more: confirmation samples of each flagged case, >= 0.
        weights: the weights of the correlations; by default samples are independent.
        flickering: the number of flickering cases, 0..cases; None assumes all.

    Returns:
        A probability in 0..1.

    Raises:
        ValueError: confirmed is negative or more than the cases.
    """
    if not 0 <= confirmed <= len(cells):
        raise ValueError(f"confirmed breaks must be 0..{len(cells)}, got {confirmed}")
    if not confirmed:
        return 1.0
    p = 0.0
    for rho, weight in weights.weights:
        if weight:
            chances = break_chances(cells, more=more, rho=rho, flickering=flickering)
            p += weight * _tail(confirmed, chances)
    return min(1.0, p)


def _tail(confirmed: int, chances: Sequence[float]) -> float:
    if len(set(chances)) == 1:
        return binomial_tail(confirmed, len(chances), chances[0])
    return poisson_binomial_tail(confirmed, chances)
