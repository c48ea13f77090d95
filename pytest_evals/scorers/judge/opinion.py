"""Opinions: what one judgement says, and how several become one. Pure.

Ties go against the answer. Under every rule that takes the value of the middle or the worst, that
value reaches the bar exactly where the votes do, so a score and its verdict never disagree.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from statistics import fmean, median_low
from typing import Any, Literal

Repeats = Literal["mean", "median", "majority"]
"""How the repeats of one judge become one opinion."""
PanelRule = Literal["majority", "unanimous", "mean", "weighted"]
"""How the opinions of several judges become one."""

_EPSILON = 1e-12
"""0.7 made of tenths is 0.7: a bar is not moved by the last bit of a sum."""


class NoMajorityError(ValueError):
    """Labels without a value were given equally often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one judgement says of an answer."""

    value: float | None = None
    """0..1; None where there is only a label."""
    passed: bool | None = None
    """The verdict; None where no bar was given."""
    label: str | None = None
    blocked: str | None = None
    """What was required and is missing, whatever the value; None where nothing is."""
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What else the judge said: its raw score, its criteria."""

    def with_verdict(self, min_score: float | None) -> "Opinion":
        """Return it with the verdict that a bar gives."""
        if self.blocked is not None:
            return replace(self, passed=False)
        if min_score is None or self.value is None:
            return self
        return replace(self, passed=self.value >= min_score - _EPSILON)


def agreement(opinions: Sequence[Opinion]) -> float:
    """Return the share of opinions on the side that most take, inside (0, 1]."""
    stances = Counter(_stance(opinion) for opinion in opinions)
    return max(stances.values()) / len(opinions)


def _stance(opinion: Opinion) -> object:
    """Return what an opinion comes down to."""
    if opinion.passed is not None:
        return opinion.passed
    return opinion.label if opinion.label is not None else opinion.value


def combine_repeats(
    opinions: Sequence[Opinion], rule: Repeats, *, min_score: float | None
) -> Opinion:
    """Make one opinion of the repeats of one judge.

    Args:
        opinions: at least one, each with its own verdict where there is a bar.
        rule: mean of the values; or their median, or the majority of the verdicts, both with the
            (lower) median as the value.
        min_score: the bar.

    Raises:
        NoMajorityError: labels without values were given equally often.
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
    """Make one opinion of those of several judges.

    Args:
        opinions: at least one, each with its own verdict where there is a bar.
        rule: more than half pass it (the value is the lower median); all pass it (the least
            value); the mean or the weighted mean of the values reaches the bar.
        weights: positive, one for each; used by ``weighted`` alone.
        min_score: the bar.

    Raises:
        NoMajorityError: labels without values were given equally often.
    """
    used = list(weights) if rule == "weighted" else [1.0] * len(opinions)
    return _combine(opinions, used, "mean" if rule == "weighted" else rule, min_score)


def _combine(
    opinions: Sequence[Opinion], weights: Sequence[float], rule: str, min_score: float | None
) -> Opinion:
    """Combine under a rule: mean (by the weights), majority or unanimous."""
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
    """Return the value that a rule gives; None where an opinion has none."""
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
    """Return the share of the weight that votes yes."""
    if all(votes):
        return 1.0
    return fsum(w for vote, w in zip(votes, weights, strict=True) if vote) / fsum(weights)


def _by_label(opinions: Sequence[Opinion]) -> Opinion:
    """Return the first opinion with the label that most give, where not all have a value."""
    label = _most_common([opinion.label for opinion in opinions])
    if label is None:
        labels = ", ".join(sorted({str(opinion.label) for opinion in opinions}))
        raise NoMajorityError(f"{labels} were given equally often; ask an odd number of times")
    chosen = next(opinion for opinion in opinions if opinion.label == label)
    return replace(chosen, detail={})


def _most_common(labels: Sequence[str | None]) -> str | None:
    """Return the label that is given most often; None where several are."""
    (label, count), *rest = Counter(labels).most_common()
    return None if rest and rest[0][1] == count else label


def _reason(opinions: Sequence[Opinion], value: float, *, passed: bool | None) -> str:
    """Return the reason of the opinion that is nearest to the outcome and on its side."""
    side = [opinion for opinion in opinions if opinion.passed == passed] or list(opinions)
    nearest = min(side, key=lambda opinion: abs((opinion.value or 0.0) - value))
    votes = sum(opinion.passed is True for opinion in opinions)
    head = "" if passed is None else f"{votes} of {len(opinions)} pass it: "
    return head + nearest.reason
