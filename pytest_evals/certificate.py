"""Certificate: the calibration report of one judge against human labels. Pure functions.

A certificate records what was measured, on which labels, for exactly which judge. It holds no
verdict. Each use compares it with the thresholds in the judge's definition, so that a change of
these takes effect at once. This module knows nothing of files, scorers or models.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError, model_validator

from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import suggest
from pytest_evals.stats.estimate import Absent, Estimate

if TYPE_CHECKING:
    from pytest_evals.stats.prevalence import JudgeError

DEFAULT_THRESHOLDS = {"precision": 0.9, "recall": 0.95, "max_dangerous": 0}
"""The thresholds of ``requires_certificate: true``."""


class CertificateThresholds(Frozen):
    """What a judge must reach on human labels before its verdicts count.

    ``true`` and an empty mapping mean precision 0.9, recall 0.95 and no false pass. A mapping that
    sets a threshold requires only those it sets. `min_labels` and `max_errors` always apply.
    """

    precision: float | None = Field(default=None, gt=0, le=1)
    """Minimum share of the judge's passes that humans pass too, 0..1."""
    recall: float | None = Field(default=None, gt=0, le=1)
    """Minimum share of the humans' passes that the judge passes too, 0..1."""
    kappa: float | None = Field(default=None, gt=-1, le=1)
    """Minimum agreement beyond chance (Cohen's kappa), -1..1."""
    max_dangerous: int | None = Field(default=None, ge=0)
    """Maximum number of false passes: answers that the judge passes and humans fail."""
    min_labels: int = Field(default=30, ge=1)
    """Minimum number of answers with both a human label and a verdict of the judge."""
    max_errors: float = Field(default=0.05, ge=0, lt=1)
    """Maximum share of labelled answers that the judge could not score, 0..1."""
    lower_ends: bool = False
    """Whether the lower end of each interval, not the value, must reach the threshold."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, data: object) -> object:
        """Accept ``true``. Add the default thresholds if none is set."""
        if data is True:
            return dict(DEFAULT_THRESHOLDS)
        thresholds = {"precision", "recall", "kappa", "max_dangerous"}
        if isinstance(data, dict) and not thresholds & data.keys():
            return {**DEFAULT_THRESHOLDS, **data}
        return data


def parse_thresholds(value: object) -> CertificateThresholds | None:
    """Parse `requires_certificate`: ``true``, ``false``, None or a mapping.

    Raises:
        ValueError: the value is invalid; the message is for the user.
    """
    if value is None or value is False or isinstance(value, CertificateThresholds):
        return value or None
    try:
        return CertificateThresholds.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = suggest(key, CertificateThresholds.model_fields)
            raise ValueError(f"`requires_certificate` has no threshold {key!r}.{hint}") from None
        option = f"`requires_certificate.{key}`" if key else "`requires_certificate`"
        reason = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise ValueError(f"{option}: {reason}, found {first['input']!r}") from None


class Rate(Frozen):
    """A measured number with its n and its 95 % interval, or the reason why it is absent."""

    value: float | None = None
    """The value; None if it could not be measured."""
    low: float | None = None
    """Lower end of the interval; None if there is no interval."""
    high: float | None = None
    """Upper end of the interval; None if there is no interval."""
    n: int = 0
    """Number of labelled answers it was computed from."""
    absent: str | None = None
    """Why there is no value; None if there is one."""

    @classmethod
    def of(cls, statistic: Estimate | Absent) -> Self:
        """Round a statistic to six digits, so that equal measurements give equal files."""
        if isinstance(statistic, Absent):
            return cls(absent=statistic.reason)
        low = None if statistic.low is None else round(statistic.low, 6)
        high = None if statistic.high is None else round(statistic.high, 6)
        return cls(value=round(statistic.value, 6), low=low, high=high, n=statistic.n)

    def __str__(self) -> str:
        if self.value is None:
            return f"- ({self.absent})"
        ends = ""
        if self.low is not None and self.high is not None:
            ends = f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{ends}, n={self.n}"


class Labels(Frozen):
    """The human labels that a certificate was measured on."""

    digest: str
    """Digest of the labels and the answers they belong to, 16 hexadecimal digits."""
    path: str | None = None
    """The labels file, relative to the dataset's folder; None if all labels are from a store."""
    items: int = 0
    """Number of labelled answers."""
    raters: tuple[str, ...] = ()
    """Names of the raters, sorted."""


class FalsePasses(Frozen):
    """Answers that the judge passes and humans fail."""

    count: int = 0
    """Number of false passes."""
    n: int = 0
    """Number of answers that humans fail."""
    high_risk: int = 0
    """Number of false passes on cases marked as high risk."""
    upper: float | None = None
    """One-sided 95 % upper bound of `count / n`, 0..1; None if n is 0."""
    cases: tuple[str, ...] = ()
    """Ids of the cases with a false pass, sorted."""


