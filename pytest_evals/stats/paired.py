"""The comparison of a run with a baseline, paired by case: did the run get worse?

Two one-sided tests share alpha 0.05, as a model can get worse in two ways: a little in many cases
(the mean rule, `signflip`), or completely in a few (the break rule, `breaks`). Rows are fixed
before the run and corrected as one family inside each alpha. First `plan_confirmations` chooses the
cases to call again and how often; then `evaluate_rows` gives one verdict per row. Both are pure:
confirmation samples are passed in, and never enter a mean or an interval.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm

from pytest_evals.stats.breaks import MIN_BASELINE, break_p, confirmation_samples
from pytest_evals.stats.corrections import adjust
from pytest_evals.stats.correlation import CorrelationWeights, is_flickering, posterior_weights
from pytest_evals.stats.rows import PairedCase, PairedScore, Row, Rules
from pytest_evals.stats.settle import Changes, row_outlook, summarize_changes
from pytest_evals.stats.signflip import SignFlip, sign_flip
from pytest_evals.stats.verdict import (
    BreakTest,
    ConfirmPlan,
    MeanTest,
    Outlook,
    RowVerdict,
    Rule,
    Unit,
    Verdict,
)
from pytest_evals.stats.words import notes, sentence

Confirmed = Mapping[str, Mapping[str, Sequence[bool]]]
"""Row name -> case id -> whether each confirmation sample passed, in the order drawn. Samples
without a score are left out."""

_DEFAULT = Rules()
_GREATEST_COMMON = 100_000


def plan_confirmations(rows: Sequence[Row], *, rules: Rules = _DEFAULT) -> list[ConfirmPlan]:
    """Choose the cases to call again before the verdict, and how often.

    The numbers of cases and samples fix r before any confirmation sample is drawn. No case is
    called if even the confirmation of all of them could not block.

    Args:
        rows: all rows declared before the run, in any order.
        rules: the constants.

    Returns:
        One plan a row, in the order of the rows.

    Raises:
        ValueError: two rows share a name.
    """
    _check_names(rows)
    return [_plan(row, rows, rules) for row in rows]


def flagged_cases(row: Row) -> tuple[str, ...]:
    """Return the cases of a row that look broken: those that confirmation calls again."""
    return tuple(pair.case for pair in _flagged(row))


def _plan(row: Row, rows: Sequence[Row], rules: Rules) -> ConfirmPlan:
    more, flagged = _more(row, rows, rules), _flagged(row)
    if not flagged:
        return ConfirmPlan(row.name, (), more, None)
    if not more:
        return ConfirmPlan(row.name, (), 0, "the samples of the run suffice")
    best = _break_p(row, rows, len(flagged), more)[0]
    if best > rules.alpha_break:
        reason = f"even all {len(flagged)} confirmed would not be significant (p = {best:.2g})"
        return ConfirmPlan(row.name, (), more, reason)
    return ConfirmPlan(row.name, tuple(pair.case for pair in flagged), more, None)


def _more(row: Row, rows: Sequence[Row], rules: Rules) -> int:
    """Return r, the confirmation samples of each flagged case of a row."""
    if not row.breakable or not row.cases:
        return 0
    if rules.confirm is not None:
        return rules.confirm
    family = sum(other.breakable for other in rows)
    level = rules.alpha_break / family
    return confirmation_samples(row.cells, _flickering(row), level=level, limit=rules.most_confirm)


def _flickering(row: Row) -> int:
    return sum(is_flickering(*outcome) for outcome in _outcomes([row])) if row.independent else 0


def _flagged(row: Row) -> list[PairedCase]:
    if not row.breakable or not row.independent:
        return []
    return [pair for pair in _fallen(row) if pair.base_n >= MIN_BASELINE]


def _break_p(row: Row, rows: Sequence[Row], breaks: int, more: int) -> tuple[float, float]:
    """Return p of this many breaks, and the assumed correlation within a run."""
    if not breaks:
        return 1.0, 0.0
    weights = _correlation_weights(row, rows)
    p = break_p(row.cells, breaks, more=more, weights=weights, flickering=_flickering(row))
    return p, weights.correlation


def _correlation_weights(row: Row, rows: Sequence[Row]) -> CorrelationWeights:
    """Return the weights of correlations from the row or from all rows, the greater correlation.

    Rows of one run share its correlation, and together they estimate it better.
    """
    family = [other for other in rows if other.breakable and other.independent]
    of_row = posterior_weights(_outcomes([row]))
    if len(family) < 2:
        return of_row
    return max(
        of_row, posterior_weights(_outcomes(family)), key=lambda weights: weights.correlation
    )


def _outcomes(rows: Sequence[Row]) -> list[tuple[int, int, int, int]]:
    return [
        (pair.base_pass, pair.base_n, pair.now_pass, pair.now_n)
        for row in rows
        for pair in row.counts
    ]


def _fallen(row: Row) -> list[PairedCase]:
    return [pair for pair in row.counts if pair.base_pass == pair.base_n and not pair.now_pass]


def evaluate_rows(
    rows: Sequence[Row], *, rules: Rules = _DEFAULT, confirmed: Confirmed | None = None
) -> list[RowVerdict]:
    """Return the verdict of every row that was declared before the run.

    The first condition that holds decides: regressed by the break rule; regressed by the mean rule,
    if the interval agrees (upper end below 0, lower end at or below -margin); passed, if the lower
    end is above -margin; inconclusive otherwise.

    Args:
        rows: all declared rows; together they are the family of the correction.
        rules: the constants.
        confirmed: the confirmation samples by row and case, drawn by `plan_confirmations` ({} if
            none came); None if confirmation is switched off, then r is 0.

    Returns:
        One verdict a row, in the order of the rows.

    Raises:
        ValueError: two rows share a name, or samples belong to no row or to no flagged case.
    """
    _check_names(rows)
    _check_confirmed(rows, confirmed)
    return _evaluate(rows, rules, confirmed, exploratory=False)


def explore_rows(rows: Sequence[Row], *, rules: Rules = _DEFAULT) -> list[RowVerdict]:
    """Return the verdicts of undeclared slices, which never block.

    They are corrected by Benjamini and Hochberg among themselves, without confirmation, and change
    no verdict of declared rows.

    Args:
        rows: the slices.
        rules: the constants; correction, confirm and strict are not used.

    Returns:
        One verdict a slice, in their order, each with blocking = False.

    Raises:
        ValueError: two rows share a name.
    """
    _check_names(rows)
    rules = replace(rules, correction="benjamini-hochberg", strict=False)
    return _evaluate(rows, rules, None, exploratory=True)


def _check_names(rows: Sequence[Row]) -> None:
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"duplicate row names: {', '.join(twice)}")


def _check_confirmed(rows: Sequence[Row], confirmed: Confirmed | None) -> None:
    flagged = {row.name: {pair.case for pair in _flagged(row)} for row in rows}
    for name, answers in (confirmed or {}).items():
        if name not in flagged:
            raise ValueError(f"confirmation samples for {name!r}, which is no row")
        for case in answers:
            if case not in flagged[name]:
                raise ValueError(f"confirmation samples for {case!r}, not flagged in {name!r}")


@dataclass(frozen=True, slots=True)
class _Part:
    """The tests of one row before the correction over all rows."""

    row: Row
    changes: Changes | None
    flip: SignFlip | None
    breaks: BreakTest | None


def _evaluate(
    rows: Sequence[Row], rules: Rules, confirmed: Confirmed | None, *, exploratory: bool
) -> list[RowVerdict]:
    parts = [_measure(row, rows, rules, confirmed) for row in rows]
    noisy = [part for part in parts if not part.row.noise_free]
    mean_p = _adjusted({p.row.name: p.flip.p if p.flip else 1.0 for p in noisy}, rules)
    break_ps = {p.row.name: p.breaks.p if p.breaks else 1.0 for p in noisy if p.row.breakable}
    break_p_adjusted = _adjusted(break_ps, rules)
    level = rules.alpha_mean / max(1, len(noisy))
    return [
        _evaluate_recorded(part.row, rules, exploratory=exploratory)
        if part.row.noise_free
        else _evaluate_sampled(
            part,
            rules,
            (mean_p[part.row.name], break_p_adjusted.get(part.row.name, 1.0), level),
            exploratory=exploratory,
        )
        for part in parts
    ]


def _adjusted(p_values: Mapping[str, float], rules: Rules) -> dict[str, float]:
    corrected = adjust(list(p_values.values()), correction=rules.correction)
    return dict(zip(p_values, corrected, strict=True))


def _measure(row: Row, rows: Sequence[Row], rules: Rules, confirmed: Confirmed | None) -> _Part:
    if row.noise_free or not row.cases:
        return _Part(row, None, None, None)
    changes = summarize_changes(row.cases, independent=row.independent)
    flip = sign_flip(_whole_changes(row), draws=rules.draws, seed=rules.seed)
    return _Part(row, changes, flip, _breaks(row, rows, rules, confirmed))


def _whole_changes(row: Row) -> list[int] | list[float]:
    """Return the changes in order of case ids, as integers of a common unit if possible."""
    pairs = row.counts
    if not pairs:
        return [pair.change for pair in sorted(row.cases, key=_by_case)]
    unit = lcm(*{n for pair in pairs for n in (pair.base_n, pair.now_n)})
    if unit > _GREATEST_COMMON:
        return [pair.change for pair in pairs]
    return [
        pair.now_pass * (unit // pair.now_n) - pair.base_pass * (unit // pair.base_n)
        for pair in pairs
    ]


def _by_case(pair: PairedCase | PairedScore) -> str:
    return pair.case


def _breaks(
    row: Row, rows: Sequence[Row], rules: Rules, confirmed: Confirmed | None
) -> BreakTest | None:
    if not row.breakable:
        return None
    more = 0 if confirmed is None else _more(row, rows, rules)
    answers = (confirmed or {}).get(row.name, {})
    flagged = _flagged(row)
    listed = {pair.case for pair in flagged}
    recovered = {pair.case for pair in flagged if any(answers.get(pair.case, ())[:more])}
    fully_sampled = {pair.case for pair in flagged if len(answers.get(pair.case, ())) >= more}
    unrecovered = [pair for pair in flagged if pair.case in fully_sampled - recovered]
    p, rho = _break_p(row, rows, len(unrecovered), more)
    return BreakTest(
        flagged=_ids(flagged),
        confirmed=_ids(unrecovered),
        recovered=_ids(pair for pair in flagged if pair.case in recovered),
        unanswered=_ids(pair for pair in flagged if pair.case not in fully_sampled | recovered),
        flipped=_ids(pair for pair in _fallen(row) if pair.case not in listed),
        more=more,
        baseline_samples=tuple(sorted({pair.base_n for pair in unrecovered})),
        later_samples=tuple(sorted({pair.now_n + more for pair in unrecovered})),
        correlation=rho,
        p=p,
        p_adjusted=p,
    )


def _ids(pairs: Iterable[PairedCase | PairedScore]) -> tuple[str, ...]:
    return tuple(pair.case for pair in pairs)


def _evaluate_sampled(
    part: _Part, rules: Rules, family: tuple[float, float, float], *, exploratory: bool
) -> RowVerdict:
    p_mean, p_break, level = family
    row, margin = part.row, _margin(part.row, rules)
    breaks = replace(part.breaks, p_adjusted=p_break) if part.breaks else None
    mean = _mean_test(part, p_mean)
    verdict, rule = _decide(mean, breaks, margin, rules)
    settled = verdict != "inconclusive"
    outlook_of_row = (
        row_outlook(part.changes, margin=margin, level=level, settled=settled)
        if part.changes
        else None
    )
    improved = mean is not None and mean.low is not None and mean.low > 0
    return _with_words(
        _row_verdict(row, margin, (verdict, rule), rules, exploratory=exploratory),
        mean=mean,
        breaks=breaks,
        outlook=outlook_of_row,
        improved=improved,
    )


def _mean_test(part: _Part, p_adjusted: float) -> MeanTest | None:
    if part.changes is None or part.flip is None:
        return None
    low, high = part.changes.interval() or (None, None)
    flip = part.flip
    return MeanTest(
        change=part.changes.mean,
        low=low,
        high=high,
        confidence=0.9,
        p=flip.p,
        p_adjusted=p_adjusted,
        method=flip.method,
        worse=flip.worse,
        better=flip.better,
    )


def _decide(
    mean: MeanTest | None, breaks: BreakTest | None, margin: float, rules: Rules
) -> tuple[Verdict, Rule | None]:
    if breaks and breaks.p_adjusted <= rules.alpha_break:
        return "regressed", "break"
    if mean is None or mean.low is None or mean.high is None:
        return "inconclusive", None
    if mean.p_adjusted <= rules.alpha_mean and mean.high < 0 and mean.low <= -margin:
        return "regressed", "mean"
    is_open = breaks is not None and bool(breaks.confirmed or breaks.unanswered)
    return ("passed" if mean.low > -margin and not is_open else "inconclusive"), None


def _evaluate_recorded(row: Row, rules: Rules, *, exploratory: bool) -> RowVerdict:
    """Evaluate recorded answers: any case that passes less often is a regression."""
    margin = _margin(row, rules)
    mean_change = sum(pair.change for pair in row.cases) / max(1, len(row.cases))
    if not row.cases:
        decided: tuple[Verdict, Rule | None] = ("inconclusive", None)
    elif row.counts:
        worse = any(pair.change < 0 for pair in row.cases)
        decided = ("regressed", "noise-free") if worse else ("passed", None)
    else:
        decided = ("regressed", "noise-free") if mean_change <= -margin else ("passed", None)
    return _with_words(
        _row_verdict(row, margin, decided, rules, exploratory=exploratory),
        mean=None,
        breaks=None,
        outlook=None,
        improved=mean_change > 0,
    )


def _margin(row: Row, rules: Rules) -> float:
    return rules.margin if row.margin is None else row.margin


def _row_verdict(
    row: Row,
    margin: float,
    decided: tuple[Verdict, Rule | None],
    rules: Rules,
    *,
    exploratory: bool,
) -> RowVerdict:
    verdict, rule = decided
    fails = verdict == "regressed" or (rules.strict and verdict == "inconclusive")
    pairs = sorted(row.cases, key=_by_case)
    unit: Unit = "score" if row.cases and not row.counts else "passes"
    return RowVerdict(
        name=row.name,
        verdict=verdict,
        rule=rule,
        blocking=fails and not exploratory,
        exploratory=exploratory,
        unit=unit,
        cases=len(pairs),
        dropped=row.dropped,
        margin=margin,
        worse=_ids(pair for pair in pairs if pair.change < 0),
        better=_ids(pair for pair in pairs if pair.change > 0),
        mean=None,
        breaks=None,
        outlook=None,
        improved=False,
        sentence="",
        notes=(),
    )


def _with_words(
    result: RowVerdict,
    *,
    mean: MeanTest | None,
    breaks: BreakTest | None,
    outlook: Outlook | None,
    improved: bool,
) -> RowVerdict:
    verdict = replace(result, mean=mean, breaks=breaks, outlook=outlook, improved=improved)
    return replace(verdict, sentence=sentence(verdict), notes=notes(verdict))
