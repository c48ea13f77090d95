"""From a baseline and a run to their diff: the class of every case, and the tests. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

from pytest_evals.stats.paired import Confirmed, evaluate_rows, explore_rows
from pytest_evals.stats.rows import Dropped, Rules
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.diff.entries import diff_entries
from pytest_evals.verdict.diff.nouns import ChangeClass, ComparisonSpec, Diff, DiffEntry, RowTest
from pytest_evals.verdict.diff.rows import build_row, build_rows
from pytest_evals.verdict.diff.run_side import RunSide

_MAX_SLICES = 40
_MANY_PAIRS = 2000
_GRAVITY: tuple[ChangeClass, ...] = (
    "regressed",
    "errored",
    "drifted",
    "newly_failing",
    "added_failing",
    "flaky",
    "still_failing",
    "case_edited",
    "fixed",
    "newly_passing",
    "removed",
    "added_passing",
    "still_passing",
)
_RANK = {name: rank for rank, name in enumerate(_GRAVITY)}
assert set(_GRAVITY) == set(get_args(ChangeClass))


def diff_with_baseline(
    baseline: Baseline,
    run: RunSide,
    declared: Sequence[ComparisonSpec] = (),
    *,
    name: str = "",
    rules: Rules | None = None,
    confirmed: Confirmed | None = None,
    by: Sequence[str] = ("tag",),
    also: Sequence[ComparisonSpec] = (),
) -> Diff:
    """Return the changes between a baseline and a run.

    Args:
        baseline: of the same dataset.
        run: the run.
        declared: the comparisons that gates declare: one family; their verdicts can block.
        name: the baseline's name in reports.
        rules: the constants of the comparison.
        confirmed: the confirmation samples (`confirmed_answers`); None if confirmation is off.
        by: the slice keys to explore: shown, never blocking. Models without a declared comparison
            are explored too. Exploration changes no declared verdict.
        also: further comparisons to explore.

    Raises:
        ValueError: two declared comparisons are equal.
    """
    rules = rules or Rules()
    verdicts = evaluate_rows(build_rows(declared, baseline, run), rules=rules, confirmed=confirmed)
    counts: Counter[str] = Counter()
    entries: list[DiffEntry] = []
    for change_class, entry in diff_entries(baseline, run):
        counts[change_class] += 1
        if entry is not None:
            entries.append(entry)
    tests = [
        RowTest(
            model=spec.model,
            gate=spec.gate,
            of=spec.of,
            slice=spec.part,
            drifted=_drifted(entries, spec, baseline, run) if spec.of is None else (),
            result=verdict,
        )
        for spec, verdict in zip(declared, verdicts, strict=True)
    ]
    return Diff(
        dataset=baseline.dataset,
        baseline=name,
        verdict=_gravest(tests),
        entries=_listed(entries, tests),
        counts=dict(sorted(counts.items())),
        tests=(*tests, *_explored(baseline, run, _others(run, declared, by, also), rules)),
        dropped=_dropped(entries, run),
    )


def _gravest(tests: Iterable[RowTest]) -> Literal["regressed", "inconclusive", "passed"] | None:
    verdicts = {"regressed" if test.drifted else test.result.verdict for test in tests}
    order: tuple[Literal["regressed", "inconclusive", "passed"], ...] = (
        "regressed",
        "inconclusive",
        "passed",
    )
    return next((verdict for verdict in order if verdict in verdicts), None)


def _drifted(
    entries: Sequence[DiffEntry], spec: ComparisonSpec, baseline: Baseline, run: RunSide
) -> tuple[str, ...]:
    """Return the passing cases of a row with changed recorded answers."""
    if spec.model in run.incomplete:
        return ()
    members = run.members(spec.model, spec.part)
    before = baseline.by_model.get(spec.model, {})
    now = run.snapshot.by_model.get(spec.model, {})
    return tuple(
        entry.case
        for entry in entries
        if entry.kind == "drifted"
        and entry.model == spec.model
        and entry.case in members
        and before[entry.case].recorded
        and now[entry.case].recorded
    )


def _listed(changes: Iterable[DiffEntry], tests: Sequence[RowTest]) -> tuple[DiffEntry, ...]:
    """Return the entries, blocking ones marked, the gravest first."""
    behind = {(case, test.model) for test in tests for case in failing_cases(test)}
    entries = [
        entry.model_copy(update={"blocking": True})
        if (entry.case, entry.model) in behind
        else entry
        for entry in changes
    ]
    return tuple(sorted(entries, key=lambda entry: (_RANK[entry.kind], entry.case, entry.model)))


def failing_cases(test: RowTest) -> tuple[str, ...]:
    """Return the cases that make a declared comparison fail; empty if it does not fail."""
    result = test.result
    if result.verdict != "regressed":
        return test.drifted
    if result.rule == "break" and result.breaks:
        return tuple(dict.fromkeys((*result.breaks.confirmed, *test.drifted)))
    return tuple(dict.fromkeys((*result.worse, *test.drifted)))


def _others(
    run: RunSide,
    declared: Sequence[ComparisonSpec],
    by: Sequence[str],
    also: Sequence[ComparisonSpec],
) -> list[ComparisonSpec]:
    """Return the undeclared comparisons: complete models and their slices, and `also`."""
    declared_rows = {(spec.model, spec.of, spec.part) for spec in declared}
    parts = [None, *(part for key in by for part in run.table.slices(key)[:_MAX_SLICES])]
    more = [ComparisonSpec(model=model, part=part) for model in run.table.models for part in parts]
    return [
        spec
        for spec in dict.fromkeys((*more, *also))
        if spec.model not in run.incomplete
        and (spec.model, spec.of, spec.part) not in declared_rows
    ]


def _explored(
    baseline: Baseline, run: RunSide, more: Sequence[ComparisonSpec], rules: Rules
) -> tuple[RowTest, ...]:
    """Return the exploratory comparisons with two cases or more."""
    rows = {spec: build_row(spec, baseline, run) for spec in more}
    rows = {spec: row for spec, row in rows.items() if len(row.cases) > 1}
    if sum(len(row.cases) for row in rows.values()) > _MANY_PAIRS:
        rules = replace(rules, draws=min(rules.draws, 999))
    results = explore_rows(list(rows.values()), rules=rules)
    return tuple(
        RowTest(model=spec.model, of=spec.of, slice=spec.part, result=result)
        for spec, result in zip(rows, results, strict=True)
    )


_WHY = {
    "added_passing": "not in the baseline",
    "added_failing": "not in the baseline",
    "removed": "not in this run",
    "errored": "no scored sample in the run",
    "case_edited": "edited",
}


def _dropped(entries: Iterable[DiffEntry], run: RunSide) -> tuple[Dropped, ...]:
    """Return the cases that were not compared, with the reasons."""
    models: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if entry.kind in _WHY:
            reason = _WHY[entry.kind]
            if entry.kind == "case_edited":
                reason = f"its {' and '.join(_words(entry))} changed"
            models.setdefault((entry.case, reason), []).append(entry.model)
    every = set(run.table.models)
    return tuple(
        Dropped(case if set(of) == every else f"{case}[{model}]", reason)
        for (case, reason), of in sorted(models.items())
        for model in ([""] if set(of) == every else of)
    )


def _words(entry: DiffEntry) -> list[str]:
    words = {"case": "input or reference answer", "scorers": "assertions"}
    return [words[name] for name in entry.edited if name in words]


def diff_runs(before: RunSide, now: RunSide, *, name: str = "") -> Diff:
    """Return the changes between two runs of a dataset; without a declaration, nothing blocks.

    Args:
        before: the run that serves as the baseline.
        now: the other run.
        name: the first run's name in reports.
    """
    return diff_with_baseline(before.snapshot, now, name=name)
