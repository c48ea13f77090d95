"""The break rule: a case that always passed and now never does.

A flagged case passed every one of its a baseline samples and fails all of its m samples now. If
nothing changed and its pass rate is p, that has the chance p^a·(1-p)^m, whatever p at most
q(a, m) = a^a·m^m / (a+m)^(a+m), reached at p = a/(a+m). So the number of such cases among all that
were compared is at most Poisson-binomial with these chances, however hard the cases are.
"""

from collections import Counter
from collections.abc import Sequence
from operator import mul

from pytest_evals.stats.distributions import binomial_tail, poisson_binomial_tail
from pytest_evals.stats.likeness import correlated_flip_chance

LEAST_BASELINE = 3
"""Baseline samples below which a case cannot be flagged: a pass or two proves little."""


def confirmations(cells: Sequence[tuple[int, int]], *, level: float, most: int) -> int:
    """Return how many more samples each flagged case is to be asked, fixed before any is drawn.

    The least r >= 0 such that the expected number of false breaks over all compared cases, the sum
    of q(a, n+r), is at most `level`; at most `most`.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        level: alpha of the break rule divided by the number of rows, inside (0, 1).
        most: the greatest r, >= 0.

    Raises:
        ValueError: level or most is outside its range.
    """
    if not 0 < level < 1 or most < 0:
        raise ValueError(f"level is inside (0, 1) and most >= 0, got {level} and {most}")
    kinds = Counter(cells)
    for r in range(most):
        chances = break_chances(list(kinds), more=r)
        if sum(map(mul, chances, kinds.values())) <= level:
            return r
    return most


def break_chances(cells: Sequence[tuple[int, int]], *, more: int, rho: float = 0.0) -> list[float]:
    """Return each case's greatest chance of a false break; 0 for a case that cannot be flagged.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        more: confirmation samples, >= 0.
        rho: the correlation of samples within a run, 0 <= rho < 1.
    """
    return [
        correlated_flip_chance(a, n + more, rho) if a >= LEAST_BASELINE else 0.0 for a, n in cells
    ]


def break_p(
    cells: Sequence[tuple[int, int]], confirmed: int, *, more: int, rho: float = 0.0
) -> float:
    """Return the chance of this many confirmed breaks or more, if nothing changed.

    Binomial where all cases have the same numbers of samples, else Poisson-binomial.

    Args:
        cells: (baseline samples, samples now) of every compared case, each >= 1.
        confirmed: how many cases passed all before and never since.
        more: confirmation samples that each of them was asked, >= 0.
        rho: the correlation of samples within a run, 0 <= rho < 1.

    Raises:
        ValueError: confirmed is negative or more than the cases.
    """
    if not 0 <= confirmed <= len(cells):
        raise ValueError(f"confirmed breaks must be 0..{len(cells)}, got {confirmed}")
    if not confirmed:
        return 1.0
    chances = break_chances(cells, more=more, rho=rho)
    if len(set(chances)) == 1:
        return binomial_tail(confirmed, len(chances), chances[0])
    return poisson_binomial_tail(confirmed, chances)
