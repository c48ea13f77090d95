"""A verdict in words: one sentence first, then what else a reader should know.

Pure text from a `RowVerdict`; nothing is decided here.
"""

from collections.abc import Sequence

from pytest_evals.stats.verdict import MeanTest, RowVerdict

MINUS = "\N{MINUS SIGN}"
"""The sign of negative numbers in sentences."""

_SHOWN = 5
_ALIKE = 0.05


def sentence(verdict: RowVerdict) -> str:
    """Return the verdict in one sentence, two where there is a way to settle it.

    Args:
        verdict: a judged row; its own `sentence` is not read.
    """
    if not verdict.cases:
        return f"{_head(verdict)}: no case stands in both the baseline and this run."
    if verdict.mean is None:
        return f"{_head(verdict)}: {_without_noise(verdict)}"
    if verdict.verdict == "regressed":
        said = _broken(verdict) if verdict.rule == "break" else _fell(verdict, verdict.mean)
    elif verdict.verdict == "passed":
        said = _held(verdict, verdict.mean)
    else:
        said = _unsure(verdict, verdict.mean)
    return f"{_head(verdict)}: {said}"


def _head(verdict: RowVerdict) -> str:
    word = verdict.verdict.upper()
    if verdict.blocking or verdict.verdict == "passed":
        return word
    return f"{word} ({'exploratory, ' if verdict.exploratory else ''}not blocking)"


def _without_noise(verdict: RowVerdict) -> str:
    same = "the answers are recorded, so nothing of this is noise."
    if verdict.unit == "score":
        moved = f"{len(verdict.worse)} lower, {len(verdict.better)} higher of {verdict.cases}"
        return f"{moved}; {same}"
    if verdict.worse:
        return f"passes of {names(verdict.worse)} became fails; {same}"
    return f"in {_count(verdict.cases, 'case')} no pass became a fail; {same}"


def _broken(verdict: RowVerdict) -> str:
    breaks = verdict.breaks
    assert breaks is not None
    return (
        f"{names(breaks.confirmed)} passed all {_numbers(breaks.baseline_samples)} baseline "
        f"samples and failed all {_numbers(breaks.later_samples)} now; {_odds(breaks.p_adjusted)}."
    )


def _fell(verdict: RowVerdict, mean: MeanTest) -> str:
    return (
        f"{mean.worse} worse, {mean.better} better; the mean fell by "
        f"{_size(verdict, -mean.change)} ({_interval(verdict, mean)}); {_odds(mean.p_adjusted)}."
    )


def _held(verdict: RowVerdict, mean: MeanTest) -> str:
    bracket = _interval(verdict, mean)
    if mean.low is not None and mean.low > 0:
        return f"better by {_size(verdict, mean.change)} ({bracket})."
    if mean.high is not None and mean.high < 0:
        return f"a small drop is real, but under {_size(verdict, verdict.margin)} ({bracket})."
    return f"any drop is under {_size(verdict, verdict.margin)} ({bracket})."


def _unsure(verdict: RowVerdict, mean: MeanTest) -> str:
    moved = f"{mean.worse} worse, {mean.better} better"
    if mean.low is None or mean.high is None:
        return f"{moved}; one case does not show how much cases vary."
    low, high = _signed(verdict, mean.low), _signed(verdict, mean.high)
    unit = " points" if verdict.unit == "passes" else ""
    return f"{moved}; the change is between {low} and {high}{unit}.{_settles(verdict)}"


def _settles(verdict: RowVerdict) -> str:
    found = verdict.outlook
    if found is None:
        return ""
    if found.samples is not None:
        return f" About {found.samples} samples per case would settle it."
    if found.cases is not None:
        return f" About {found.cases:,} more cases would settle it."
    return ""


def notes(verdict: RowVerdict) -> tuple[str, ...]:
    """Return what else a reader should know, a sentence each; often nothing.

    Args:
        verdict: a judged row; its own `notes` are not read.
    """
    return tuple(
        note
        for note in (
            _note_of_few(verdict),
            _note_of_power(verdict),
            *_notes_of_breaks(verdict),
            _note_of_others(verdict),
            _note_of_dropped(verdict),
        )
        if note
    )


def _note_of_few(verdict: RowVerdict) -> str:
    mean, found = verdict.mean, verdict.outlook
    if verdict.verdict != "inconclusive" or mean is None or found is None:
        return ""
    moved = mean.worse + mean.better
    if mean.worse <= mean.better or moved >= found.changes_needed:
        return ""
    return (
        f"Too few discordant pairs: {_count(moved, 'case')} changed, and "
        f"{found.changes_needed} must change, all for the worse, before noise is ruled out."
    )


