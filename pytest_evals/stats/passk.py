"""Metrics of several samples per case: pass@k, pass^k, consistency, recovery."""

from collections.abc import Callable, Sequence
from math import comb

from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import check_counts, clustered_mean, clustered_rate, wilson


def pass_at_k(n: int, c: int, k: int) -> float | Absent:
    """Return pass@k: the unbiased estimate of the chance that at least one of k samples passes.

    1 - C(n-c, k) / C(n, k): Chen et al. 2021, "Evaluating large language models trained on code",
    arXiv 2107.03374, equation 1.

    Args:
        n: scored samples of the case, >= 1.
        c: how many of them passed, 0..n.
        k: the number of samples, >= 1.

    Returns:
        The chance in 0..1, or Absent if n < k.

    Raises:
        ValueError: impossible counts, or k < 1.
    """
    _check(n, c, k)
    return _too_few(n, k) if n < k else 1 - comb(n - c, k) / comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float | Absent:
    """Return pass^k: the unbiased estimate of the chance that all of k samples pass.

    C(c, k) / C(n, k): Yao et al. 2024, "τ-bench", arXiv 2406.12045, section 3.

    Args:
        n: scored samples of the case, >= 1.
        c: how many of them passed, 0..n.
        k: the number of samples, >= 1.

    Returns:
        The chance in 0..1, or Absent if n < k.

    Raises:
        ValueError: impossible counts, or k < 1.
    """
    _check(n, c, k)
    return _too_few(n, k) if n < k else comb(c, k) / comb(n, k)


def _check(n: int, c: int, k: int) -> None:
    check_counts(c, n)
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")


def _too_few(n: int, k: int) -> Absent:
    samples = "1 scored sample is" if n == 1 else f"{n} scored samples are"
    return Absent(f"{samples} fewer than k = {k}")


def mean_pass_at_k(
    counts: Sequence[tuple[int, int]],
    k: int,
    *,
    confidence: float = 0.95,
    allow_short: bool = False,
) -> Estimate | Absent:
    """Return the mean of pass@k over cases, with an interval clustered by case.

    Args:
        counts: (passes, n) of each case, 0 <= passes <= n, n >= 1.
        k: the number of samples, >= 1.
        confidence: inside (0, 1).
        allow_short: whether cases with fewer than k samples are left out and counted in `dropped`;
            if not, one such case makes the mean Absent.

    Returns:
        The estimate in 0..1 (for k = 1 `clustered_rate`, otherwise `clustered_mean` within 0..1),
        or Absent if a case has fewer than k samples, or no case is left.

    Raises:
        ValueError: impossible counts, k < 1, or the confidence is not inside (0, 1).
    """
    return _mean(counts, k, pass_at_k, confidence=confidence, allow_short=allow_short)


def mean_pass_hat_k(
    counts: Sequence[tuple[int, int]],
    k: int,
    *,
    confidence: float = 0.95,
    allow_short: bool = False,
) -> Estimate | Absent:
    """Return the mean of pass^k over cases, with an interval clustered by case.

    Arguments, result and errors are those of `mean_pass_at_k`.
    """
    return _mean(counts, k, pass_hat_k, confidence=confidence, allow_short=allow_short)


def _mean(
    counts: Sequence[tuple[int, int]],
    k: int,
    of_case: Callable[[int, int, int], float | Absent],
    *,
    confidence: float,
    allow_short: bool,
) -> Estimate | Absent:
    values = [of_case(n, passes, k) for passes, n in counts]
    enough = [value for value in values if not isinstance(value, Absent)]
    short = len(values) - len(enough)
    if short and not allow_short:
        least = min(n for _, n in counts)
        return Absent(f"{short} of {len(values)} cases have fewer than k = {k} scored samples "
                      f"(the fewest: {least})")  # fmt: skip
    kept = [(passes, n) for passes, n in counts if n >= k]
    if k == 1:
        return clustered_rate(kept, confidence=confidence)
    estimate = clustered_mean(
        [[value] for value in enough], confidence=confidence, bounds=(0.0, 1.0)
    )
    if isinstance(estimate, Absent):
        return Absent(f"no case has k = {k} scored samples") if short else estimate
    return Estimate(
        estimate.value,
        estimate.low,
        estimate.high,
        sum(n for _, n in kept),
        estimate.cases,
        confidence,
        estimate.method,
        short,
        estimate.unknown,
    )


def consistency(
    counts: Sequence[tuple[int, int]], *, confidence: float = 0.95
) -> Estimate | Absent:
    """Return the mean chance that two samples of a case agree (both pass or both fail).

    The unbiased estimate per case is (c(c-1) + f(f-1)) / (n(n-1)) with f = n-c, the pairwise
    agreement of Fleiss 1971, "Measuring nominal scale agreement among many raters". 1 means equal
    outcomes of all samples of a case; 0.5 is a coin toss.

    Args:
        counts: (passes, n) of each case; cases with one sample are left out and counted.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, or Absent if no case has two samples.

    Raises:
        ValueError: impossible counts, or the confidence is not inside (0, 1).
    """
    for passes, n in counts:
        check_counts(passes, n)
    several = [(c, n) for c, n in counts if n >= 2]
    if not several:
        return Absent("no case has two scored samples")
    values = [[(c * (c - 1) + (n - c) * (n - c - 1)) / (n * (n - 1))] for c, n in several]
    estimate = clustered_mean(values, confidence=confidence, bounds=(0.0, 1.0))
    assert isinstance(estimate, Estimate)
    return Estimate(
        estimate.value,
        estimate.low,
        estimate.high,
        sum(n for _, n in several),
        len(several),
        confidence,
        estimate.method,
        len(counts) - len(several),
        estimate.unknown,
    )


def recovery(samples: Sequence[Sequence[bool]], *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of cases with a later pass among those with a failed first sample.

    Args:
        samples: the outcomes of each case in the order drawn. Empty cases, and cases that failed
            in their only sample, are left out and counted.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1 with Wilson's interval (one observation per case), or Absent if no case
        with a second sample failed its first.

    Raises:
        ValueError: the confidence is not inside (0, 1).
    """
    second_chances = [case for case in samples if len(case) > 1 and not case[0]]
    dropped = sum(not case or list(case) == [False] for case in samples)
    if not second_chances:
        return Absent("no case with a second sample failed its first")
    recovered = sum(map(any, second_chances))
    rate = wilson(recovered, len(second_chances), confidence=confidence)
    n = sum(map(len, second_chances))
    return Estimate(
        rate.value, rate.low, rate.high, n, rate.cases, confidence, rate.method, dropped
    )
