"""Certificate: how a judge agrees with people, and whether that is enough for a vote. Pure.

A certificate says what was measured, on which labels, of exactly which judge. Whether it is enough
is decided each time it is used, by the bars that stand in the judge's definition: a certificate
holds no verdict that could outlive a change of them.
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

STANDARD = {"precision": 0.9, "recall": 0.95, "max_dangerous": 0}
"""The bars of ``requires_certificate: true``."""


class Bars(Frozen):
    """What a judge must reach on people's labels before its verdicts count.

    ``true`` and an empty mapping mean precision 0.9, recall 0.95 and no dangerous error. In a
    mapping with bars, those that are left out are not asked for; `min_labels` and `max_errors`
    always hold.
    """

    precision: float | None = Field(default=None, gt=0, le=1)
    """The least share of the judge's passes that people pass too."""
    recall: float | None = Field(default=None, gt=0, le=1)
    """The least share of people's passes that the judge passes too."""
    kappa: float | None = Field(default=None, gt=-1, le=1)
    """The least agreement beyond chance (Cohen)."""
    max_dangerous: int | None = Field(default=None, ge=0)
    """The most answers that the judge passes and people fail."""
    min_labels: int = Field(default=30, ge=1)
    """The least number of answers with a label of people's and a verdict of the judge's."""
    max_errors: float = Field(default=0.05, ge=0, lt=1)
    """The greatest share of labelled answers that the judge could not score."""
    lower_ends: bool = False
    """Whether the lower end of each interval must reach its bar, instead of the value."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept ``true``, and fill in the standard bars where none is given."""
        if data is True:
            return dict(STANDARD)
        named = {"precision", "recall", "kappa", "max_dangerous"}
        if isinstance(data, dict) and not named & data.keys():
            return {**STANDARD, **data}
        return data


def bars_of(written: object) -> Bars | None:
    """Return the bars that are written: ``true``, ``false``, nothing, or a mapping.

    Raises:
        ValueError: they are not right, in words.
    """
    if written is None or written is False or isinstance(written, Bars):
        return written or None
    try:
        return Bars.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = suggest(key, Bars.model_fields)
            raise ValueError(f"`requires_certificate` has no bar {key!r}.{hint}") from None
        what = f"`requires_certificate.{key}`" if key else "`requires_certificate`"
        words = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise ValueError(f"{what}: {words}, found {first['input']!r}") from None


class Rate(Frozen):
    """A measured number with its n and its interval, or why there is none."""

    value: float | None = None
    low: float | None = None
    """The lower end of the interval; None where there is none."""
    high: float | None = None
    n: int = 0
    """Labelled answers behind it."""
    absent: str | None = None
    """Why there is no value."""

    @classmethod
    def of(cls, found: Estimate | Absent) -> Self:
        """Keep a statistic, to six digits, so that equal measurements are equal files."""
        if isinstance(found, Absent):
            return cls(absent=found.reason)
        low = None if found.low is None else round(found.low, 6)
        high = None if found.high is None else round(found.high, 6)
        return cls(value=round(found.value, 6), low=low, high=high, n=found.n)

    def __str__(self) -> str:
        if self.value is None:
            return f"- ({self.absent})"
        ends = ""
        if self.low is not None and self.high is not None:
            ends = f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{ends}, n={self.n}"


class Labels(Frozen):
    """The labels a certificate rests on."""

    digest: str
    """16 hexadecimal digits over what people said of which answers."""
    path: str | None = None
    """The file, relative to the dataset's folder; None where they came from a store alone."""
    items: int = 0
    """Labelled answers."""
    raters: tuple[str, ...] = ()


class Dangerous(Frozen):
    """Answers that the judge passes and people fail."""

    count: int = 0
    n: int = 0
    """Answers that people fail."""
    high_risk: int = 0
    """How many of the errors are on cases marked as high risk."""
    upper: float | None = None
    """A one-sided 95 % upper bound of their share among what people fail; None where n is 0."""
    cases: tuple[str, ...] = ()
    """The cases of these errors, sorted."""


