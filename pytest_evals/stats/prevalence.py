"""A pass rate corrected for the known errors of the judge that gave it. Shown; never gates."""

from dataclasses import dataclass
from math import isfinite, sqrt

from pytest_evals.stats.distributions import normal_quantile
from pytest_evals.stats.estimate import Absent, Estimate, check_confidence
from pytest_evals.stats.intervals import check_counts, wilson


@dataclass(frozen=True, slots=True)
class JudgeError:
    """How a judge did on items that people labelled."""

    passed_right: int
    """Items people pass that the judge passes too, 0..passed."""

    passed: int
    """Items people pass, >= 1."""

    failed_right: int
    """Items people fail that the judge fails too, 0..failed."""

    failed: int
    """Items people fail, >= 1."""

    def __post_init__(self) -> None:
        check_counts(self.passed_right, self.passed)
        check_counts(self.failed_right, self.failed)

    @property
    def sensitivity(self) -> float:
        """The share of people's passes that the judge passes, 0..1."""
        return self.passed_right / self.passed

    @property
    def specificity(self) -> float:
        """The share of people's fails that the judge fails, 0..1."""
        return self.failed_right / self.failed


def rogan_gladen(
    apparent: float,
    effective: float,
    judge: JudgeError,
    *,
    n: int,
    cases: int,
    confidence: float = 0.95,
) -> Estimate | Absent:
    """Return the pass rate people would give, from the judge's pass rate and its known errors.

    (apparent + specificity - 1)/(sensitivity + specificity - 1), limited to 0..1: Rogan and Gladen
    1978, "Estimating prevalence from the results of a screening test". The interval carries the
    uncertainty of all three rates: Lang and Reiczigel 2014, "Confidence limits for prevalence of
    disease adjusted for estimated sensitivity and specificity". Where the interval of
    sensitivity + specificity - 1 (Newcombe 1998, method 10, from Wilson's) reaches 0 the judge may
    be no better than a coin, and nothing is corrected.

    Args:
        apparent: the judge's pass rate, 0..1.
        effective: the effective number of independent samples behind it, > 0 (the number of cases
            is a safe choice where samples are repeated).
        judge: its errors on labelled items.
        n: samples behind the apparent rate, shown with the result.
        cases: cases behind it, shown with the result.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, or Absent where the judge's labels do not tell passes from fails.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_confidence(confidence)
    if not 0 <= apparent <= 1 or not (effective > 0 and isfinite(effective)):
        raise ValueError(f"a rate in 0..1 of > 0 samples is needed, got {apparent}, {effective}")
    least = _least_power(judge, confidence)
    if least <= 0:
        return Absent(
            f"the judge may not tell passes from fails: sensitivity {judge.sensitivity:.2f} "
            f"(of {judge.passed}) + specificity {judge.specificity:.2f} (of {judge.failed}) - 1 "
            f"may be as low as {least:.2f}"
        )
    power = judge.sensitivity + judge.specificity - 1
    value = _unit((apparent + judge.specificity - 1) / power)
    low, high = _lang_reiczigel(apparent, effective, judge, confidence)
    method = "Lang-Reiczigel"
    return Estimate(value, min(low, value), max(high, value), n, cases, confidence, method)


def _unit(x: float) -> float:
    return min(1.0, max(0.0, x))


def _least_power(judge: JudgeError, confidence: float) -> float:
    """Return the lower end of the interval of sensitivity + specificity - 1."""
    off = 0.0
    for right, of in ((judge.passed_right, judge.passed), (judge.failed_right, judge.failed)):
        rate = wilson(right, of, confidence=confidence)
        assert rate.low is not None
        off += (rate.value - rate.low) ** 2
    return judge.sensitivity + judge.specificity - 1 - sqrt(off)


def _lang_reiczigel(
    apparent: float, effective: float, judge: JudgeError, confidence: float
) -> tuple[float, float]:
    z = normal_quantile((1 + confidence) / 2)
    n = effective + z * z
    rate = (effective * apparent + z * z / 2) / n
    n_se, n_sp = judge.passed + 2, judge.failed + 2
    se, sp = (judge.passed_right + 1) / n_se, (judge.failed_right + 1) / n_sp
    power = se + sp - 1
    prevalence = _unit((rate + sp - 1) / power)
    noise_se, noise_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    middle = prevalence + 2 * z * z * (prevalence * noise_se - (1 - prevalence) * noise_sp)
    spread = (
        rate * (1 - rate) / n + (1 - prevalence) ** 2 * noise_sp + prevalence**2 * noise_se
    ) / power**2
    half = z * sqrt(spread)
    return _unit(middle - half), _unit(middle + half)
