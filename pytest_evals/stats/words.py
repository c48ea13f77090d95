"""A row's verdict in words: one sentence, then notes. Text from numbers; nothing is decided."""

from collections.abc import Sequence

from pytest_evals.ground.plain_text import FEWEST_CASES
from pytest_evals.stats.verdict import MeanTest, RowVerdict

MINUS = "\N{MINUS SIGN}"
"""The sign of negative numbers in sentences."""

_MAX_NAMES = 5
_NOTABLE_CORRELATION = 0.05
_SMALLEST_P = 1e-6
_SIGNIFICANT = 0.05
_RECORDED = "recorded answers have no sampling noise."


def sentence(verdict: RowVerdict) -> str:
    """Return the verdict in one sentence; a second one says what would settle it.

    Args:
        verdict: an evaluated row; its `sentence` is not read.
    """
    if not verdict.cases:
        return f"{_head(verdict)}: no case is in both the baseline and this run."
    if verdict.mean is None:
        return f"{_head(verdict)}: {_exact(verdict)}"
    if verdict.verdict == "regressed":
        text = _broken(verdict) if verdict.rule == "break" else _fell(verdict, verdict.mean)
    elif verdict.verdict == "passed":
        text = _held(verdict, verdict.mean)
    else:
        text = _inconclusive(verdict, verdict.mean)
    return f"{_head(verdict)}: {text}"


def _head(verdict: RowVerdict) -> str:
    word = verdict.verdict.upper()
    if verdict.blocking or verdict.verdict == "passed":
        return word
    return f"{word} ({'exploratory, ' if verdict.exploratory else ''}not blocking)"


def _exact(verdict: RowVerdict) -> str:
    """Describe a row of recorded answers."""
    if verdict.unit == "score":
        moved = f"{len(verdict.worse)} lower, {len(verdict.better)} higher of {verdict.cases}"
        return f"{moved}; {_RECORDED}"
    if verdict.worse:
        verb = "pass" if len(verdict.worse) > 1 else "passes"
        return f"{names(verdict.worse)} {verb} less often than in the baseline; {_RECORDED}"
    return f"{_count(verdict.cases, 'case')} compared, none passes less often; {_RECORDED}"


def _broken(verdict: RowVerdict) -> str:
    breaks = verdict.breaks
    assert breaks is not None
    return (
        f"{names(breaks.confirmed)} passed all {_numbers(breaks.baseline_samples)} baseline "
        f"samples and failed all {_numbers(breaks.later_samples)} now; "
        f"{_p_value(breaks.p_adjusted)}."
    )


def _fell(verdict: RowVerdict, mean: MeanTest) -> str:
    return (
        f"{mean.worse} worse, {mean.better} better; the mean fell by "
        f"{_size(verdict, -mean.change)} ({_interval(verdict, mean)}); "
        f"{_p_value(mean.p_adjusted)}."
    )


def _held(verdict: RowVerdict, mean: MeanTest) -> str:
    interval = _interval(verdict, mean)
    if mean.low is not None and mean.low > 0:
        return f"better by {_size(verdict, mean.change)} ({interval})."
    if mean.high is not None and mean.high < 0:
        return f"a small drop, under {_size(verdict, verdict.margin)} ({interval})."
    return f"any drop is under {_size(verdict, verdict.margin)} ({interval})."


def _inconclusive(verdict: RowVerdict, mean: MeanTest) -> str:
    moved = f"{mean.worse} worse, {mean.better} better"
    breaks = verdict.breaks
    held = mean.low is not None and mean.low > -verdict.margin
    if held and breaks and (broken := (*breaks.confirmed, *breaks.unanswered)):
        moved = f"{names(broken)} passed all baseline samples and failed all now; {moved}"
    if mean.low is None or mean.high is None:
        return f"{moved}; one case does not show how much cases vary."
    if verdict.cases < FEWEST_CASES:
        few = f"{moved}; {verdict.cases} cases are too few to show how much cases vary."
        return f"{few}{_settling(verdict)}"
    low, high = _signed(verdict, mean.low), _signed(verdict, mean.high)
    unit = " points" if verdict.unit == "passes" else ""
    return f"{moved}; the change is between {low} and {high}{unit}.{_settling(verdict)}"


def _settling(verdict: RowVerdict) -> str:
    """Return how many samples or cases would settle the row."""
    outlook = verdict.outlook
    if outlook is None:
        return ""
    if outlook.samples is not None:
        return f" About {outlook.samples} samples per case would settle it."
    if outlook.cases is not None:
        return f" About {outlook.cases:,} more cases would settle it."
    return ""


def notes(verdict: RowVerdict) -> tuple[str, ...]:
    """Return further facts about a row, a sentence each; often none.

    Args:
        verdict: an evaluated row; its `notes` are not read.
    """
    return tuple(
        note
        for note in (
            _few_changes(verdict),
            _detectable(verdict),
            *_breaks(verdict),
            _improved_others(verdict),
            _dropped(verdict),
        )
        if note
    )


