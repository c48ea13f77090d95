"""Two models on the same cases: paired, tested and said in words. Pure."""

from collections.abc import Mapping, Sequence

from pytest_evals.comparison.row import PASSES, Answer, Plan, Question
from pytest_evals.comparison.side import Pair, Side
from pytest_evals.ground.errors import SettingsError, suggest
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.stats.compare import compare
from pytest_evals.stats.corrections import Correction
from pytest_evals.stats.rows import Dropped
from pytest_evals.verdict.diff import edited_parts

_WHY = {"case": "its question or reference answer differs", "scorers": "its assertions differ"}


def questions(sides: Sequence[Side], of: str | None, by: str | None) -> list[Question]:
    """Return what is compared: the whole, then its slices or each scorer.

    Args:
        sides: who is compared.
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
    whole = Question(of or PASSES)
    if by is None:
        return [whole]
    if by == "scorer":
        if of is not None:
            raise SettingsError("--group-by scorer compares every scorer; drop --of")
        return [whole, *(Question(name) for name in scorers)]
    parts = sorted({str(s): s for side in sides for s in side.table.slices(by)}.items())
    if not parts:
        keys = {key for side in sides for one in side.table for key in one.metadata}
        raise SettingsError(
            f"--group-by {by}: no case has a {by}.{suggest(by, ['tag', 'case', 'scorer', *keys])}"
        )
    return [whole, *(Question(whole.of, part) for _, part in parts)]


def answers(
    plans: Sequence[Plan], *, correction: Correction = "holm", confidence: float = 0.95
) -> list[Answer]:
    """Compare each candidate with its reference by each question; one family of p-values.

    Args:
        plans: all that is shown.
        correction: of the p-values over all of it.
        confidence: of the intervals, inside (0, 1).
    """
    rows: dict[str, tuple[Numbers, Numbers]] = {}
    keys: list[tuple[str, Pair, Question, tuple[Dropped, ...]]] = []
    for plan in plans:
        for pair in plan.pairs:
            for question in plan.asked:
                one, two, dropped = _paired(*pair, question)
                if one or dropped or question.part is None:
                    rows[str(len(keys))] = (one, two)
                    keys.append((plan.dataset, pair, question, dropped))
    results = compare(rows, confidence=confidence, correction=correction)
    return [
        Answer(
            dataset=dataset,
            reference=pair[0],
            candidate=pair[1],
            question=question,
            result=result,
            before=_mean(rows[result.name][0]),
            now=_mean(rows[result.name][1]),
            dropped=dropped,
            rate=question.of == PASSES or _is_rate(rows[result.name]),
        )
        for (dataset, pair, question, dropped), result in zip(keys, results, strict=True)
    ]


Numbers = Mapping[str, list[float]]
"""The numbers of a model's samples, by case."""


def _paired(
    reference: Side, candidate: Side, question: Question
) -> tuple[Numbers, Numbers, tuple[Dropped, ...]]:
    """Return the numbers of the cases that can be compared, and why others cannot."""
    one, two = (_numbers(side, question) for side in (reference, candidate))
    dropped = []
    for case in sorted(one.keys() | two.keys()):
        why = _why_not(case, reference, candidate, (one, two), question)
        if why is not None:
            dropped.append(Dropped(case, why))
    left_out = {item.case for item in dropped}
    kept = ({c: x for c, x in side.items() if c not in left_out} for side in (one, two))
    return next(kept), next(kept), tuple(dropped)


def _numbers(side: Side, question: Question) -> dict[str, list[float]]:
    """Return a model's numbers by case; a case in which nothing was scored has none."""
    return {
        case: [x for one in cell if one.scored and (x := _number(one, question.of)) is not None]
        for case, cell in side.table.cases(side.model, question.part).items()
    }


def _number(one: TrialStats, of: str) -> float | None:
    if of == PASSES:
        return float(one.passed)
    return one.score if of == "score" else one.number(of)


def _why_not(
    case: str,
    reference: Side,
    candidate: Side,
    numbers: tuple[Numbers, Numbers],
    question: Question,
) -> str | None:
    """Say why a case cannot be compared; None where it can."""
    for side, own in zip((reference, candidate), numbers, strict=True):
        if case not in own:
            return f"not asked of {side.label}"
    edited = _edited(case, reference, candidate)
    if edited:
        return edited
    for side, own in zip((reference, candidate), numbers, strict=True):
        if not own[case]:
            if case not in side.lines:
                return f"{side.label} has no scored answer"
            return f"{question.of} says nothing of {side.label}"
    return None


def _edited(case: str, reference: Side, candidate: Side) -> str:
    one, two = reference.lines.get(case), candidate.lines.get(case)
    if one is None or two is None:
        return ""
    return ", ".join(_WHY[name] for name in edited_parts(one, two))


def _mean(cases: Numbers) -> float | None:
    means = [sum(xs) / len(xs) for xs in cases.values()]
    return sum(means) / len(means) if means else None


def _is_rate(sides: tuple[Numbers, Numbers]) -> bool:
    """Whether every number is 0 or 1: verdicts."""
    return all(x in {0.0, 1.0} for side in sides for xs in side.values() for x in xs)
