"""Rank models or runs by weighted scores. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, isfinite, sqrt
from statistics import fmean

from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.metrics.compute import TrialGroup, estimate_metric
from pytest_evals.metrics.leaderboard import (
    PASSES,
    Entrant,
    Leaderboard,
    LeaderboardRow,
    WeightedScore,
)
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.stats.compare import compare
from pytest_evals.stats.distributions import t_quantile
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import clustered_mean

_LEVEL = 0.05


_CLOSE = 1e-12


def rank_entrants(
    dataset: str,
    entrants: Sequence[Entrant],
    weights: Mapping[str, float] | None = None,
    *,
    renormalise: bool = False,
    confidence: float = 0.95,
) -> Leaderboard:
    """Rank entrants by their weighted scores.

    Args:
        dataset: the dataset's name.
        entrants: the rows.
        weights: score name (``pass@1``, ``score``, or a scorer's) -> weight > 0; None is pass@1.
        renormalise: rank incomplete rows too, by the scores and cases they have.
        confidence: of the intervals, inside (0, 1).

    Raises:
        SettingsError: the name of a weight is unknown, or a weight is not positive.
    """
    shares = _shares(weights or {PASSES: 1.0}, entrants)
    scores = [_scores(entrant, shares) for entrant in entrants]
    every = {name: {c for of_entrant in scores for c in of_entrant[name]} for name in shares}
    rows = [
        _row(entrant, of_entrant, shares, every, renormalise=renormalise, confidence=confidence)
        for entrant, of_entrant in zip(entrants, scores, strict=True)
    ]
    ranked = sorted(
        (row for row in rows if row.rank), key=lambda row: (-(row.value or 0), row.name)
    )
    by_name = {
        entrant.name: of_entrant for entrant, of_entrant in zip(entrants, scores, strict=True)
    }
    placed = _placed(ranked, by_name, shares)
    rest = sorted((row for row in rows if not row.rank), key=lambda row: row.name)
    return Leaderboard(
        dataset=dataset,
        weights=shares,
        confidence=confidence,
        rows=(*placed, *rest),
        notes=tuple(_notes(placed, rest)),
    )


def _shares(weights: Mapping[str, float], entrants: Iterable[Entrant]) -> dict[str, float]:
    names = {PASSES, "score", *(name for entrant in entrants for name in entrant.table.scorers)}
    for name, weight in weights.items():
        if name not in names:
            raise SettingsError(f"no score is called {name!r}.{suggest(name, names)}")
        if not (weight > 0 and isfinite(weight)):
            raise SettingsError(f"the weight of {name!r} must be above 0, found {weight:g}")
    total = fsum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


Scores = Mapping[str, Mapping[str, list[float]]]
"""Score name -> case -> the numbers of its samples; cases without a number are left out."""


def _scores(entrant: Entrant, shares: Iterable[str]) -> Scores:
    group = TrialGroup(entrant.table.cases(entrant.model))
    scores = {}
    for name in shares:
        if name == PASSES:
            numbers = [[float(trial.passed) for trial in cell] for cell in group.scored]
        else:
            numbers = group.numbers(name)
        scores[name] = {c: xs for c, xs in zip(group.cells, numbers, strict=True) if xs}
    return scores


def _row(
    entrant: Entrant,
    scores: Scores,
    shares: Mapping[str, float],
    every: Mapping[str, set[str]],
    *,
    renormalise: bool,
    confidence: float,
) -> LeaderboardRow:
    group = TrialGroup(entrant.table.cases(entrant.model))
    incomplete = _incomplete(scores, every)
    present = {name: share for name, share in shares.items() if scores[name]}
    if renormalise and present:
        total = fsum(present.values())
        present = {name: share / total for name, share in present.items()}
    is_scored = len(present) == len(shares) or (renormalise and bool(present))
    mean = _weighted(scores, present, confidence) if is_scored else None
    value = mean if isinstance(mean, Estimate) else None
    costs = {
        name: estimate_metric(group, parse_metric(text))
        for name, text in (
            ("cost_usd", "mean(cost_usd)"),
            ("latency_s", "latency_s"),
            ("p95_latency_s", "p95(latency_s)"),
        )
    }
    unpriced = any(trial.answered and trial.cost_usd is None for trial in group.trials)
    values = {k: e.value for k, e in costs.items() if isinstance(e, Estimate)}
    if unpriced:
        values.pop("cost_usd", None)
    return LeaderboardRow(
        name=entrant.name,
        rank=1 if value is not None and (incomplete is None or renormalise) else None,
        value=value.value if value else None,
        low=value.low if value else None,
        high=value.high if value else None,
        n=sum(map(len, group.scored)),
        cases=value.cases if value else 0,
        parts={
            name: WeightedScore(
                value=_mean_of(scores[name]) if scores[name] else None,
                cases=len(scores[name]),
                weight=present.get(name, 0.0) if renormalise else share,
            )
            for name, share in shares.items()
        },
        incomplete=None if renormalise and value else incomplete,
        renormalised=renormalise and len(present) < len(shares),
        errored=len(group.errored),
        **values,
    )


def _incomplete(scores: Scores, every: Mapping[str, set[str]]) -> str | None:
    reasons = []
    for name, cases in every.items():
        missing = len(cases) - len(scores[name])
        if not scores[name]:
            reasons.append(f"it has no {name}")
        elif missing:
            reasons.append(f"{missing} of {len(cases)} cases have no {name}")
    return "; ".join(reasons) or None


def _mean_of(cases: Mapping[str, Sequence[float]]) -> float:
    return fmean(fmean(xs) for xs in cases.values())


def _weighted(scores: Scores, shares: Mapping[str, float], confidence: float) -> Estimate | Absent:
    """Estimate the weighted mean of the scores' means over cases, clustered by case.

    If every case has every score, it is the clustered mean of the cases' weighted means. Otherwise
    the standard error is that of the linearised statistic (Woodruff 1971, "A simple method for
    approximating the variance of a complicated estimate"): each case weighs by the scores it has.
    """
    cases = sorted({case for name in shares for case in scores[name]})
    means = {name: {c: fmean(xs) for c, xs in scores[name].items()} for name in shares}
    inside = all(0 <= x <= 1 for per in means.values() for x in per.values())
    is_complete = all(len(means[name]) == len(cases) for name in shares)
    if is_complete:
        values = [[fsum(share * means[name][case] for name, share in shares.items())]
                  for case in cases]  # fmt: skip
        values = [[min(1.0, max(0.0, x)) if inside else x for x in cell] for cell in values]
        bounds = (0.0, 1.0) if inside else None
        return clustered_mean(values, confidence=confidence, bounds=bounds)
    centre = {name: fmean(means[name].values()) for name in shares}
    value = fsum(share * centre[name] for name, share in shares.items())
    count = len(cases)
    parts = [
        fsum(
            share * (means[name][case] - centre[name]) * count / len(means[name])
            for name, share in shares.items()
            if case in means[name]
        )
        for case in cases
    ]
    spread = fsum(z * z for z in parts) / max(1, count * (count - 1))
    if not spread:
        unknown = "the cases do not differ, so their spread is unknown"
        return Estimate(value, None, None, count, count, confidence, "none", 0, unknown)
    half = t_quantile((1 + confidence) / 2, count - 1) * sqrt(spread)
    method = "linearised clustered standard error, t quantile"
    low, high = value - half, value + half
    if inside:
        low, high = max(0.0, low), min(1.0, high)
    return Estimate(value, low, high, count, count, confidence, method)


def _placed(
    ranked: Sequence[LeaderboardRow], scores: Mapping[str, Scores], shares: Mapping[str, float]
) -> list[LeaderboardRow]:
    """Set ranks, ties, overlaps, the test against the first row, and the Pareto front."""
    p_first = _tests(ranked, scores, shares)
    placed = []
    for row in ranked:
        value = row.value or 0.0
        others = [other for other in ranked if other.name != row.name]
        placed.append(
            row.model_copy(
                update={
                    "rank": 1 + sum((o.value or 0.0) > value + _CLOSE for o in others),
                    "tied": tuple(
                        o.name for o in others if abs((o.value or 0.0) - value) <= _CLOSE
                    ),
                    "overlaps": tuple(o.name for o in others if _overlap(o, row)),
                    "p_first": p_first.get(row.name),
                    "front": row.cost_usd is not None
                    and not any(_dominates(o, row) for o in others),
                }
            )
        )
    return placed


def _overlap(row: LeaderboardRow, other: LeaderboardRow) -> bool:
    if row.low is None or row.high is None or other.low is None or other.high is None:
        return False
    return row.low <= other.high and other.low <= row.high


def _dominates(row: LeaderboardRow, other: LeaderboardRow) -> bool:
    """Whether a row is as good and as cheap as another, and better in one of the two."""
    if row.cost_usd is None or other.cost_usd is None:
        return False
    a, b = (row.value or 0.0, -row.cost_usd), (other.value or 0.0, -other.cost_usd)
    return a[0] >= b[0] and a[1] >= b[1] and a != b


def _tests(
    ranked: Sequence[LeaderboardRow], scores: Mapping[str, Scores], shares: Mapping[str, float]
) -> dict[str, float]:
    """Compare every row with the first, by the weighted means of shared cases."""
    if len(ranked) < 2:
        return {}
    composed = {row.name: _composed(scores[row.name], shares) for row in ranked}
    first = ranked[0].name
    rows = {row.name: (composed[first], composed[row.name]) for row in ranked[1:]}
    return {comparison.name: comparison.p_adjusted for comparison in compare(rows)}


def _composed(scores: Scores, shares: Mapping[str, float]) -> dict[str, list[float]]:
    """Return each case's weighted mean of the scores it has."""
    means: dict[str, list[float]] = {}
    for case in {case for name in shares for case in scores[name]}:
        present = {name: share for name, share in shares.items() if case in scores[name]}
        total = fsum(share * fmean(scores[name][case]) for name, share in present.items())
        means[case] = [total / fsum(present.values())]
    return means


def _notes(placed: Sequence[LeaderboardRow], rest: Sequence[LeaderboardRow]) -> list[str]:
    notes = []
    if len(placed) > 1:
        close = [row.name for row in placed[1:] if row.p_first is None or row.p_first > _LEVEL]
        if close:
            notes.append(
                f"{placed[0].name} does not differ significantly from {', '.join(close)} "
                f"(paired by case, p > {_LEVEL:g} corrected over the rows)."
            )
    notes += [f"{row.name} has no rank: {row.incomplete}." for row in rest]
    if any(row.renormalised for row in placed):
        notes.append(
            "Rows without a score are ranked by the others; their values are not comparable."
        )
    unpriced = [row.name for row in placed if row.cost_usd is None]
    if unpriced:
        notes.append(
            f"The cost of {', '.join(unpriced)} is unknown, so no Pareto front includes them."
        )
    return notes
