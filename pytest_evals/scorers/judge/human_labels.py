"""Human labels on the scale of a judge: parse a label or a value. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.scale import normalised

_WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("pass", "passed", "true", "yes", "1", "good", "right", "ok"), True),
    **dict.fromkeys(("fail", "failed", "false", "no", "0", "bad", "wrong"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanLabel:
    """The label of one person for one output."""

    passed: bool | None = None
    """The verdict; None if the judge has no `min_score`."""
    label: str | None = None
    """One of the labels of the judge."""
    score: float | None = None
    """On the scale of the judge."""


def read_label(judge: Judge, label: str | None, value: float | None) -> HumanLabel:
    """Parse the label or value of a person by the labels and the scale of a judge.

    Raises:
        ValueError: the label is neither pass or fail nor a label of the judge, or the value is
            outside of its scale.
    """
    passed: bool | None = None
    judge_label: str | None = None
    low, high = judge.score_scale()
    if value is not None and not low <= value <= high:
        raise ValueError(f"the value is {value:g}, outside the judge's scale {low:g} to {high:g}")
    if label is not None:
        labels = judge.labels()
        named = [name for name in labels if name.casefold() == label.strip().casefold()]
        word = label.strip().casefold()
        if named:
            judge_label = named[0]
            passed = judge.verdict_on(judge_label)
        elif word in _WORDS:
            passed = _WORDS[word]
        else:
            more = f", or one of {', '.join(labels)}" if labels else ""
            raise ValueError(f"the label is {label!r}, expected pass or fail{more}")
    elif value is not None:
        opinion = Opinion(value=normalised(value, (low, high))).with_verdict(judge.required_score)
        passed = opinion.passed
    return HumanLabel(passed=passed, label=judge_label, score=value)