def _note_of_power(verdict: RowVerdict) -> str:
    found = verdict.outlook
    if verdict.verdict != "inconclusive" or found is None:
        return ""
    cases = _count(verdict.cases, "case")
    if found.smallest_drop is None or (verdict.unit == "passes" and found.smallest_drop > 1):
        return f"No drop of the mean could have been seen with {cases}."
    return (
        f"The smallest drop of the mean that {cases} could have shown "
        f"is {_size(verdict, found.smallest_drop)}."
    )


def _notes_of_breaks(verdict: RowVerdict) -> list[str]:
    breaks = verdict.breaks
    if breaks is None:
        return []
    said = []
    if breaks.recovered:
        said.append(f"{names(breaks.recovered)} failed all samples, and passed when asked again.")
    if breaks.unanswered:
        said.append(
            f"{names(breaks.unanswered)} passed all baseline samples and failed all now; "
            f"{breaks.more} more answers each are needed to tell a break from noise."
        )
    if breaks.correlation >= _ALIKE:
        said.append(
            f"Samples of one run are taken for alike (correlation about {breaks.correlation:.2g}), "
            "so whole flips are less surprising than independent samples would make them."
        )
    if breaks.confirmed and verdict.rule != "break":
        said.append(
            f"{names(breaks.confirmed)} passed all baseline samples and failed all "
            f"{_numbers(breaks.later_samples)} now; among {_count(verdict.cases, 'case')} "
            "noise can explain it."
        )
    if breaks.flipped:
        said.append(
            f"{names(breaks.flipped)} passed before and {_verb(breaks.flipped)} now; with fewer "
            "than 3 independent baseline samples that can be noise, and never blocks."
        )
    return said


def _note_of_others(verdict: RowVerdict) -> str:
    mean = verdict.mean
    if verdict.rule != "break" or mean is None or mean.change < 0:
        return ""
    return f"The mean did not fall ({_interval(verdict, mean)}): other cases improved."


def _note_of_dropped(verdict: RowVerdict) -> str:
    if not verdict.dropped:
        return ""
    shown = "; ".join(f"{one.case} ({one.reason})" for one in verdict.dropped[:_SHOWN])
    more = len(verdict.dropped) - _SHOWN
    tail = f"; and {more} more" if more > 0 else ""
    return f"Not compared: {shown}{tail}."


def names(cases: Sequence[str]) -> str:
    """Return case ids as a list for a sentence: the first five, and how many more.

    Args:
        cases: ids, in the order to show.
    """
    shown = ", ".join(cases[:_SHOWN])
    return f"{shown} and {len(cases) - _SHOWN} more" if len(cases) > _SHOWN else shown


def _verb(cases: Sequence[str]) -> str:
    return "fail" if len(cases) > 1 else "fails"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _numbers(samples: Sequence[int]) -> str:
    return str(samples[0]) if len(samples) == 1 else f"their {samples[0]} to {samples[-1]}"


def _odds(p: float) -> str:
    """Say a small p-value as odds, never smaller than it is."""
    if p > 0.5:
        return f"noise explains this (p = {p:.2g})"
    if p < 1e-6:
        return "noise explains this less than 1 time in 1,000,000"
    whole, step = 1 / p, 1
    while step * 10 <= whole:
        step *= 10
    rounded = step * max(factor for factor in (1, 2, 5) if step * factor <= whole)
    return f"noise explains this less than 1 time in {rounded:,}"


def _interval(verdict: RowVerdict, mean: MeanTest) -> str:
    if mean.low is None or mean.high is None:
        return "no interval: one case"
    low, high = _signed(verdict, mean.low), _signed(verdict, mean.high)
    return f"{round(100 * mean.confidence)} % interval {low} to {high}"


def _size(verdict: RowVerdict, value: float) -> str:
    number = _signed(verdict, value).removeprefix("+")
    if verdict.unit == "score":
        return number
    return f"{number} point" if number == "1" else f"{number} points"


def _signed(verdict: RowVerdict, value: float) -> str:
    """Write a change with its sign; with more digits where rounding would hide the margin or 0.

    No change of a pass rate is beyond 100 points, though the formula of an interval may be.
    """
    scale, digits = (1.0, 3)
    if verdict.unit == "passes":
        scale, digits, value = 100.0, 1, max(-1.0, min(1.0, value))
    marks = (0.0, verdict.margin * scale, -verdict.margin * scale)
    number = value * scale
    while digits < 6 and any(
        round(number, digits) == round(mark, digits) and abs(number - mark) > 1e-9 for mark in marks
    ):
        digits += 1
    text = f"{abs(number):.{digits}f}".rstrip("0").rstrip(".") or "0"
    sign = "" if text == "0" else MINUS if number < 0 else "+"
    return sign + text
