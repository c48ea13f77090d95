"""Two models on the same cases: paired and tested. Pure."""

from collections.abc import Mapping, Sequence

from pytest_evals.comparison.row import PASSES, ComparisonPlan, ComparisonRow, Measure
from pytest_evals.comparison.side import Pair, Side
from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.stats.compare import compare
from pytest_evals.stats.corrections import Correction
from pytest_evals.stats.rows import Dropped
from pytest_evals.verdict.diff import edited_parts

_REASONS = {"case": "its input or reference answer differs", "scorers": "its assertions differ"}

Numbers = Mapping[str, list[float]]
"""The numbers of a model's samples, by case."""


def measures_of(sides: Sequence[Side], of: str | None, by: str | None) -> list[Measure]:
    """Return the measures: the whole, then its slices or each scorer.

    Args:
        sides: the models that are compared.
        of: ``pass@1``, ``score`` or a scorer; None is ``pass@1``.
        by: ``tag``, ``case``, ``scorer`` or a metadata key; None is the whole alone.

    Raises:
        SettingsError: no side has such a scorer or key.
    """
    scorers = sorted({name for side in sides for name in side.table.scorers})
    if of is not None and of not in {PASSES, "score", *scorers}:
        raise SettingsError(
            f"--of {of}: no scorer of these runs is called {of!r}."
            f"{suggest(of, [PASSES, 'score', *scorers])}"
        )
    whole = Measure(of or PASSES)
    if by is None:
        return [whole]
    if by == "scorer":
        if of is not None:
            raise SettingsError("--group-by scorer compares every scorer; drop --of")
        return [whole, *(Measure(name) for name in scorers)]
    slices = sorted({str(part): part for side in sides for part in side.table.slices(by)}.items())
    if not slices:
        keys = {key for side in sides for trial in side.table for key in trial.metadata}
        raise SettingsError(
            f"--group-by {by}: no case has a {by}.{suggest(by, ['tag', 'case', 'scorer', *keys])}"
        )
    return [whole, *(Measure(whole.of, part) for _, part in slices)]


def compare_pairs(
    plans: Sequence[ComparisonPlan], *, correction: Correction = "holm", confidence: float = 0.95
) -> list[ComparisonRow]:
    """Compare each candidate with its reference by each measure.

    Args:
        plans: everything that is shown together; its p-values are one family.
        correction: corrects the p-values for the size of the family.
        confidence: of the intervals, between 0 and 1 (exclusive).
    """
    numbers: dict[str, tuple[Numbers, Numbers]] = {}
    keys: list[tuple[str, Pair, Measure, tuple[Dropped, ...]]] = []
    for plan in plans:
        for pair in plan.pairs:
            for measure in plan.measures:
                reference, candidate, dropped = _pair_numbers(*pair, measure)
                if reference or dropped or measure.part is None:
                    numbers[str(len(keys))] = (reference, candidate)
                    keys.append((plan.dataset, pair, measure, dropped))
    results = compare(numbers, confidence=confidence, correction=correction)
    return [
        ComparisonRow(
            dataset=dataset,
            reference=pair[0],
            candidate=pair[1],
            measure=measure,
            result=result,
            reference_mean=_mean(numbers[result.name][0]),
            candidate_mean=_mean(numbers[result.name][1]),
            dropped=dropped,
            is_rate=measure.of == PASSES or _is_rate(numbers[result.name]),
        )
        for (dataset, pair, measure, dropped), result in zip(keys, results, strict=True)
    ]


def _pair_numbers(
    reference: Side, candidate: Side, measure: Measure
) -> tuple[Numbers, Numbers, tuple[Dropped, ...]]:
    """Return both sides' numbers of the comparable cases, and why the other cases are dropped."""
    both = _numbers(reference, measure), _numbers(candidate, measure)
    dropped = []
    for case in sorted(both[0].keys() | both[1].keys()):
        reason = _drop_reason(case, (reference, candidate), both, measure)
        if reason is not None:
            dropped.append(Dropped(case, reason))
    left_out = {drop.case for drop in dropped}
    paired = [
        {case: values for case, values in numbers.items() if case not in left_out}
        for numbers in both
    ]
    return paired[0], paired[1], tuple(dropped)


def _numbers(side: Side, measure: Measure) -> dict[str, list[float]]:
    """Return a model's numbers by case; empty for a case without a scored trial."""
    return {
        case: [
            number
            for trial in cell
            if trial.scored and (number := _number(trial, measure.of)) is not None
        ]
        for case, cell in side.table.cases(side.model, measure.part).items()
    }


def _number(trial: TrialStats, of: str) -> float | None:
    """Return a trial's number by a measure; None if it has none."""
    if of == PASSES:
        return float(trial.passed)
    return trial.score if of == "score" else trial.number(of)


def _drop_reason(
    case: str, pair: Pair, both: tuple[Numbers, Numbers], measure: Measure
) -> str | None:
    """Return why a case cannot be compared; None if it can."""
    for side, numbers in zip(pair, both, strict=True):
        if case not in numbers:
            return f"not run by {side.label}"
    edited = _edited(case, *pair)
    if edited:
        return edited
    for side, numbers in zip(pair, both, strict=True):
        if not numbers[case]:
            if case not in side.lines:
                return f"{side.label} has no scored answer"
            return f"{measure.of} has no value for {side.label}"
    return None


def _edited(case: str, reference: Side, candidate: Side) -> str:
    """Return what of a case's definition differs between two sides; empty if nothing does."""
    lines = reference.lines.get(case), candidate.lines.get(case)
    if lines[0] is None or lines[1] is None:
        return ""
    return ", ".join(_REASONS[name] for name in edited_parts(lines[0], lines[1]))


def _mean(cases: Numbers) -> float | None:
    """Return the mean over cases of the means of their samples; None without cases."""
    means = [sum(values) / len(values) for values in cases.values()]
    return sum(means) / len(means) if means else None


def _is_rate(both: tuple[Numbers, Numbers]) -> bool:
    """Whether every number is 0 or 1, so that the means are rates."""
    return all(x in {0.0, 1.0} for numbers in both for values in numbers.values() for x in values)
