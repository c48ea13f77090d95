"""The correlation of samples within a run, as weights of several possible correlations.

The break rule assumes independent draws. A shared cache or one server's rounding can correlate the
samples of one run: they agree within each run and differ between runs, and cases flip by chance.
The cases that did *not* flip show such a correlation. Given a case's passes in both runs together,
the passes of one run are hypergeometric under independence, and more extreme under correlation. So
each correlation is weighted by its likelihood for these cases, and the break rule averages over the
weights. Without evidence the weights are the prior ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, log

from pytest_evals.stats.flips import beta_binomial_chance

Cell = tuple[int, int, int, int]
"""(passes before, samples before, passes now, samples now) of one case."""

CORRELATIONS = (0.1, 0.2, 0.3, 0.4, 0.6)
"""The possible correlations within a run, besides independence."""

PRIOR_WEIGHT = 0.03
"""The prior weight of all correlations together, chosen by simulation. A smaller weight blocks more
harmless changes if samples are correlated. A greater weight misses breaks of suites without
flickering cases, which have no evidence of independence."""

UNSEEN_CORRELATION = 0.2
"""The assumed correlation if no case has two samples in the run, so that the data have no evidence
of it."""

_RATES = tuple((i + 0.5) / 40 for i in range(40))


@dataclass(frozen=True, slots=True)
class CorrelationWeights:
    """The weights of the possible correlations of samples within a run."""

    weights: tuple[tuple[float, float], ...]
    """(correlation, weight): 0 first, then `CORRELATIONS`; the weights are in 0..1 and sum to 1."""

    @property
    def correlation(self) -> float:
        """The mean correlation under the weights, 0 <= rho < 1."""
        return sum(rho * weight for rho, weight in self.weights)


def prior_weights(*, repeated: bool) -> CorrelationWeights:
    """Return the prior weights.

    Args:
        repeated: whether any case has two or more samples in the run; if not, the correlation is
            `UNSEEN_CORRELATION` for certain.
    """
    share = PRIOR_WEIGHT / len(CORRELATIONS)
    weights = {0.0: 1 - PRIOR_WEIGHT, **dict.fromkeys(CORRELATIONS, share)}
    if not repeated:
        weights = {rho: float(rho == UNSEEN_CORRELATION) for rho in weights}
    return CorrelationWeights(tuple(weights.items()))


def posterior_weights(cells: Iterable[Cell]) -> CorrelationWeights:
    """Return the posterior weights of the correlations, given these cases.

    The weight of a correlation is its prior (`prior_weights`) times its likelihood. That is the
    chance of each case's split of passes over the two runs, given their sum, with a uniform pass
    rate (for independent samples the rate does not matter). Flips, and breaks except for one
    of 3 or more samples, are left out, since the break rule tests them. The chances are conditional
    on that.

    Args:
        cells: one per compared case, 0 <= passes <= samples, samples >= 1.

    Returns:
        Weights in 0..1 with sum 1.
    """
    counted = Counter(cells)
    repeated = any(n > 1 for *_, n in counted)
    prior = prior_weights(repeated=repeated)
    if not repeated:
        return prior
    logs = dict.fromkeys((0.0, *CORRELATIONS), 0.0)
    for cell, times in counted.items():
        for rho, value in _log_chances(*cell).items():
            logs[rho] += times * value
    best = max(logs.values())
    raw = {rho: weight * exp(logs[rho] - best) for rho, weight in prior.weights}
    total = sum(raw.values())
    return CorrelationWeights(tuple((rho, value / total) for rho, value in raw.items()))


def is_flickering(b: int, a: int, w: int, n: int) -> bool:
    """Whether a case flickers: in one of the runs some samples passed and some failed.

    Args:
        b: passes before, 0..a.
        a: samples before, >= 1.
        w: passes now, 0..n.
        n: samples now, >= 1.
    """
    return 0 < b < a or 0 < w < n


@lru_cache(maxsize=65536)
def _log_chances(b: int, a: int, w: int, n: int) -> Mapping[float, float]:
    """Return correlation -> log chance of this split, given its sum; empty if left out."""
    both = b + w
    splits = [
        (both - now, now)
        for now in range(max(0, both - a), min(both, n) + 1)
        if not _left_out(both - now, a, now, n)
    ]
    if (b, w) not in splits or len(splits) < 2:
        return {}
    ways = {(x, y): comb(a, x) * comb(n, y) for x, y in splits}
    log_chances = {0.0: log(ways[b, w] / sum(ways.values()))}
    for rho in CORRELATIONS:
        chances = {
            (x, y): sum(
                beta_binomial_chance(x, a, rate, rho) * beta_binomial_chance(y, n, rate, rho)
                for rate in _RATES
            )
            for x, y in splits
        }
        log_chances[rho] = log(chances[b, w] / sum(chances.values()))
    return log_chances


def _left_out(b: int, a: int, w: int, n: int) -> bool:
    """Whether a split is a flip, or a break except for one of 3 or more baseline samples."""
    spare = 1 if min(a, n) >= 3 else 0
    return (not w and b >= a - spare) or (not b and w == n)
