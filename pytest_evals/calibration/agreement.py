"""Agreement of a judge's verdicts with people's labels, as numbers. Pure."""

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
    """One labelled answer: the labels of people, and the verdict of the judge."""

    case: str
    """The case; intervals resample the answers of a case together."""
    people: Mapping[str, HumanLabel]
    """By rater; at least one."""
    passed: bool | None = None
    """The judge's verdict."""
    label: str | None = None
    """The judge's label."""
    score: float | None = None
    """The judge's score, on its own scale."""
    consistency: float | None = None
    """The share of the judge's repeats that agree; None if it was called once."""
    error: str | None = None
    """Why the judge could not score it; the other fields are then None."""
    high_risk: bool = False

    @property
    def people_pass(self) -> bool | None:
        """The verdict of the majority; a tie is a fail."""
        votes = [label.passed for label in self.people.values() if label.passed is not None]
        return sum(votes) * 2 > len(votes) if votes else None

    @property
    def people_label(self) -> str | None:
        """The most frequent label of people; None for a tie."""
        labels = Counter(
            rating.label for rating in self.people.values() if rating.label is not None
        )
        if not labels:
            return None
        (label, highest), *rest = labels.most_common()
        return None if rest and rest[0][1] == highest else label

    @property
    def people_score(self) -> float | None:
        """The mean of people's scores, on the judge's scale."""
        scores = [label.score for label in self.people.values() if label.score is not None]
        return fmean(scores) if scores else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a judge agrees with people."""

    metrics: dict[str, Rate]
    confusion: dict[str, dict[str, int]]
    labels_confusion: dict[str, dict[str, int]]
    dangerous: FalsePasses
    unscored: int
    """Answers with a label of people and without a verdict of the judge."""


def agreement_of(items: Sequence[Judged]) -> Agreement:
    """Measure how a judge agrees with people.

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
    """Count the answers with a verdict or, for a scale without verdicts, with a score."""
    by_scale = all(item.people_pass is None for item in items)
    return sum(
        item.error is None and (item.score if by_scale else item.passed) is not None
        for item in items
    )


def _of_verdicts(ratings: Ratings) -> dict[str, Rate]:
    """Measure the agreement of passes and fails."""
    statistics: dict[str, Statistic] = {
        "precision": lambda: precision(ratings, True),
        "recall": lambda: recall(ratings, True),
        "specificity": lambda: recall(ratings, False),
        "f1": lambda: f1_score(ratings, True),
        **_both(ratings),
    }
    return _rates(statistics, len(ratings.truth))


def _of_labels(ratings: Ratings) -> dict[str, Rate]:
    """Measure the agreement of labels."""
    return _rates(_both(ratings), len(ratings.truth))


def _both(ratings: Ratings) -> dict[str, Statistic]:
    """Return the statistics that verdicts and labels share."""
    return {
        "macro_f1": lambda: macro_f1(ratings),
        "accuracy": lambda: accuracy(ratings),
        "kappa": lambda: cohen_kappa(ratings),
    }


def _rates(statistics: Mapping[str, Statistic], n: int) -> dict[str, Rate]:
    """Compute each statistic; without ratings each is absent, with the reason."""
    if not n:
        nothing = Rate(absent="no answer has both a label of people and a verdict of the judge")
        return dict.fromkeys(statistics, nothing)
    return {name: Rate.of(statistic()) for name, statistic in statistics.items()}


def _of_people(items: Sequence[Judged]) -> dict[str, Rate]:
    """Measure the agreement of people with each other, if there are several."""
    raters = sorted({rater for item in items for rater in item.people})
    if len(raters) < 2:
        return {}
    verdicts = [[_verdict(item.people.get(rater)) for item in items] for rater in raters]
    rates = {"alpha": Rate.of(krippendorff_alpha(verdicts, level="nominal"))}
    scores = [[_score(item.people.get(rater)) for item in items] for rater in raters]
    if any(score is not None for row in scores for score in row):
        rates["alpha_scores"] = Rate.of(krippendorff_alpha(scores, level="interval"))
    return rates


def _verdict(label: HumanLabel | None) -> float | None:
    """Return one person's verdict as a number."""
    return None if label is None or label.passed is None else float(label.passed)


def _score(label: HumanLabel | None) -> float | None:
    """Return one person's score."""
    return None if label is None else label.score


def _of_scores(items: Sequence[Judged]) -> dict[str, Rate]:
    """Measure scores on a scale, and the self-consistency of the judge."""
    rates: dict[str, Rate] = {}
    pairs = [
        (item.people_score, item.score, item.case)
        for item in items
        if item.people_score is not None and item.score is not None
    ]
    if pairs:
        truth = [pair[0] for pair in pairs]
        predicted = [pair[1] for pair in pairs]
        cases = [pair[2] for pair in pairs]
        rates["spearman"] = Rate.of(spearman(truth, predicted, cases=cases))
        rates["mae"] = Rate.of(mean_absolute_error(truth, predicted, cases=cases))
    shares: dict[str, list[float]] = {}
    for item in items:
        if item.consistency is not None:
            shares.setdefault(item.case, []).append(item.consistency)
    if shares:
        rates["self_consistency"] = Rate.of(clustered_mean(list(shares.values())))
    return rates


def _table(
    ratings: Ratings, labels: Sequence[Label] | None, word: Callable[[Label], str]
) -> dict[str, dict[str, int]]:
    """Return a confusion matrix with words as labels."""
    matrix = confusion(ratings, labels=labels)
    words = [word(label) for label in matrix.labels]
    return {
        row_word: dict(zip(words, row, strict=True))
        for row_word, row in zip(words, matrix.counts, strict=True)
    }


def _dangerous(voted: Sequence[Judged], verdicts: Ratings) -> FalsePasses:
    """Count the false passes: passed by the judge, failed by people."""
    if not voted:
        return FalsePasses()
    errors = count_false_passes(verdicts)
    wrong = [item for item in voted if item.passed and not item.people_pass]
    return FalsePasses(
        count=errors.count,
        n=errors.n,
        high_risk=sum(item.high_risk for item in wrong),
        upper=None if errors.upper is None else round(errors.upper, 6),
        cases=tuple(sorted({item.case for item in wrong})),
    )


def judged_answer(item: "Labelled", result: "TrialResult") -> "Judged":
    """Return an answer with people's labels and the judge's verdict."""
    from pytest_evals.calibration.agreement import Judged
    from pytest_evals.score import Score

    fields: dict[str, Any] = {
        "case": item.cluster, "people": item.people, "high_risk": item.high_risk,
    }  # fmt: skip
    score = result.scores[0] if result.scores else None
    if not isinstance(score, Score):
        error = score.message if score is not None else result.error and result.error.message
        return Judged(**fields, error=error or "it was not scored")
    scale = score.metadata.get("scale", (0.0, 1.0))
    raw = None if score.value is None else scale[0] + score.value * (scale[1] - scale[0])
    return Judged(
        **fields,
        passed=score.passed,
        label=score.label,
        score=raw,
        consistency=score.metadata.get("self_consistency"),
    )
