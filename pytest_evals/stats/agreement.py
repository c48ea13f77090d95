"""Does one labeller (a judge) agree with another (people)? Rates from a confusion matrix.

`Ratings` holds the pairs; the functions below give one number each with its n and interval.
Kappa, rank correlation and several raters are in `concordance`; the correction of a pass rate for
a judge's known error is in `prevalence`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_evals.stats.estimate import Absent, Estimate, check_confidence
from pytest_evals.stats.intervals import Counts, clopper_pearson, clustered_rate
from pytest_evals.stats.quantiles import cluster_bootstrap, from_bootstrap

Label = str | int | bool
"""A label; the two sides use the same ones."""

Pair = tuple[Label, Label]
"""(true label, predicted label) of one item."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Pairs of labels, with the case each stands for."""

    truth: tuple[Label, ...]
    """The labels that count as right (people's), one per item."""

    predicted: tuple[Label, ...]
    """The labels on trial (the judge's), one per item, in the same order."""

    cases: tuple[Hashable, ...] = ()
    """The case of each item: items of one case are drawn together in intervals. Empty where every
    item is a case of its own."""

    def __post_init__(self) -> None:
        if len(self.truth) != len(self.predicted):
            raise ValueError(f"{len(self.truth)} true and {len(self.predicted)} predicted labels")
        if self.cases and len(self.cases) != len(self.truth):
            raise ValueError(f"{len(self.truth)} labels and {len(self.cases)} cases")

    def clusters(self) -> list[list[Pair]]:
        """Return the pairs of each case, in order of first appearance."""
        grouped: dict[Hashable, list[Pair]] = {}
        keys = self.cases or range(len(self.truth))
        for key, true, predicted in zip(keys, self.truth, self.predicted, strict=True):
            grouped.setdefault(key, []).append((true, predicted))
        return list(grouped.values())


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each true label was given each predicted label."""

    labels: tuple[Label, ...]
    """The labels of rows and columns, in order."""

    counts: tuple[tuple[int, ...], ...]
    """counts[i][j]: items with true label i and predicted label j."""


@dataclass(frozen=True, slots=True)
class Dangerous:
    """Errors to the wrong side: the judge passes what people fail."""

    count: int
    """How many, 0..n."""

    n: int
    """Items that people fail, >= 0."""

    cases: tuple[Hashable, ...]
    """The cases of these errors, each once; item numbers where no cases were given."""

    upper: float | None
    """The exact one-sided upper bound of their share among what people fail (Clopper and Pearson
    1934, as if items were independent), 0..1; None where people fail nothing."""

    confidence: float
    """Of the bound, one-sided."""


def confusion(ratings: Ratings, *, labels: Sequence[Label] | None = None) -> Confusion:
    """Return the confusion matrix.

    Args:
        ratings: zero or more items.
        labels: rows and columns, in order; by default all that occur, in order of their text.

    Raises:
        ValueError: an item has a label that is not in `labels`.
    """
    occurring = set(ratings.truth) | set(ratings.predicted)
    order = sorted(occurring, key=str) if labels is None else list(labels)
    if missing := occurring - set(order):
        raise ValueError(f"labels not listed: {', '.join(sorted(map(str, missing)))}")
    place = {label: i for i, label in enumerate(order)}
    counts = [[0] * len(order) for _ in order]
    for true, predicted in zip(ratings.truth, ratings.predicted, strict=True):
        counts[place[true]][place[predicted]] += 1
    return Confusion(tuple(order), tuple(map(tuple, counts)))


def accuracy(ratings: Ratings, *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of items with equal labels, with `clustered_rate`'s interval by case.

    Args:
        ratings: the items.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1 (the mean over cases), or Absent where there is no item.
    """
    return _rate(ratings, lambda pair: pair[0] == pair[1], lambda _: True, confidence, "no items")


