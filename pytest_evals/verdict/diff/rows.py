"""Rows: the cases of a baseline and a run, paired for one comparison. Pure.

Gates declare their rows before the run. Exploratory rows are separate, and change no verdict of
declared ones.
"""

from collections.abc import Iterable, Sequence

from pytest_evals.stats.rows import NOT_IN_RUN, Dropped, PairedCase, PairedScore, Row
from pytest_evals.verdict.baseline import Baseline, BaselineLine
from pytest_evals.verdict.diff.nouns import ComparisonSpec
from pytest_evals.verdict.diff.run_side import RunSide


def edited_parts(before: BaselineLine, now: BaselineLine) -> tuple[str, ...]:
    """Return the changed parts that prevent a comparison of two lines: ``case``, ``scorers``.

    A changed prompt or model does not prevent it: comparisons measure such changes.
    """
    changed = before.digests.differing(now.digests)
    return tuple(
        name
        for name in changed
        if name in {"case", "scorers"}
        and getattr(before.digests, name)
        and getattr(now.digests, name)
    )


_EDITED = {"case": "its input or reference answer changed", "scorers": "its assertions changed"}


def build_row(declared: ComparisonSpec, baseline: Baseline, run: RunSide) -> Row:
    """Return the row of one comparison: its pairs, and the cases without a pair."""
    model, part = declared.model, declared.part
    if model in run.incomplete:
        return Row(declared.name, (), margin=declared.margin)
    members = run.members(model, part)
    base = baseline.by_model.get(model, {})
    now = run.snapshot.by_model.get(model, {})
    pairs: list[tuple[BaselineLine, BaselineLine]] = []
    dropped: list[Dropped] = []
    repeated = run.repeated(model)
    for case in sorted(members if part else base.keys() | members):
        before, after = base.get(case), now.get(case)
        if case in repeated and repeated[case] in members:
            dropped.append(Dropped(case, f"it shares the draws of {repeated[case]}"))
            continue
        edited = edited_parts(before, after) if before and after else ()
        if before and after and not edited:
            pairs.append((before, after))
        else:
            dropped.append(Dropped(case, _reason(before, edited, in_run=case in members)))
    cases, silent = _pairs(pairs, declared.of)
    return Row(
        declared.name,
        cases,
        independent=run.independent(model),
        noise_free=bool(pairs) and all(a.recorded and b.recorded for a, b in pairs),
        margin=declared.margin,
        dropped=(*dropped, *silent),
    )


def _reason(before: BaselineLine | None, edited: Sequence[str], *, in_run: bool) -> str:
    if edited:
        return ", ".join(_EDITED[name] for name in edited)
    if before is None:
        return "not in the baseline"
    return "no scored sample in the run" if in_run else NOT_IN_RUN


def _pairs(
    pairs: Iterable[tuple[BaselineLine, BaselineLine]], of: str | None
) -> tuple[tuple[PairedCase, ...] | tuple[PairedScore, ...], tuple[Dropped, ...]]:
    """Return the pairs as counts, or as scores if the scorer gives values on both sides."""
    pairs = list(pairs)
    if of is None:
        counts = (PairedCase(a.case, a.passes, a.n, b.passes, b.n) for a, b in pairs)
        return tuple(counts), ()
    values = [(a.case, a.values(of), b.values(of)) for a, b in pairs]
    scores = tuple(
        PairedScore(case, x[0], x[1], y[0], y[1], x[2], y[2]) for case, x, y in values if x and y
    )
    if scores:
        scored = {pair.case for pair in scores}
        return scores, _silent((a.case for a, _ in pairs if a.case not in scored), of)
    voted = [(a.case, a.counts(of), b.counts(of)) for a, b in pairs]
    return (
        tuple(PairedCase(case, *x, *y) for case, x, y in voted if x and y),
        _silent((case for case, x, y in voted if not (x and y)), of),
    )


def _silent(cases: Iterable[str], of: str) -> tuple[Dropped, ...]:
    return tuple(Dropped(case, f"{of} has no score on one side") for case in cases)


def build_rows(declared: Sequence[ComparisonSpec], baseline: Baseline, run: RunSide) -> list[Row]:
    """Return the rows of one family, in declared order."""
    return [build_row(spec, baseline, run) for spec in declared]