class Certificate(Frozen):
    """How one judge agrees with people."""

    format: int = 1
    judge: str
    """Its name in the dataset's `judges`."""
    dataset: str
    fingerprint: str
    """Of the judge: its rubric, model, prompts, scale and examples."""
    models: tuple[str, ...] = ()
    """Who judged."""
    min_score: float | None = None
    """The bar from which the judge passes an answer; None where it says so itself."""
    labels: Labels
    metrics: dict[str, Rate] = Field(default_factory=dict)
    """precision, recall, f1, macro_f1, accuracy, kappa; alpha for several raters; spearman and mae
    for scales; self_consistency for repeats."""
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """pass and fail: by what people said, then by what the judge said."""
    labels_confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """The same for a judge's own labels, where people gave these."""
    dangerous: Dangerous = Dangerous()
    unscored: int = 0
    """Labelled answers that the judge could not score."""
    unusable: str | None = Field(default=None, exclude=True)
    """Why it cannot be used (its labels have changed, its file is broken); found when it is read,
    not kept."""


def failures(bars: Bars, certificate: Certificate) -> tuple[str, ...]:
    """Return every bar that a certificate misses, in words; empty where it reaches all of them."""
    return tuple(_failures(bars, certificate))


def _failures(bars: Bars, certificate: Certificate) -> Iterator[str]:
    """Yield the bars that are missed."""
    scored = certificate.labels.items - certificate.unscored
    if scored < bars.min_labels:
        yield f"{scored} labelled answers, at least {bars.min_labels} are asked for"
    share = certificate.unscored / max(1, certificate.labels.items)
    if share > bars.max_errors:
        yield (
            f"{certificate.unscored} of {certificate.labels.items} answers could not be scored, "
            f"at most {bars.max_errors:.0%} may"
        )
    for name in ("precision", "recall", "kappa"):
        bar: float | None = getattr(bars, name)
        if bar is not None:
            yield from _short(name, bar, certificate, lower=bars.lower_ends)
    most = bars.max_dangerous
    if most is not None and certificate.dangerous.count > most:
        yield (
            f"{certificate.dangerous.count} of {certificate.dangerous.n} answers that people fail "
            f"were passed, at most {most} may be"
        )
    if most is not None and not certificate.dangerous.n:
        yield "people fail none of the labelled answers, so dangerous errors could not show"


def _short(name: str, bar: float, certificate: Certificate, *, lower: bool) -> Iterator[str]:
    """Yield what is wrong with one metric."""
    rate = certificate.metrics.get(name, Rate(absent="it was not measured"))
    reached = rate.low if lower else rate.value
    if rate.value is None:
        yield f"{name} is not known: {rate.absent}"
    elif reached is None:
        yield f"{name} has no interval whose lower end could reach {bar:g}"
    elif reached < bar:
        end = "the lower end of " if lower else ""
        yield f"{end}{name} is {reached:.3f}, at least {bar:g} is asked for"


def advisory_reason(
    bars: Bars | None,
    *,
    fingerprint: str,
    min_score: float | None,
    certificate: Certificate | None,
) -> str | None:
    """Say why a judge has no vote; None where it has one.

    Args:
        bars: what its definition requires; None requires nothing.
        fingerprint: of the judge as it is now.
        min_score: the bar it is used with.
        certificate: of its name; None where there is none.
    """
    if bars is None:
        return None
    if certificate is None:
        return "it has no certificate"
    if certificate.unusable is not None:
        return f"its certificate cannot be used: {certificate.unusable}"
    if certificate.fingerprint != fingerprint:
        return "its certificate is stale: the judge (rubric, model or prompt) has changed since"
    if certificate.min_score != min_score:
        return (
            f"its certificate is for {_bar(certificate.min_score)}, but it is used with "
            f"{_bar(min_score)}"
        )
    missed = failures(bars, certificate)
    return f"its certificate fails: {'; '.join(missed)}" if missed else None


def _bar(min_score: float | None) -> str:
    """Write a bar."""
    return "no min_score" if min_score is None else f"min_score {min_score:g}"


def judge_error(certificate: Certificate) -> "JudgeError | None":
    """Return the judge's known errors, to correct a pass rate by (`stats.prevalence`).

    None where people passed, or failed, none of the labelled answers.
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
    """Write a certificate as its file: sorted, without a time, one fact a line."""
    plain: dict[str, Any] = certificate.model_dump(mode="json", exclude_defaults=True)
    whole = {"format": certificate.format, **plain}
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_certificate(text: str) -> Certificate:
    """Read a certificate's file.

    Raises:
        ValueError: it is none, and why.
    """
    try:
        return Certificate.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{where}: {first['msg']}") from None
