"""A pass rate corrected for the measured errors of a judge; shown, never used by gates."""

from dataclasses import dataclass
from math import isfinite, sqrt

from pytest_evals.stats.distributions import normal_quantile
from pytest_evals.stats.estimate import Absent, Estimate, check_confidence
from pytest_evals.stats.intervals import check_counts, wilson


@dataclass(frozen=True, slots=True)
class JudgeError:
    """The errors of a judge on items with human labels."""

    passed_right: int
    """Items that people and the judge pass, 0..passed."""

    passed: int
    """Items that people pass, >= 1."""

    failed_right: int
    """Items that people and the judge fail, 0..failed."""

    failed: int
    """Items that people fail, >= 1."""

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
    """Return the pass rate of people, from the judge's pass rate and its measured errors.

    (apparent + specificity - 1)/(sensitivity + specificity - 1), limited to 0..1: Rogan and Gladen
    1978, "Estimating prevalence from the results of a screening test". The interval includes the
    uncertainty of all three rates: Lang and Reiczigel 2014, "Confidence limits for prevalence of
    disease adjusted for estimated sensitivity and specificity". If the interval of
    sensitivity + specificity - 1 (Newcombe 1998, method 10, from Wilson's) includes 0, the judge
    may be no better than chance, and no rate is corrected.

    Args:
        apparent: the judge's pass rate, 0..1.
        effective: the effective number of independent samples of that rate, > 0 (for repeated
            samples, the number of cases is a safe choice).
        judge: its errors on labelled items.
        n: samples of the apparent rate, shown with the result.
        cases: cases of the apparent rate, shown with the result.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, or Absent if the judge may not distinguish passes from fails.

    Raises:
        ValueError: an argument is outside its range.
    """
    check_confidence(confidence)
    if not 0 <= apparent <= 1 or not (effective > 0 and isfinite(effective)):
        raise ValueError(
            f"a rate in 0..1 and more than 0 samples are needed, got {apparent}, {effective}"
        )
    least = _least_power(judge, confidence)
    if least <= 0:
        return Absent(
            f"the judge may not distinguish passes from fails: sensitivity {judge.sensitivity:.2f} "
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