def precision(ratings: Ratings, positive: Label, *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of truly positive items among those predicted positive.

    Args:
        ratings: the items.
        positive: the label it is about.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, pooled over items, with an interval by case (Wilson where every case
        has one such item, else bootstrap), or Absent where nothing was predicted positive.
    """
    return _pooled(
        ratings,
        lambda pair: pair[0] == positive,
        lambda pair: pair[1] == positive,
        confidence,
        f"nothing was predicted {positive!r}",
    )


def recall(ratings: Ratings, positive: Label, *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of items predicted positive among those truly positive.

    With people's passes as the positive label this is the judge's sensitivity; with their fails,
    its specificity. Arguments as for `precision`.

    Returns:
        The estimate in 0..1, as for `precision`, or Absent where nothing is truly positive.
    """
    return _pooled(
        ratings,
        lambda pair: pair[1] == positive,
        lambda pair: pair[0] == positive,
        confidence,
        f"nothing is truly {positive!r}",
    )


def _rate(
    ratings: Ratings,
    hit: Callable[[Pair], bool],
    counted: Callable[[Pair], bool],
    confidence: float,
    reason: str,
) -> Estimate | Absent:
    counts = []
    for cluster in ratings.clusters():
        inside = [hit(pair) for pair in cluster if counted(pair)]
        if inside:
            counts.append(Counts(sum(inside), len(inside)))
    return clustered_rate(counts, confidence=confidence) if counts else Absent(reason)


def _pooled(
    ratings: Ratings,
    hit: Callable[[Pair], bool],
    counted: Callable[[Pair], bool],
    confidence: float,
    reason: str,
) -> Estimate | Absent:
    clusters = [[hit(pair) for pair in cluster if counted(pair)] for cluster in ratings.clusters()]
    inside = [cluster for cluster in clusters if cluster]
    if not inside:
        return Absent(reason)
    if all(len(cluster) == 1 for cluster in inside):
        return clustered_rate([Counts(*map(int, (c[0], 1))) for c in inside], confidence=confidence)
    return _bootstrapped(inside, _share, confidence, seed=0)


def _share(clusters: Sequence[Sequence[bool]]) -> float:
    return sum(map(sum, clusters)) / sum(map(len, clusters))


def _bootstrapped(
    clusters: Sequence[Sequence[bool]],
    statistic: Callable[[Sequence[Sequence[bool]]], float],
    confidence: float,
    *,
    seed: int,
) -> Estimate:
    value = statistic(clusters)
    interval: tuple[float, float] | Absent
    if value in {0, 1}:
        interval = Absent("every item is alike, so redrawing cases shows no spread")
    else:
        interval = cluster_bootstrap(clusters, statistic, confidence=confidence, seed=seed)
    n = sum(map(len, clusters))
    return from_bootstrap(value, interval, n=n, cases=len(clusters), confidence=confidence)


def f1_score(
    ratings: Ratings, positive: Label, *, confidence: float = 0.95, seed: int = 0
) -> Estimate | Absent:
    """Return F1 = 2·TP/(2·TP + FP + FN), with a bootstrap interval by case.

    van Rijsbergen 1979, "Information Retrieval", chapter 7.

    Args:
        ratings: the items.
        positive: the label it is about.
        confidence: inside (0, 1).
        seed: of the bootstrap.

    Returns:
        The estimate in 0..1, or Absent where the label occurs on neither side.
    """
    check_confidence(confidence)
    return by_case(
        ratings,
        lambda pairs: _f1(pairs, positive),
        confidence=confidence,
        seed=seed,
        reason=f"{positive!r} occurs on neither side",
    )


def macro_f1(
    ratings: Ratings,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    besides: frozenset[Label] = frozenset(),
) -> Estimate | Absent:
    """Return the plain mean of F1 over the labels that occur, with a bootstrap interval by case.

    Args:
        ratings: the items.
        confidence: inside (0, 1).
        seed: of the bootstrap.
        besides: labels that are no classes ("none of them"): errors where they are given, and
            left out of the mean.

    Returns:
        The estimate in 0..1, or Absent where there is no item.
    """
    check_confidence(confidence)
    return by_case(
        ratings,
        lambda pairs: _macro_f1(pairs, besides),
        confidence=confidence,
        seed=seed,
        reason="no items",
    )


def _macro_f1(pairs: Sequence[Pair], besides: frozenset[Label] = frozenset()) -> float | None:
    labels = {label for pair in pairs for label in pair} - besides
    scores = [f1 for label in labels if (f1 := _f1(pairs, label)) is not None]
    return fmean(sorted(scores)) if scores else None


def _f1(pairs: Sequence[Pair], positive: Label) -> float | None:
    true = sum(pair[0] == positive for pair in pairs)
    predicted = sum(pair[1] == positive for pair in pairs)
    both = sum(pair[0] == pair[1] == positive for pair in pairs)
    return 2 * both / (true + predicted) if true + predicted else None


def by_case(
    ratings: Ratings,
    statistic: Callable[[Sequence[Pair]], float | None],
    *,
    confidence: float,
    seed: int,
    reason: str,
) -> Estimate | Absent:
    """Return any statistic of label pairs, with a bootstrap interval that redraws whole cases.

    Args:
        ratings: the items.
        statistic: takes pairs, gives the value, or None where it does not exist.
        confidence: inside (0, 1).
        seed: of the bootstrap.
        reason: why the value is absent, where it is.
    """
    clusters = ratings.clusters()
    value = statistic([pair for cluster in clusters for pair in cluster])
    if value is None:
        return Absent(reason)
    interval = cluster_bootstrap(
        clusters,
        lambda drawn: statistic([pair for cluster in drawn for pair in cluster]),
        confidence=confidence,
        seed=seed,
    )
    if not isinstance(interval, Absent) and interval[0] == interval[1]:
        interval = Absent("redrawing cases shows no spread")
    n = len(ratings.truth)
    return from_bootstrap(value, interval, n=n, cases=len(clusters), confidence=confidence)


def dangerous_errors(
    ratings: Ratings, *, passes: Label = True, confidence: float = 0.95
) -> Dangerous:
    """Count the items that people fail and the judge passes.

    Args:
        ratings: the items, people's labels as the truth.
        passes: the label that means "passes"; every other one means "fails".
        confidence: of the one-sided upper bound, inside (0, 1).

    Raises:
        ValueError: the confidence is not inside (0, 1).
    """
    check_confidence(confidence)
    failed = [i for i, label in enumerate(ratings.truth) if label != passes]
    wrong = [i for i in failed if ratings.predicted[i] == passes]
    names = dict.fromkeys(ratings.cases[i] if ratings.cases else i for i in wrong)
    upper = None
    if failed:
        tails = 1 - 2 * (1 - confidence)
        if tails <= 0:
            raise ValueError(f"a one-sided bound needs a confidence above 0.5, got {confidence}")
        upper = clopper_pearson(len(wrong), len(failed), confidence=tails).high
    return Dangerous(len(wrong), len(failed), tuple(names), upper, confidence)
