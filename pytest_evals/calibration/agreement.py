"""Agreement: a judge's verdicts beside people's labels, as numbers and as a certificate. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pytest_evals.calibration.label_join import Labelled
from pytest_evals.certificate import FalsePasses, Rate
from pytest_evals.result import TrialResult
from pytest_evals.scorers.judge.human_labels import HumanLabel
from pytest_evals.stats.agreement import (
    Label,
    Ratings,
    accuracy,
    confusion,
    count_false_passes,
    f1_score,
    macro_f1,
    precision,
    recall,
)
from pytest_evals.stats.concordance import (
    cohen_kappa,
    krippendorff_alpha,
    mean_absolute_error,
    spearman,
)
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import clustered_mean

Statistic = Callable[[], Estimate | Absent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One labelled answer: what people say of it, and what the judge says."""

    case: str
    """Whose question it is: answers to one question are drawn together in intervals."""
    people: Mapping[str, HumanLabel]
    """By rater; at least one."""
    passed: bool | None = None
    """The judge's verdict."""
    label: str | None = None
    """The judge's label."""
    score: float | None = None
    """The judge's score, on its own scale."""
    consistency: float | None = None
    """The share of the judge's repeats that agree; None where it was asked once."""
    error: str | None = None
    """Why the judge could not score it; the rest is then None."""
    high_risk: bool = False

    @property
    def people_pass(self) -> bool | None:
        """What most people say; a tie goes against the answer."""
        votes = [said.passed for said in self.people.values() if said.passed is not None]
        return sum(votes) * 2 > len(votes) if votes else None

    @property
    def people_label(self) -> str | None:
        """The label that most people give; None where several are given equally often."""
        labels = Counter(said.label for said in self.people.values() if said.label is not None)
        if not labels:
            return None
        (label, most), *rest = labels.most_common()
        return None if rest and rest[0][1] == most else label

    @property
    def people_score(self) -> float | None:
        """The mean of what people give, on the judge's scale."""
        scores = [said.score for said in self.people.values() if said.score is not None]
        return fmean(scores) if scores else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a judge agrees with people."""

    metrics: dict[str, Rate]
    confusion: dict[str, dict[str, int]]
    labels_confusion: dict[str, dict[str, int]]
    dangerous: FalsePasses
    unscored: int
    """Answers with a label of people's and no verdict of the judge's."""


def agreement_of(items: Sequence[Judged]) -> Agreement:
    """Compare.

    Args:
        items: at least one.
    """
    voted = [item for item in items if item.people_pass is not None and item.passed is not None]
    verdicts = Ratings(
        tuple(bool(item.people_pass) for item in voted),
        tuple(bool(item.passed) for item in voted),
        tuple(item.case for item in voted),
    )
    named = [item for item in items if item.people_label is not None and item.label is not None]
    labels = Ratings(
        tuple(str(item.people_label) for item in named),
        tuple(str(item.label) for item in named),
        tuple(item.case for item in named),
    )
    metrics = {**_of_verdicts(verdicts), **_of_people(items), **_of_scores(items)}
    if named:
        metrics |= {f"labels_{name}": rate for name, rate in _of_labels(labels).items()}
    words = {True: "pass", False: "fail"}
    return Agreement(
        metrics=metrics,
        confusion=_table(verdicts, [True, False], lambda label: words[bool(label)]),
        labels_confusion=_table(labels, None, str) if named else {},
        dangerous=_dangerous(voted, verdicts),
        unscored=len(items) - _scored(items),
    )


def _scored(items: Sequence[Judged]) -> int:
    """Count the answers that a verdict, or at least a score, was given to."""
    by_scale = all(item.people_pass is None for item in items)
    return sum(
        item.error is None and (item.score if by_scale else item.passed) is not None
        for item in items
    )


def _of_verdicts(ratings: Ratings) -> dict[str, Rate]:
    """Measure passes and fails."""
    found: dict[str, Statistic] = {
        "precision": lambda: precision(ratings, True),
        "recall": lambda: recall(ratings, True),
        "specificity": lambda: recall(ratings, False),
        "f1": lambda: f1_score(ratings, True),
        **_both(ratings),
    }
    return _rates(found, len(ratings.truth))


def _of_labels(ratings: Ratings) -> dict[str, Rate]:
    """Measure labels."""
    return _rates(_both(ratings), len(ratings.truth))


def _both(ratings: Ratings) -> dict[str, Statistic]:
    """Return what is measured of verdicts and of labels."""
    return {
        "macro_f1": lambda: macro_f1(ratings),
        "accuracy": lambda: accuracy(ratings),
        "kappa": lambda: cohen_kappa(ratings),
    }


def _rates(found: Mapping[str, Statistic], n: int) -> dict[str, Rate]:
    """Measure each; where there is nothing to measure, say so."""
    if not n:
        nothing = Rate(absent="no answer has both a label of people's and a verdict of the judge's")
        return dict.fromkeys(found, nothing)
    return {name: Rate.of(statistic()) for name, statistic in found.items()}


def _of_people(items: Sequence[Judged]) -> dict[str, Rate]:
    """Measure how people agree among themselves, where there are several."""
    raters = sorted({rater for item in items for rater in item.people})
    if len(raters) < 2:
        return {}
    verdicts = [[_verdict(item.people.get(rater)) for item in items] for rater in raters]
    found = {"alpha": Rate.of(krippendorff_alpha(verdicts, level="nominal"))}
    scores = [[_score(item.people.get(rater)) for item in items] for rater in raters]
    if any(score is not None for row in scores for score in row):
        found["alpha_scores"] = Rate.of(krippendorff_alpha(scores, level="interval"))
    return found


def _verdict(said: HumanLabel | None) -> float | None:
    """Return one person's verdict as a number."""
    return None if said is None or said.passed is None else float(said.passed)


