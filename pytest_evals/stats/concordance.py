"""Agreement beyond chance, and on scales: kappa, alpha, rank correlation, absolute error."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from math import fsum, sqrt
from statistics import fmean
from typing import Literal

from pytest_evals.stats.agreement import Pair, Ratings, by_case
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import clustered_mean
from pytest_evals.stats.percentiles import midranks
from pytest_evals.stats.quantiles import cluster_bootstrap, from_bootstrap

Level = Literal["nominal", "ordinal", "interval"]
"""The level of measurement: names, ranks, or numbers with distances."""


def cohen_kappa(ratings: Ratings, *, confidence: float = 0.95, seed: int = 0) -> Estimate | Absent:
    """Return Cohen's kappa, agreement beyond chance, with a bootstrap interval by case.

    (p_o - p_e)/(1 - p_e), p_e from the two sides' label shares: Cohen 1960, "A coefficient of
    agreement for nominal scales".

    Args:
        ratings: the items.
        confidence: inside (0, 1).
        seed: of the bootstrap.

    Returns:
        The estimate in -1..1, or Absent without an item, or if both sides give the same label to
        all items (chance agreement is then 1).

    Raises:
        ValueError: the confidence is not inside (0, 1).
    """
    return by_case(
        ratings,
        _kappa,
        confidence=confidence,
        seed=seed,
        reason="both sides give the same label to all items, so agreement by chance is certain",
    )


def _kappa(pairs: Sequence[Pair]) -> float | None:
    n = len(pairs)
    true = Counter(pair[0] for pair in pairs)
    predicted = Counter(pair[1] for pair in pairs)
    chance = sum(true[label] * predicted[label] for label in true)
    if chance == n * n:
        return None
    agreed = sum(true == predicted for true, predicted in pairs)
    return (n * agreed - chance) / (n * n - chance)


def krippendorff_alpha(
    ratings: Sequence[Sequence[float | str | None]],
    *,
    level: Level = "nominal",
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate | Absent:
    """Return Krippendorff's alpha for two or more raters, with a bootstrap interval by item.

    1 - (n-1)·Σ o·δ² / Σ n_c·n_k·δ² over the coincidences of values: Krippendorff 2011, "Computing
    Krippendorff's alpha-reliability"; distances 0 or 1 (nominal), between ranks (ordinal), squared
    difference (interval).

    Args:
        ratings: one row per rater, each with one value per item, None where missing. Values are
            numbers, or for the nominal level also texts; ordinal values are ordered as numbers.
        level: what the values are.
        confidence: inside (0, 1).
        seed: of the bootstrap.

    Returns:
        The estimate, at most 1 (n counts ratings, cases items with two or more), or Absent if no
        item has two ratings, or all values are equal.

    Raises:
        ValueError: the rows differ in length, the level needs numbers and there are texts, or the
            confidence is not inside (0, 1).
    """
    items = _rated_twice(ratings, level)
    if not items:
        return Absent("no item has two ratings")
    value = _alpha(items, level)
    if value is None:
        return Absent("all ratings are equal, so there is no expected disagreement")
    interval = cluster_bootstrap(
        items, lambda drawn: _alpha(drawn, level), confidence=confidence, seed=seed
    )
    if not isinstance(interval, Absent) and interval[0] == interval[1]:
        interval = Absent("resampling items shows no spread")
    return from_bootstrap(
        value,
        interval,
        n=sum(map(len, items)),
        cases=len(items),
        confidence=confidence,
        dropped=(len(ratings[0]) if ratings else 0) - len(items),
    )


def _rated_twice(
    ratings: Sequence[Sequence[float | str | None]], level: Level
) -> list[list[float | str]]:
    if len({len(row) for row in ratings}) > 1:
        raise ValueError("every rater needs one value (or None) per item")
    items = [[v for v in item if v is not None] for item in zip(*ratings, strict=True)]
    kept = [item for item in items if len(item) >= 2]
    if level != "nominal" and any(isinstance(v, str) for item in kept for v in item):
        raise ValueError(f"the {level} level needs numbers, not texts")
    return kept


def _alpha(items: Sequence[Sequence[float | str]], level: Level) -> float | None:
    totals: Counter[float | str] = Counter()
    for item in items:
        totals.update(item)
    distance = _distance(totals, level)
    n = sum(totals.values())
    observed = fsum(_disagreement(Counter(item), distance) / (len(item) - 1) for item in items)
    expected = _disagreement(totals, distance)
    return 1 - (n - 1) * observed / expected if expected else None


def _disagreement(
    counts: Counter[float | str], distance: Callable[[float | str, float | str], float]
) -> float:
    """Sum the squared distances over all ordered pairs of values."""
    values = list(counts)
    return fsum(
        2 * counts[a] * counts[b] * distance(a, b)
        for i, a in enumerate(values)
        for b in values[i + 1 :]
    )


def _distance(
    totals: Counter[float | str], level: Level
) -> Callable[[float | str, float | str], float]:
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: (float(a) - float(b)) ** 2
    middle, below = {}, 0.0
    for value in sorted(totals, key=float):
        middle[value] = below + totals[value] / 2
        below += totals[value]
    return lambda a, b: (middle[a] - middle[b]) ** 2


def spearman(
    truth: Sequence[float],
    predicted: Sequence[float],
    *,
    cases: Sequence[Hashable] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate | Absent:
    """Return Spearman's rank correlation, with a bootstrap interval by case.

    Pearson's correlation of midranks: Spearman 1904, "The proof and measurement of association
    between two things"; Kendall and Gibbons 1990, "Rank correlation methods", for ties.

    Args:
        truth: people's numbers, one per item, finite.
        predicted: the judge's numbers, in the same order.
        cases: the case of each item; empty if every item is a case.
        confidence: inside (0, 1).
        seed: of the bootstrap.

    Returns:
        The estimate in -1..1, or Absent if a side is constant, or with fewer than 2 items.

    Raises:
        ValueError: the sequences differ in length, or the confidence is not inside (0, 1).
    """
    clusters = _scale_clusters(truth, predicted, cases)
    value = _rank_correlation([pair for cluster in clusters for pair in cluster])
    if value is None:
        return Absent("a side gives the same number to all items, so there are no ranks")
    interval = cluster_bootstrap(
        clusters,
        lambda drawn: _rank_correlation([pair for cluster in drawn for pair in cluster]),
        confidence=confidence,
        seed=seed,
    )
    if not isinstance(interval, Absent) and interval[0] == interval[1]:
        interval = Absent("resampling cases shows no spread")
    return from_bootstrap(value, interval, n=len(truth), cases=len(clusters), confidence=confidence)


def mean_absolute_error(
    truth: Sequence[float],
    predicted: Sequence[float],
    *,
    cases: Sequence[Hashable] = (),
    confidence: float = 0.95,
) -> Estimate | Absent:
    """Return the mean distance between the two sides' numbers, clustered by case.

    Args:
        truth: people's numbers, one per item, finite.
        predicted: the judge's numbers, in the same order.
        cases: the case of each item; empty if every item is a case.
        confidence: inside (0, 1).

    Returns:
        The estimate in the unit of the numbers, >= 0 (the mean over cases, `clustered_mean`), or
        Absent without an item.

    Raises:
        ValueError: the sequences differ in length, a number is not finite, or the confidence is not
            inside (0, 1).
    """
    clusters = _scale_clusters(truth, predicted, cases)
    errors = [[abs(true - predicted) for true, predicted in cluster] for cluster in clusters]
    return clustered_mean(errors, confidence=confidence)


def _scale_clusters(
    truth: Sequence[float], predicted: Sequence[float], cases: Sequence[Hashable]
) -> list[list[tuple[float, float]]]:
    if len(truth) != len(predicted) or (cases and len(cases) != len(truth)):
        raise ValueError(
            f"lengths differ: {len(truth)} true, {len(predicted)} predicted, {len(cases)} cases"
        )
    grouped: dict[Hashable, list[tuple[float, float]]] = {}
    for key, true, value in zip(cases or range(len(truth)), truth, predicted, strict=True):
        grouped.setdefault(key, []).append((true, value))
    return list(grouped.values())


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 2:
        return None
    x = midranks([true for true, _ in pairs])
    y = midranks([value for _, value in pairs])
    mean = fmean(x)
    xx = fsum((a - mean) ** 2 for a in x)
    yy = fsum((b - mean) ** 2 for b in y)
    if not xx or not yy:
        return None
    xy = fsum((a - mean) * (b - mean) for a, b in zip(x, y, strict=True))
    return max(-1.0, min(1.0, xy / sqrt(xx * yy)))