class Certificate(Frozen):
    """How one judge agrees with human labels."""

    format: int = 1
    """Version of the file format."""
    judge: str
    """Its name in the dataset's `judges`."""
    dataset: str
    """Name of the dataset."""
    fingerprint: str
    """Digest of the judge's rubric, model, prompts, scale and examples."""
    models: tuple[str, ...] = ()
    """Ids of the models that judged."""
    min_score: float | None = None
    """Threshold at which the judge passes an answer; None if its label decides."""
    labels: Labels
    """The labels it was measured on."""
    metrics: dict[str, Rate] = Field(default_factory=dict)
    """By name: precision, recall, f1, macro_f1, accuracy and kappa. Also alpha (several raters),
    spearman and mae (scales) and self_consistency (repeated judging)."""
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Number of answers by the human label (pass, fail), then by the judge's verdict."""
    labels_confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """The same for the judge's labels, if humans gave such labels."""
    dangerous: FalsePasses = FalsePasses()
    """False passes of the judge."""
    unscored: int = 0
    """Number of labelled answers that the judge could not score."""
    unusable: str | None = Field(default=None, exclude=True)
    """Why it cannot be used: its labels changed or its file is broken. Set when it is read, never
    written; None if it can be used."""


def unmet_thresholds(
    thresholds: CertificateThresholds, certificate: Certificate
) -> tuple[str, ...]:
    """Return a sentence for each threshold that a certificate misses."""
    return tuple(_unmet(thresholds, certificate))


def _unmet(thresholds: CertificateThresholds, certificate: Certificate) -> Iterator[str]:
    """Yield a sentence for each threshold that a certificate misses."""
    labelled, unscored = certificate.labels.items, certificate.unscored
    if labelled - unscored < thresholds.min_labels:
        yield f"{labelled - unscored} labelled answers, required: at least {thresholds.min_labels}"
    if unscored / max(1, labelled) > thresholds.max_errors:
        yield (
            f"{unscored} of {labelled} answers could not be scored, "
            f"allowed: at most {thresholds.max_errors:.0%}"
        )
    for name in ("precision", "recall", "kappa"):
        threshold: float | None = getattr(thresholds, name)
        if threshold is not None:
            yield from _unmet_rate(name, threshold, certificate, lower=thresholds.lower_ends)
    allowed, false_passes = thresholds.max_dangerous, certificate.dangerous
    if allowed is not None and false_passes.count > allowed:
        yield (
            f"{false_passes.count} of {false_passes.n} answers that people fail were passed, "
            f"allowed: at most {allowed}"
        )
    if allowed is not None and not false_passes.n:
        yield "people fail none of the labelled answers, so false passes cannot be measured"


def _unmet_rate(
    name: str, threshold: float, certificate: Certificate, *, lower: bool
) -> Iterator[str]:
    """Yield a sentence if one metric misses its threshold."""
    rate = certificate.metrics.get(name, Rate(absent="it was not measured"))
    compared = rate.low if lower else rate.value
    if rate.value is None:
        yield f"{name} is unknown: {rate.absent}"
    elif compared is None:
        yield f"{name} has no interval; its lower end is required to reach {threshold:g}"
    elif compared < threshold:
        end = "the lower end of " if lower else ""
        yield f"{end}{name} is {compared:.3f}, required: at least {threshold:g}"


def advisory_reason(
    thresholds: CertificateThresholds | None,
    *,
    fingerprint: str,
    min_score: float | None,
    certificate: Certificate | None,
) -> str | None:
    """Return why a judge's scores are advisory (not counted); None if they count.

    Args:
        thresholds: what the judge's definition requires; None requires no certificate.
        fingerprint: digest of the judge as it is defined now.
        min_score: the threshold that this use of the judge sets.
        certificate: the judge's certificate; None if there is none.
    """
    if thresholds is None:
        return None
    if certificate is None:
        return "it has no certificate"
    if certificate.unusable is not None:
        return f"its certificate cannot be used: {certificate.unusable}"
    if certificate.fingerprint != fingerprint:
        return "its certificate is stale: the judge (rubric, model or prompt) has changed since"
    if certificate.min_score != min_score:
        return (
            f"its certificate is for {_threshold_text(certificate.min_score)}, but it is used with "
            f"{_threshold_text(min_score)}"
        )
    missed = unmet_thresholds(thresholds, certificate)
    return f"its certificate fails: {'; '.join(missed)}" if missed else None


def _threshold_text(min_score: float | None) -> str:
    """Format a judge's threshold for a message."""
    return "no min_score" if min_score is None else f"min_score {min_score:g}"


def judge_error(certificate: Certificate) -> "JudgeError | None":
    """Return the judge's error counts, which `stats.prevalence` corrects a pass rate by.

    None if humans passed none, or failed none, of the labelled answers.
    """
    from pytest_evals.stats.prevalence import JudgeError

    counts = certificate.confusion
    passed, failed = counts.get("pass", {}), counts.get("fail", {})
    if not sum(passed.values()) or not sum(failed.values()):
        return None
    return JudgeError(
        passed_right=passed.get("pass", 0),
        passed=sum(passed.values()),
        failed_right=failed.get("fail", 0),
        failed=sum(failed.values()),
    )


def certificate_text(certificate: Certificate) -> str:
    """Return the text of a certificate's file: sorted JSON, one fact a line, no timestamp."""
    fields: dict[str, Any] = certificate.model_dump(mode="json", exclude_defaults=True)
    return (
        json.dumps(
            {"format": certificate.format, **fields}, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
    )


def read_certificate(text: str) -> Certificate:
    """Parse the text of a certificate's file.

    Raises:
        ValueError: the text is not a certificate; the message says why.
    """
    try:
        return Certificate.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{where}: {first['msg']}") from None
