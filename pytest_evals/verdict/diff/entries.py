"""The change of each case between a baseline and a run. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import comb

from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.verdict.baseline import BaselineLine, ShownAnswer
from pytest_evals.verdict.baseline.lines import Baseline
from pytest_evals.verdict.diff.nouns import Change, ChangeClass, DiffEntry
from pytest_evals.verdict.diff.rows import edited_parts
from pytest_evals.verdict.diff.run_side import RunSide

CASE_LEVEL = 0.05
"""The level of Fisher's exact test on one case: a change is significant at or below it."""

_MOST_REASONS = 5


def diff_entries(
    baseline: Baseline, run: RunSide
) -> Iterator[tuple[ChangeClass, DiffEntry | None]]:
    """Yield the class of every pair of case and model, in order, with an entry if it changed.

    A pair is unchanged if every sample still passes, if no sample passes and the same assertions
    fail, or if the pass rate between 0 and 1 is equal.
    """
    now, cells = run.snapshot.cells, run.cells
    recorded = {(case, model) for model, cases in cells.items() for case in cases}
    independent = {model: run.independent(model) for model in cells}
    for case, model in sorted(baseline.cells.keys() | recorded):
        key = (case, model)
        before, after = baseline.cells.get(key), now.get(key)
        if after is not None:
            if before is None:
                added = _added(after)
                yield added.kind, added
            else:
                yield _both(before, after, independent=independent[model])
        elif key in recorded:
            errored = [trial for trial in cells[model][case] if trial.outcome == "errored"]
            if errored:
                yield "errored", _errored(case, model, before, errored)
        elif before is not None and model in cells and model not in run.incomplete:
            yield "removed", _removed(before)


def _added(now: BaselineLine) -> DiffEntry:
    change_class: ChangeClass = "added_passing" if now.passes == now.n else "added_failing"
    answer, tools = _seen(now.wrong or now.right)
    return DiffEntry(
        case=now.case,
        model=now.model,
        kind=change_class,
        passes=now.passes,
        n=now.n,
        answer=answer,
        tools=tools,
        failing=_failing(now),
        reasons=_reasons(now),
    )


def _removed(before: BaselineLine) -> DiffEntry:
    answer, tools = _seen(before.wrong or before.right)
    return DiffEntry(
        case=before.case,
        model=before.model,
        kind="removed",
        passes_before=before.passes,
        n_before=before.n,
        answer_before=answer,
        tools_before=tools,
        failing_before=_failing(before),
    )


def _errored(
    case: str, model: str, before: BaselineLine | None, errored: Sequence[TrialStats]
) -> DiffEntry:
    reasons = dict.fromkeys(reason for trial in errored for reason in trial.reasons)
    return DiffEntry(
        case=case,
        model=model,
        kind="errored",
        passes_before=before.passes if before else None,
        n_before=before.n if before else None,
        passes=0,
        n=0,
        failing_before=_failing(before) if before else (),
        reasons=tuple(reasons)[:_MOST_REASONS],
    )


def _both(
    before: BaselineLine, now: BaselineLine, *, independent: bool
) -> tuple[ChangeClass, DiffEntry | None]:
    change_class: ChangeClass = "case_edited"
    if not edited_parts(before, now):
        change_class = classify_change(before, now, independent=independent)
    moved = now.passes * before.n - before.passes * now.n
    unchanged = change_class == "still_passing" or (change_class == "flaky" and not moved)
    return change_class, None if unchanged else _changed(before, now, change_class, moved)


def _changed(
    before: BaselineLine, now: BaselineLine, change_class: ChangeClass, moved: int
) -> DiffEntry:
    worse, better = moved < 0, moved > 0
    first, second = (before.right, now.wrong) if worse else (before.wrong, now.right)
    if not worse and not better:
        first, second = before.right or before.wrong, now.right or now.wrong
    answer_before, tools_before = _seen(first or before.right or before.wrong)
    answer, tools = _seen(second or now.right or now.wrong)
    return DiffEntry(
        case=now.case,
        model=now.model,
        kind=change_class,
        passes_before=before.passes,
        n_before=before.n,
        passes=now.passes,
        n=now.n,
        scores=_scores(before, now),
        answer_before=answer_before,
        answer=answer,
        tools_before=tools_before,
        tools=tools,
        tokens=_change(before, now, "tokens"),
        latency_s=None if now.recorded else _change(before, now, "latency_s"),
        cost_usd=_change(before, now, "cost_usd"),
        failing_before=_failing(before),
        failing=_failing(now),
        reasons=_reasons(now),
        edited=before.digests.differing(now.digests),
    )


