"""A comparison in words: one sentence per row, then notes. Pure."""

from collections.abc import Iterator, Sequence

from pytest_evals.comparison.numbers import change_span, p_value, points
from pytest_evals.comparison.row import PASSES, ComparisonRow
from pytest_evals.ground.plain_text import counted, listed


def row_sentence(row: ComparisonRow) -> str:
    """Write one comparison in words."""
    result = row.result
    both = f"{row.candidate.label} and {row.reference.label}"
    scope = "" if row.measure.part is None else f" on {row.measure.part}"
    scope += "" if row.measure.of == PASSES else f" in {row.measure.of}"
    if not result.cases:
        return f"{both}{scope}: no case was scored on both sides."
    cases = counted(result.cases, "case")
    if row.word == "same":
        of = "any of " if result.cases > 1 else ""
        return f"{both}{scope}: no difference on {of}{cases}.{_too_few(row)}"
    if row.word != "unclear":
        interval = change_span(result.low, result.high, result.cases, rate=row.is_rate)
        return (
            f"{row.candidate.label} is {row.word} than {row.reference.label}{scope} by "
            f"{_size(row, abs(result.change or 0))} (95 % interval {interval}; {_p_text(row)})."
        )
    sentence = (
        f"{both}{scope}: the difference is not statistically significant ({cases}: "
        f"{result.better} better, {result.worse} worse, {_p_text(row)}).{_too_few(row)}"
    )
    if result.smallest is not None and (not row.is_rate or result.smallest <= 1):
        sentence += f" Minimum detectable effect: {_size(row, result.smallest)}."
    return sentence


def _size(row: ComparisonRow, change: float) -> str:
    """Write the size of a change, with its unit."""
    number = points(change, rate=row.is_rate).removeprefix("+")
    return f"{number} points" if row.is_rate else number


def _p_text(row: ComparisonRow) -> str:
    """Write the corrected p-value."""
    text = p_value(row.result.p_adjusted)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def _too_few(row: ComparisonRow) -> str:
    """Return a sentence if too few cases changed for any test; else nothing."""
    result = row.result
    if not result.too_few:
        return ""
    return (
        f" Not enough changed cases: {result.better + result.worse} changed, at least "
        f"{result.changes_needed} needed, all to one side."
    )


def row_notes(rows: Sequence[ComparisonRow]) -> Iterator[str]:
    """Yield the cases that were left out, and the trials without a score."""
    notes = set()
    for row in rows:
        if row.measure.part is not None:
            continue
        by_reason: dict[str, list[str]] = {}
        for dropped in row.dropped:
            by_reason.setdefault(dropped.reason, []).append(dropped.case)
        notes |= {
            f"not compared: {listed(cases)} ({reason})" for reason, cases in by_reason.items()
        }
        for side in (row.reference, row.candidate):
            trials = side.table.trials(side.model)
            unscored = sum(not trial.scored and not trial.unneeded for trial in trials)
            if unscored:
                notes.add(
                    f"{side.label}: {unscored} of {counted(len(trials), 'trial')} have no answer "
                    "or no score and are left out; if they are the hard ones, its mean is too high"
                )
    yield from sorted(notes)
