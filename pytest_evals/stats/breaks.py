"""The break rule: a case that always passed and now never does.

A flagged case passed every one of its a baseline samples and fails all of its m samples now. If
nothing changed and its pass rate is p, that has the chance p^a·(1-p)^m, whatever p at most
q(a, m) = a^a·m^m / (a+m)^(a+m), reached at p = a/(a+m). So the number of such cases among all that
were compared is at most Poisson-binomial with these chances, however hard the cases are. Where the
samples of a run are alike the chance is larger (`flips`); how alike they are is not known, so p is
the average over what the data leave possible (`likeness`).
"""

from collections import Counter
from collections.abc import Sequence

from pytest_evals.stats.distributions import binomial_tail, poisson_binomial_tail
from pytest_evals.stats.flips import correlated_flip_chance, flip_chance, flips_per_flicker
from pytest_evals.stats.likeness import Likeness, assumed

LEAST_BASELINE = 3
"""Baseline samples below which a case cannot be flagged: a pass or two proves little."""

_INDEPENDENT = Likeness(((0.0, 1.0),))

Cells = Sequence[tuple[int, int]]
"""(baseline samples, samples now) of every compared case, each >= 1."""


def confirmations(cells: Cells, flickering: int, *, level: float, limit: int) -> int:
    """Return how many more samples each flagged case is to be asked, fixed before any is drawn.

    The least r >= 0 such that the expected number of false breaks over all compared cases is at
    most `level`, every case at its worst pass rate, averaged over the correlations as they are
    weighed before any data; at most `limit`.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        flickering: how many cases flickered, 0..cases. Whether a case flipped says nothing here.
        level: alpha of the break rule divided by the number of rows, inside (0, 1).
        limit: the greatest r, >= 0.

    Raises:
        ValueError: level or most is outside its range.
    """
    if not 0 < level < 1 or limit < 0:
        raise ValueError(f"level is inside (0, 1) and most >= 0, got {level} and {limit}")
    kinds = Counter(cells)
    before = assumed(repeated=any(n > 1 for _, n in kinds)).weights
    share = (flickering + 1) / max(1, len(cells))
    for r in range(limit):
        expected = sum(
            weight * times * _chance(*cell, r, rho, share)
            for rho, weight in before
            for cell, times in kinds.items()
        )
        if expected <= level:
            return r
    return limit


def break_chances(
    cells: Cells, *, more: int, rho: float = 0.0, flickering: int | None = None
) -> list[float]:
    """Return each case's greatest chance of a false break; 0 for a case that cannot be flagged.

    Where samples of a run are alike, only cases that flicker flip by themselves: each case's chance
    is then at most that of (flickering + 1) cases, spread over all, and at least that of
    independent samples.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        more: confirmation samples, >= 0.
        rho: the correlation of samples within a run, 0 <= rho < 1.
        flickering: how many cases flickered, 0..cases; None counts on nothing.
    """
    share = 1.0 if flickering is None else (flickering + 1) / len(cells)
    chances = {(a, n): _chance(a, n, more, rho, share) for a, n in set(cells)}
    return [chances[cell] for cell in cells]


def _chance(a: int, n: int, more: int, rho: float, share: float) -> float:
    if a < LEAST_BASELINE:
        return 0.0
    independent = flip_chance(a, n + more)
    if not rho:
        return independent
    alike = min(
        correlated_flip_chance(a, n + more, rho), share * flips_per_flicker(a, n, n + more, rho)
    )
    return max(independent, alike)


def break_p(
    cells: Cells,
    confirmed: int,
    *,
    more: int,
    alike: Likeness = _INDEPENDENT,
    flickering: int | None = None,
) -> float:
    """Return the chance of this many confirmed breaks or more, if nothing changed.

    Binomial where all cases have the same numbers of samples, else Poisson-binomial; averaged over
    the correlations within a run by their weights (a posterior predictive p-value: Meng 1994,
    "Posterior predictive p-values").

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        confirmed: how many cases passed all before and never since.
        more: confirmation samples that each of them was asked, >= 0.
        alike: the weights of the correlations; independent samples unless said.
        flickering: how many cases flickered, 0..cases; None counts on nothing.

    Raises:
        ValueError: confirmed is negative or more than the cases.
    """
    if not 0 <= confirmed <= len(cells):
        raise ValueError(f"confirmed breaks must be 0..{len(cells)}, got {confirmed}")
    if not confirmed:
        return 1.0
    p = 0.0
    for rho, weight in alike.weights:
        if weight:
            chances = break_chances(cells, more=more, rho=rho, flickering=flickering)
            p += weight * _tail(confirmed, chances)
    return min(1.0, p)


def _tail(confirmed: int, chances: Sequence[float]) -> float:
    if len(set(chances)) == 1:
        return binomial_tail(confirmed, len(chances), chances[0])
    return poisson_binomial_tail(confirmed, chances)