def classify_change(before: BaselineLine, now: BaselineLine, *, independent: bool) -> ChangeClass:
    """Return the class of a change, from the counts on both sides.

    Args:
        before: the baseline's line.
        now: the run's line, with the same input and assertions.
        independent: whether samples are independent draws; if not, a case counts as one sample,
            and its change is never significant.
    """
    moved = now.passes * before.n - before.passes * now.n
    recorded = before.recorded and now.recorded
    if not moved:
        if now.passes == now.n:
            return "drifted" if _drifted(before, now, recorded=recorded) else "still_passing"
        return "flaky" if now.passes else "still_failing"
    if not recorded and (
        not independent or fisher_p(before.passes, before.n, now.passes, now.n) > CASE_LEVEL
    ):
        return _unconfirmed(before, now)
    return "fixed" if moved > 0 else "regressed"


def _unconfirmed(before: BaselineLine, now: BaselineLine) -> ChangeClass:
    """Return the class of a change that is not significant."""
    if before.passes == before.n and not now.passes:
        return "newly_failing"
    if not before.passes and now.passes == now.n:
        return "newly_passing"
    return "flaky"


def _drifted(before: BaselineLine, now: BaselineLine, *, recorded: bool) -> bool:
    if not recorded:
        return _seen(before.right)[1] != _seen(now.right)[1]
    old, new = before.runs[0].answers, now.runs[0].answers
    return bool(old) and bool(new) and set(old) != set(new)


@lru_cache(maxsize=65536)
def fisher_p(passes_a: int, n_a: int, passes_b: int, n_b: int) -> float:
    """Return the one-sided p-value of Fisher's exact test, in the direction of the difference.

    Fisher 1935, "The logic of inductive inference". The result does not depend on the order of the
    sides, and is 1 for equal rates.

    Args:
        passes_a: of one side, 0..n_a.
        n_a: its samples, >= 1.
        passes_b: of the other side, 0..n_b.
        n_b: its samples, >= 1.

    Returns:
        A probability in (0, 1].
    """
    if passes_a * n_b == passes_b * n_a:
        return 1.0
    if passes_a * n_b < passes_b * n_a:
        passes_a, n_a, passes_b, n_b = passes_b, n_b, passes_a, n_a
    passes = passes_a + passes_b
    ways = (comb(n_a, passes - i) * comb(n_b, i) for i in range(passes_b + 1) if passes - i <= n_a)
    return sum(ways) / comb(n_a + n_b, passes)


def _seen(shown: ShownAnswer | None) -> tuple[str | None, tuple[str, ...] | None]:
    return (None, None) if shown is None else (shown.answer, shown.tools)


def _failing(line: BaselineLine) -> tuple[str, ...]:
    return tuple(sorted({name for run in line.runs for name in run.failing}))


def _reasons(line: BaselineLine) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r for run in line.runs for r in run.reasons))[:_MOST_REASONS]


def _scores(before: BaselineLine, now: BaselineLine) -> dict[str, Change]:
    numbers: Mapping[str, tuple[float | None, float | None]] = {
        name: (before.number(name), now.number(name))
        for name in sorted({*before.scorers, *now.scorers})
    }
    return {
        name: Change(before=_plain(a), now=_plain(b))
        for name, (a, b) in numbers.items()
        if _plain(a) != _plain(b)
    }


def _change(before: BaselineLine, now: BaselineLine, of: str) -> Change | None:
    a, b = _plain(before.mean(of), 8), _plain(now.mean(of), 8)
    return None if a == b else Change(before=a, now=b)


def _plain(x: float | None, digits: int = 6) -> float | None:
    return None if x is None else round(x, digits)
