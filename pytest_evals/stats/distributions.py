"""Tails and quantiles of distributions, in pure Python.

Every function raises ValueError for arguments outside its domain; none returns NaN.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_STEPS = 20_000
_TINY = 1e-300
_EPSILON = 1e-16


def normal_quantile(p: float) -> float:
    """Return the z below which a standard normal variable falls with probability p.

    Args:
        p: a probability, 0 < p < 1.

    Raises:
        ValueError: p is not inside (0, 1).
    """
    _inside_unit(p)
    return NormalDist().inv_cdf(p)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b), in 0..1.

    It is the chance that a Beta(a, b) variable is at most x. Evaluated by the continued fraction
    of DLMF 8.17.22 with Lentz's method (Press et al., Numerical Recipes, section 6.4).

    Args:
        x: 0..1.
        a: the first shape, > 0.
        b: the second shape, > 0.

    Raises:
        ValueError: an argument is outside its range, or the fraction does not converge (shapes
            beyond about 1e8).
    """
    if not (0 <= x <= 1 and 0 < a < inf and 0 < b < inf):
        raise ValueError(f"x must be in 0..1 and a, b > 0, got x={x}, a={a}, b={b}")
    if x in {0, 1}:
        return float(x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return min(1.0, front * _beta_fraction(x, a, b) / a)
    return max(0.0, 1 - front * _beta_fraction(1 - x, b, a) / b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + even * d)
        c = _not_zero(1 + even / c)
        result *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _not_zero(1 + odd * d)
        c = _not_zero(1 + odd / c)
        step = c * d
        result *= step
        if abs(step - 1) < 4 * _EPSILON:
            return result
    raise ValueError(f"the incomplete beta function does not converge at x={x}, a={a}, b={b}")


def _not_zero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return the x with I_x(a, b) = p, in 0..1.

    Args:
        p: a probability, 0..1.
        a: the first shape, > 0.
        b: the second shape, > 0.

    Raises:
        ValueError: p is not in 0..1 or a shape is not positive.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"a probability is in 0..1, got {p}")
    if p in {0, 1}:
        return float(p)
    return _solve(lambda x: incomplete_beta(x, a, b) - p, 0.0, 1.0)


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """Return the p-quantile of Student's t distribution.

    Args:
        p: a probability, 0 < p < 1.
        df: degrees of freedom, > 0; need not be whole.

    Raises:
        ValueError: p is not inside (0, 1), or df is not positive.
    """
    _inside_unit(p)
    if not 0 < df < inf:
        raise ValueError(f"degrees of freedom must be positive, got {df}")
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -t_quantile(1 - p, df)
    if df < 3 and p > 0.9:
        x = beta_quantile(2 * (1 - p), df / 2, 0.5)
        return sqrt(df * (1 - x) / x)
    if df < 3:
        y = beta_quantile(2 * p - 1, 0.5, df / 2)
        return sqrt(df * y / (1 - y))
    return _t_by_newton(p, df)


def _t_by_newton(p: float, df: float) -> float:
    """Start from the expansion of Fisher and Cornish 1960, then iterate Newton's method.

    Right of 0 the distribution function is concave, so every step after the first is from below.
    """
    z = normal_quantile(p)
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)
    scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * pi)
    for _ in range(60):
        below = 0.5 + incomplete_beta(t * t / (df + t * t), 0.5, df / 2) / 2
        step = (p - below) / (scale * exp(-(df + 1) / 2 * log1p(t * t / df)))
        t += step
        if abs(step) <= 1e-13 * t:
            break
    return t


def binomial_tail(k: int, n: int, p: float) -> float:
    """Return P(X >= k) for X ~ Binomial(n, p), in 0..1.

    By the identity P(X >= k) = I_p(k, n - k + 1) (DLMF 8.17.5).

    Args:
        k: the least number of successes; any whole number.
        n: the number of draws, >= 0.
        p: the chance of success of one draw, 0..1.

    Raises:
        ValueError: n is negative or p is not in 0..1.
    """
    if n < 0 or not 0 <= p <= 1:
        raise ValueError(f"n must be >= 0 and p in 0..1, got n={n}, p={p}")
    if k <= 0:
        return 1.0
    return 0.0 if k > n else incomplete_beta(p, k, n - k + 1)


def poisson_binomial_tail(k: int, chances: Iterable[float]) -> float:
    """Return P(at least k of n independent events with different chances), in 0..1.

    By the convolution recursion of the Poisson-binomial distribution (Hong 2013, "On computing
    the distribution function for the Poisson binomial distribution"). State k is absorbing, so no
    subtraction from 1 loses digits of small tails.

    Args:
        k: the least number of events; any whole number.
        chances: the chance of each event, each in 0..1.

    Raises:
        ValueError: a chance is not in 0..1.
    """
    if k <= 0:
        return 1.0
    exactly = [1.0] + [0.0] * k
    for p in chances:
        if not 0 <= p <= 1:
            raise ValueError(f"a chance is in 0..1, got {p}")
        exactly[k] += exactly[k - 1] * p
        for j in range(k - 1, 0, -1):
            exactly[j] = exactly[j] * (1 - p) + exactly[j - 1] * p
        exactly[0] *= 1 - p
    return min(1.0, exactly[k])


def _inside_unit(p: float) -> None:
    if not 0 < p < 1:
        raise ValueError(f"a probability inside (0, 1) is needed, got {p}")


def _solve(f: Callable[[float], float], low: float, high: float) -> float:
    """Find the root of an increasing function by bisection, to the last bits."""
    for _ in range(1100):
        middle = (low + high) / 2
        if middle in {low, high}:
            return middle
        if f(middle) < 0:
            low = middle
        else:
            high = middle
        if high - low <= 2 * _EPSILON * high:
            break
    return (low + high) / 2
