"""Agreement of one rater (a judge) with another (people): rates from a confusion matrix.

`Ratings` holds the pairs of labels; each function returns one number with n and interval. Kappa,
rank correlation and several raters are in `concordance`; `prevalence` corrects a pass rate for a
judge's errors.
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
    """Pairs of labels, with their cases."""

    truth: tuple[Label, ...]
    """The true labels (people's), one per item."""

    predicted: tuple[Label, ...]
    """The predicted labels (the judge's), one per item, in the same order."""

    cases: tuple[Hashable, ...] = ()
    """The case of each item; items of one case are one cluster. Empty if every item is a case."""

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
class FalsePasses:
    """False passes: the judge passes an item that people fail."""

    count: int
    """The number of false passes, 0..n."""

    n: int
    """Items that people fail, >= 0."""

    cases: tuple[Hashable, ...]
    """The cases of the false passes, each once; item numbers without cases."""

    upper: float | None
    """The exact one-sided upper bound of their share of n, 0..1 (Clopper and Pearson 1934, as if
    items were independent); None if people fail no item."""

    confidence: float
    """The one-sided confidence of the bound, inside (0.5, 1)."""


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
    """Return the share of items with equal labels, with the interval of `clustered_rate`.

    Args:
        ratings: the items.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1 (the mean over cases), or Absent without an item.

    Raises:
        ValueError: the confidence is not inside (0, 1).
    """
    return _rate(ratings, lambda pair: pair[0] == pair[1], lambda _: True, confidence, "no items")


def precision(ratings: Ratings, positive: Label, *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of truly positive items among those predicted positive.

    Args:
        ratings: the items.
        positive: the positive label.
        confidence: inside (0, 1).

    Returns:
        The estimate in 0..1, pooled over items, with an interval by case (Wilson if every case has
        one such item, bootstrap otherwise), or Absent if nothing was predicted positive.

    Raises:
        ValueError: the confidence is not inside (0, 1).
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

    With people's passes as the positive label this is the judge's sensitivity; with their fails it
    is the specificity. Arguments and errors are those of `precision`.

    Returns:
        The estimate in 0..1, as for `precision`, or Absent if no item is truly positive.
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
        interval = Absent("every item is equal, so resampling cases shows no spread")
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
        positive: the positive label.
        confidence: inside (0, 1).
        seed: of the bootstrap.

    Returns:
        The estimate in 0..1, or Absent if the label occurs on neither side.

    Raises:
        ValueError: the confidence is not inside (0, 1).
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
    """Return the unweighted mean of F1 over occurring labels, with a bootstrap interval by case.

    The macro average of Sokolova and Lapalme 2009, "A systematic analysis of performance measures
    for classification tasks", over the F1 of each label.

    Args:
        ratings: the items.
        confidence: inside (0, 1).
        seed: of the bootstrap.
        besides: labels that are no classes ("none of them"): they count as errors, and have no F1
            in the mean.

    Returns:
        The estimate in 0..1, or Absent without an item.

    Raises:
        ValueError: the confidence is not inside (0, 1).
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
    """Return any statistic of label pairs, with a bootstrap interval over cases.

    Args:
        ratings: the items.
        statistic: takes pairs, returns the value, or None if it does not exist.
        confidence: inside (0, 1).
        seed: of the bootstrap.
        reason: the reason of an absent value.

    Returns:
        The estimate in the statistic's unit (`cluster_bootstrap`), or Absent if it does not exist.

    Raises:
        ValueError: the confidence is not inside (0, 1).
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
        interval = Absent("resampling cases shows no spread")
    n = len(ratings.truth)
    return from_bootstrap(value, interval, n=n, cases=len(clusters), confidence=confidence)


def count_false_passes(
    ratings: Ratings, *, passes: Label = True, confidence: float = 0.95
) -> FalsePasses:
    """Count the false passes: items that people fail and the judge passes.

    Args:
        ratings: the items, with people's labels as the truth.
        passes: the label that means "passes"; every other label means "fails".
        confidence: of the one-sided upper bound, inside (0.5, 1).

    Raises:
        ValueError: the confidence is not inside (0.5, 1).
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
    return FalsePasses(len(wrong), len(failed), tuple(names), upper, confidence)