def _score(said: HumanLabel | None) -> float | None:
    """Return one person's score."""
    return None if said is None else said.score


def _of_scores(items: Sequence[Judged]) -> dict[str, Rate]:
    """Measure scores on a scale, and how the judge agrees with itself."""
    found: dict[str, Rate] = {}
    pairs = [
        (item.people_score, item.score, item.case)
        for item in items
        if item.people_score is not None and item.score is not None
    ]
    if pairs:
        truth = [pair[0] for pair in pairs]
        predicted = [pair[1] for pair in pairs]
        cases = [pair[2] for pair in pairs]
        found["spearman"] = Rate.of(spearman(truth, predicted, cases=cases))
        found["mae"] = Rate.of(mean_absolute_error(truth, predicted, cases=cases))
    shares: dict[str, list[float]] = {}
    for item in items:
        if item.consistency is not None:
            shares.setdefault(item.case, []).append(item.consistency)
    if shares:
        found["self_consistency"] = Rate.of(clustered_mean(list(shares.values())))
    return found


def _table(
    ratings: Ratings, labels: Sequence[Label] | None, word: Callable[[Label], str]
) -> dict[str, dict[str, int]]:
    """Return a confusion matrix by words."""
    found = confusion(ratings, labels=labels)
    words = [word(label) for label in found.labels]
    return {
        said: dict(zip(words, row, strict=True))
        for said, row in zip(words, found.counts, strict=True)
    }


def _dangerous(voted: Sequence[Judged], verdicts: Ratings) -> FalsePasses:
    """Count what the judge passes and people fail."""
    if not voted:
        return FalsePasses()
    found = count_false_passes(verdicts)
    wrong = [item for item in voted if item.passed and not item.people_pass]
    return FalsePasses(
        count=found.count,
        n=found.n,
        high_risk=sum(item.high_risk for item in wrong),
        upper=None if found.upper is None else round(found.upper, 6),
        cases=tuple(sorted({item.case for item in wrong})),
    )


def judged_answer(item: "Labelled", result: "TrialResult") -> "Judged":
    """Put what people say beside what the judge says."""
    from pytest_evals.calibration.agreement import Judged
    from pytest_evals.score import Score

    told: dict[str, Any] = {
        "case": item.cluster, "people": item.people, "high_risk": item.high_risk,
    }  # fmt: skip
    score = result.scores[0] if result.scores else None
    if not isinstance(score, Score):
        error = score.message if score is not None else result.error and result.error.message
        return Judged(**told, error=error or "it was not scored")
    scale = score.metadata.get("scale", (0.0, 1.0))
    raw = None if score.value is None else scale[0] + score.value * (scale[1] - scale[0])
    return Judged(
        **told,
        passed=score.passed,
        label=score.label,
        score=raw,
        consistency=score.metadata.get("self_consistency"),
    )