def _few_changes(verdict: RowVerdict) -> str:
    mean, outlook = verdict.mean, verdict.outlook
    if verdict.verdict != "inconclusive" or mean is None or outlook is None:
        return ""
    moved = mean.worse + mean.better
    if mean.worse <= mean.better or moved >= outlook.changes_needed:
        return ""
    return (
        f"Not enough changed cases: {moved} changed, at least {outlook.changes_needed} needed, "
        "all for the worse."
    )


def _detectable(verdict: RowVerdict) -> str:
    outlook = verdict.outlook
    if verdict.verdict != "inconclusive" or outlook is None:
        return ""
    cases, drop = _count(verdict.cases, "case"), outlook.smallest_drop
    if drop is None or (verdict.unit == "passes" and drop > 1):
        return f"With {cases} no drop of the mean is detectable."
    return f"With {cases} the minimum detectable effect is a drop of {_size(verdict, drop)}."


def _breaks(verdict: RowVerdict) -> list[str]:
    breaks = verdict.breaks
    if breaks is None:
        return []
    texts = []
    if breaks.recovered:
        texts.append(f"{names(breaks.recovered)} failed all samples, and passed on confirmation.")
    if breaks.unanswered:
        samples = "sample" if breaks.more == 1 else "samples"
        texts.append(
            f"Newly failing (unconfirmed): {names(breaks.unanswered)} passed all baseline samples "
            f"and failed all now; {breaks.more} confirmation {samples} of each case are needed."
        )
    if breaks.correlation >= _NOTABLE_CORRELATION:
        texts.append(
            f"Samples of one run look correlated (about {breaks.correlation:.2g}), "
            "so a case that fails all of them is weaker evidence."
        )
    if breaks.confirmed and verdict.rule != "break":
        texts.append(
            f"{names(breaks.confirmed)} passed all baseline samples and failed all "
            f"{_numbers(breaks.later_samples)} now; among {_count(verdict.cases, 'case')} that is "
            "not statistically significant."
        )
    if breaks.flipped:
        texts.append(
            f"Newly failing (unconfirmed): {names(breaks.flipped)}. With fewer than 3 independent "
            "baseline samples, a failure never blocks."
        )
    return texts


def _improved_others(verdict: RowVerdict) -> str:
    mean = verdict.mean
    if verdict.rule != "break" or mean is None or mean.change < 0:
        return ""
    return f"The mean did not fall ({_interval(verdict, mean)}): other cases improved."


def _dropped(verdict: RowVerdict) -> str:
    if not verdict.dropped:
        return ""
    shown = "; ".join(f"{case.case} ({case.reason})" for case in verdict.dropped[:_MAX_NAMES])
    more = len(verdict.dropped) - _MAX_NAMES
    tail = f"; and {more} more" if more > 0 else ""
    return f"Not compared: {shown}{tail}."


def names(cases: Sequence[str]) -> str:
    """Return case ids as a list for a sentence: the first five, and how many more.

    Args:
        cases: ids, in the order to show.
    """
    shown = ", ".join(cases[:_MAX_NAMES])
    return f"{shown} and {len(cases) - _MAX_NAMES} more" if len(cases) > _MAX_NAMES else shown


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _numbers(samples: Sequence[int]) -> str:
    return str(samples[0]) if len(samples) == 1 else f"their {samples[0]} to {samples[-1]}"


def _p_value(p: float) -> str:
    """Write a p-value; a significant one as a rounded upper bound, with what it means."""
    if p > _SIGNIFICANT:
        return f"p = {p:.2g} (not statistically significant)"
    runs = 1_000_000 if p < _SMALLEST_P else _round_down(1 / p)
    bound = f"{1 / runs:.6f}".rstrip("0")
    meaning = f"if nothing had changed, such a drop is seen in fewer than 1 of {runs:,} runs"
    return f"p < {bound} ({meaning})"


def _round_down(number: float) -> int:
    """Return the greatest of 1, 2, 5, 10, 20, 50, … below a number above 1."""
    step = 1
    while step * 10 < number:
        step *= 10
    return step * max(factor for factor in (1, 2, 5) if step * factor < number)


def _interval(verdict: RowVerdict, mean: MeanTest) -> str:
    if mean.low is None or mean.high is None or verdict.cases < FEWEST_CASES:
        return "no interval: too few cases"
    low, high = (_signed(verdict, end) for end in (mean.low, mean.high))
    return f"{round(100 * mean.confidence)} % interval {low} to {high}"


def _size(verdict: RowVerdict, value: float) -> str:
    number = _signed(verdict, value).removeprefix("+")
    if verdict.unit == "score":
        return number
    return f"{number} point" if number == "1" else f"{number} points"


def _signed(verdict: RowVerdict, value: float) -> str:
    """Write a change with its sign; with more digits if rounding would hide the margin or 0.

    A pass rate changes by at most 100 points, though the formula of an interval may exceed that.
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
