"""The chance of a flip: all samples of a case pass in one run, and none in the next.

Samples of one run may be correlated. Then each run has its own pass rate, a beta variable around
the case's rate, and its passes are beta-binomial (Skellam 1948). `rho` is the correlation of two
samples of one run, 0 for independent samples. No function here uses data.
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp, lgamma, log

_RATES = (0.001, *(i / 50 for i in range(1, 50)), 0.999)


@lru_cache(maxsize=65536)
def max_flip_chance(a: int, m: int) -> float:
    """Return the greatest chance, over all pass rates, of a passes and then m failures.

    q(a, m) = a^a·m^m / (a+m)^(a+m), reached at the pass rate a/(a+m).

    Args:
        a: samples that all passed, >= 1.
        m: later samples that all failed, >= 1.

    Returns:
        A probability inside (0, 1).

    Raises:
        ValueError: a count is less than 1.
    """
    if a < 1 or m < 1:
        raise ValueError(f"both counts must be 1 or more, got {a} and {m}")
    return exp(a * log(a) + m * log(m) - (a + m) * log(a + m))


@lru_cache(maxsize=65536)
def max_correlated_flip_chance(a: int, m: int, rho: float) -> float:
    """Return the greatest chance of a passes in one run and m failures in another.

    Args:
        a: samples of the first run, which all passed, >= 1.
        m: samples of the second run, which all failed, >= 1.
        rho: the correlation within a run, 0 <= rho < 1.

    Raises:
        ValueError: a count is less than 1, or rho is outside its range.
    """
    _check_rho(rho)
    if not rho:
        return max_flip_chance(a, m)
    if a < 1 or m < 1:
        raise ValueError(f"both counts must be 1 or more, got {a} and {m}")
    return exp(_log_flip(_top(lambda rate: _log_flip(rate, a, m, rho), 0.0, 1.0), a, m, rho))


@lru_cache(maxsize=65536)
def max_flips_per_flicker(a: int, n: int, m: int, rho: float) -> float:
    """Return the greatest number of false breaks per flickering case.

    It is the greatest ratio, over pass rates, of two chances: of a passes followed by m failures,
    and of flickering in a + n samples (neither unchanged nor flipped). A case that can flip by
    chance mostly flickers, so the flickering cases bound the number of those that can flip.

    Args:
        a: samples of the first run, >= 1.
        n: samples of the second run without confirmation, >= 1; a + n >= 3.
        m: samples of the second run with confirmation, >= n.
        rho: the correlation within a run, 0 < rho < 1.

    Returns:
        A ratio > 0.

    Raises:
        ValueError: rho is outside its range.
    """
    _check_rho(rho)

    def ratio(rate: float) -> float:
        return exp(_log_flip(rate, a, m, rho)) / _flicker(rate, a, n, rho)

    best = max(range(len(_RATES)), key=lambda i: ratio(_RATES[i]))
    low, high = _RATES[max(best - 1, 0)], _RATES[min(best + 1, len(_RATES) - 1)]
    return max(ratio(_RATES[best]), ratio(_top(ratio, low, high, steps=25)))


def _flicker(rate: float, a: int, n: int, rho: float) -> float:
    ends = [(beta_binomial_chance(0, size, rate, rho), beta_binomial_chance(size, size, rate, rho))
            for size in (a, n)]  # fmt: skip
    return 1 - sum(ends[0]) * sum(ends[1])


@lru_cache(maxsize=262144)
def beta_binomial_chance(passes: int, n: int, rate: float, rho: float) -> float:
    """Return the chance of this many passes in n samples of one run.

    Args:
        passes: 0..n.
        n: samples, >= 0.
        rate: the case's pass rate, inside (0, 1).
        rho: the correlation within a run, 0 < rho < 1.

    Returns:
        A probability inside (0, 1).
    """
    weight = (1 - rho) / rho
    yes, no, fails = rate * weight, (1 - rate) * weight, n - passes
    return exp(
        lgamma(n + 1) - lgamma(passes + 1) - lgamma(fails + 1)
        + lgamma(yes + passes) - lgamma(yes) + lgamma(no + fails) - lgamma(no)
        + lgamma(weight) - lgamma(weight + n)
    )  # fmt: skip


def _top(curve: Callable[[float], float], low: float, high: float, steps: int = 60) -> float:
    """Return the maximum point of a unimodal function between two points."""
    for _ in range(steps):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if curve(left) < curve(right):
            low = left
        else:
            high = right
    return (low + high) / 2


def _log_flip(rate: float, a: int, m: int, rho: float) -> float:
    """Return the log of the chance of a flip at this pass rate."""
    weight = (1 - rho) / rho
    yes, no = rate * weight, (1 - rate) * weight
    return (
        lgamma(yes + a) - lgamma(yes) + lgamma(no + m) - lgamma(no)
        + 2 * lgamma(weight) - lgamma(weight + a) - lgamma(weight + m)
    )  # fmt: skip


def _check_rho(rho: float) -> None:
    if not 0 <= rho < 1:
        raise ValueError(f"a correlation must be at least 0 and below 1, got {rho}")
