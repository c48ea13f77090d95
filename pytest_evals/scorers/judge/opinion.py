"""Opinions of judges, and how several are combined. Pure.

Ties fail the output. With the rules majority, median and unanimous, the combined value reaches
`min_score` exactly if the verdicts pass: value and verdict never disagree.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from statistics import fmean, median_low
from typing import Any, Literal

Repeats = Literal["mean", "median", "majority"]
"""How the repeats of one judge are combined."""
PanelRule = Literal["majority", "unanimous", "mean", "weighted"]
"""How the opinions of several judges are combined."""

_EPSILON = 1e-12
"""Tolerates rounding: a sum of seven tenths reaches a `min_score` of 0.7."""


class NoMajorityError(ValueError):
    """Several labels without values are equally frequent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The opinion of one judge on one output."""

    value: float | None = None
    """0..1; None if there is only a label."""
    passed: bool | None = None
    """The verdict; None without a `min_score`."""
    label: str | None = None
    blocked: str | None = None
    """The required criteria that the output misses, whatever its value; None if there are none."""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Additional data: the raw score, the criteria."""

    def with_verdict(self, min_score: float | None) -> "Opinion":
        """Return the opinion with the verdict by `min_score`."""
        if self.blocked is not None:
            return replace(self, passed=False)
        if min_score is None or self.value is None:
            return self
        return replace(self, passed=self.value >= min_score - _EPSILON)


def agreement(opinions: Sequence[Opinion]) -> float:
    """Return the share of the most frequent opinion, in (0, 1]."""
    stances = Counter(_stance(opinion) for opinion in opinions)
    return max(stances.values()) / len(opinions)


def _stance(opinion: Opinion) -> object:
    """Return the verdict of an opinion, else its label, else its value."""
    if opinion.passed is not None:
        return opinion.passed
    return opinion.label if opinion.label is not None else opinion.value


def combine_repeats(
    opinions: Sequence[Opinion], rule: Repeats, *, min_score: float | None
) -> Opinion:
    """Combine the repeats of one judge.

    Args:
        opinions: at least one; with verdicts if there is a `min_score`.
        rule: the mean of the values, their median, or the majority of the verdicts. The value of
            median and majority is the lower median.
        min_score: the required score.

    Raises:
        NoMajorityError: several labels without values are equally frequent.
    """
    weights = [1.0] * len(opinions)
    return _combine(opinions, weights, "mean" if rule == "mean" else "majority", min_score)


def combine_panel(
    opinions: Sequence[Opinion],
    rule: PanelRule,
    *,
    weights: Sequence[float],
    min_score: float | None,
) -> Opinion:
    """Combine the opinions of several judges.

    Args:
        opinions: at least one; with verdicts if there is a `min_score`.
        rule: more than half pass (the value is the lower median), all pass (the value is the
            least), or the mean or weighted mean of the values reaches `min_score`.
        weights: one positive number for each opinion; used by ``weighted`` only.
        min_score: the required score.

    Raises:
        NoMajorityError: several labels without values are equally frequent.
    """
    used = list(weights) if rule == "weighted" else [1.0] * len(opinions)
    return _combine(opinions, used, "mean" if rule == "weighted" else rule, min_score)


def _combine(
    opinions: Sequence[Opinion], weights: Sequence[float], rule: str, min_score: float | None
) -> Opinion:
    """Combine by a rule: (weighted) mean, majority or unanimous."""
    if len(opinions) == 1:
        return opinions[0]
    value = _value(opinions, weights, rule)
    if value is None:
        return _by_label(opinions)
    votes = [opinion.passed for opinion in opinions]
    passed: bool | None = None
    if None not in votes:
        share = _share(votes, weights)
        passed = share == 1 if rule == "unanimous" else share > 0.5
        if rule == "mean" and min_score is not None:
            free = _share([opinion.blocked is None for opinion in opinions], weights)
            passed = value >= min_score - _EPSILON and free > 0.5
    return Opinion(
        value=value,
        passed=passed,
        label=_most_common([opinion.label for opinion in opinions]),
        reason=_reason(opinions, value, passed=passed),
    )


def _value(opinions: Sequence[Opinion], weights: Sequence[float], rule: str) -> float | None:
    """Return the combined value; None if an opinion has no value."""
    values = [opinion.value for opinion in opinions if opinion.value is not None]
    if len(values) < len(opinions):
        return None
    if rule == "unanimous":
        return min(values)
    if rule == "majority":
        return median_low(values)
    if len(set(weights)) == 1:
        return fmean(values)
    mean = fsum(v * w for v, w in zip(values, weights, strict=True)) / fsum(weights)
    return min(max(values), max(min(values), mean))


def _share(votes: Sequence[bool | None], weights: Sequence[float]) -> float:
    """Return the share of the weights with a true vote."""
    if all(votes):
        return 1.0
    return fsum(w for vote, w in zip(votes, weights, strict=True) if vote) / fsum(weights)


def _by_label(opinions: Sequence[Opinion]) -> Opinion:
    """Return the first opinion with the most frequent label."""
    label = _most_common([opinion.label for opinion in opinions])
    if label is None:
        labels = ", ".join(sorted({str(opinion.label) for opinion in opinions}))
        raise NoMajorityError(
            f"{labels} are equally frequent; use an odd number of repeats or judges"
        )
    chosen = next(opinion for opinion in opinions if opinion.label == label)
    return replace(chosen, detail={})


def _most_common(labels: Sequence[str | None]) -> str | None:
    """Return the most frequent label; None if several are."""
    (label, count), *rest = Counter(labels).most_common()
    return None if rest and rest[0][1] == count else label


def _reason(opinions: Sequence[Opinion], value: float, *, passed: bool | None) -> str:
    """Return the reason of the opinion nearest to the combined value, with the same verdict."""
    side = [opinion for opinion in opinions if opinion.passed == passed] or list(opinions)
    nearest = min(side, key=lambda opinion: abs((opinion.value or 0.0) - value))
    votes = sum(opinion.passed is True for opinion in opinions)
    head = "" if passed is None else f"{votes} of {len(opinions)} pass it: "
    return head + nearest.reason
