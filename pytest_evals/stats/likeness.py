"""Are the samples of one run more alike than those of two runs, and how sure is that?

The break rule would like to take samples as independent draws. Where a run has a mood of its own (a
shared cache, one server's rounding), the samples of a case agree within each run and differ between
runs, and whole flips happen by themselves. Such a mood shows in the cases that did *not* flip:
given a case's passes in both runs together, independence makes those of one run hypergeometric, and
a mood pulls them apart. So each correlation is weighed by how well it explains these cases, and the
break rule averages over the weights. Where nothing is seen either way, the weights are those
assumed beforehand.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, log

from pytest_evals.stats.flips import beta_binomial

Cell = tuple[int, int, int, int]
"""(passes before, samples before, passes now, samples now) of one case."""

CORRELATIONS = (0.1, 0.2, 0.3, 0.4, 0.6)
"""The correlations within a run that are weighed against independence."""

DOUBT = 0.03
"""The weight of all of them together before any data. Chosen by simulation: less lets harmless
changes through to a block where samples are alike, more costs breaks of suites that never flicker,
which cannot show that their samples are independent."""

UNSEEN = 0.2
"""The correlation that is taken for granted where no case has two samples in the run: then nothing
can show whether a run's samples are alike, not even in a suite that flickers."""

_RATES = tuple((i + 0.5) / 40 for i in range(40))


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a comparison shows of the correlation of samples within a run."""

    weights: tuple[tuple[float, float], ...]
    """(correlation, weight): 0 first, then `CORRELATIONS`; the weights are in 0..1 and sum to 1."""

    @property
    def correlation(self) -> float:
        """The mean correlation under the weights, 0 <= rho < 1."""
        return sum(rho * weight for rho, weight in self.weights)


def assumed(*, repeated: bool) -> Likeness:
    """Return the weights before anything is seen.

    Args:
        repeated: whether any case has two samples or more in the run; if not, `UNSEEN` is certain.
    """
    share = DOUBT / len(CORRELATIONS)
    weights = {0.0: 1 - DOUBT, **dict.fromkeys(CORRELATIONS, share)}
    if not repeated:
        weights = {rho: float(rho == UNSEEN) for rho in weights}
    return Likeness(tuple(weights.items()))


def likeness(cells: Iterable[Cell]) -> Likeness:
    """Weigh the correlations within a run by how well they explain these cases.

    The weight of a correlation is that of before (`assumed`) times its likelihood:
    the chance of a case's split of passes over the two runs, given their sum, with its pass rate
    equally likely anywhere in 0..1 (for independent samples the rate does not matter). Whole flips
    are left out, and breaks but for one sample of 3 or more too: they are what the break rule is
    about, and their chances are those among the splits that are left.

    Args:
        cells: one per compared case, 0 <= passes <= samples, samples >= 1.
    """
    counted = Counter(cells)
    repeated = any(n > 1 for *_, n in counted)
    before = assumed(repeated=repeated)
    if not repeated:
        return before
    logs = dict.fromkeys((0.0, *CORRELATIONS), 0.0)
    for cell, times in counted.items():
        for rho, value in _log_chances(*cell).items():
            logs[rho] += times * value
    best = max(logs.values())
    raw = {rho: weight * exp(logs[rho] - best) for rho, weight in before.weights}
    total = sum(raw.values())
    return Likeness(tuple((rho, value / total) for rho, value in raw.items()))


def flickers(b: int, a: int, w: int, n: int) -> bool:
    """Whether a case neither stayed all passed or all failed, nor flipped as a whole.

    Args:
        b: passes before, 0..a.
        a: samples before, >= 1.
        w: passes now, 0..n.
        n: samples now, >= 1.
    """
    return 0 < b < a or 0 < w < n


@lru_cache(maxsize=65536)
def _log_chances(b: int, a: int, w: int, n: int) -> Mapping[float, float]:
    """Return correlation -> the log chance of this split, given its sum; nothing if left out."""
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
                beta_binomial(x, a, rate, rho) * beta_binomial(y, n, rate, rho) for rate in _RATES
            )
            for x, y in splits
        }
        log_chances[rho] = log(chances[b, w] / sum(chances.values()))
    return log_chances


def _left_out(b: int, a: int, w: int, n: int) -> bool:
    """Whether a split is a whole flip, or a break but for one of 3 or more baseline samples."""
    spare = 1 if min(a, n) >= 3 else 0
    return (not w and b >= a - spare) or (not b and w == n)
