"""Add a run to a baseline, or join two baselines. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable

from pytest_evals.ground.canonical import canonical
from pytest_evals.ground.errors import StoreError
from pytest_evals.verdict.baseline.build import _sorted
from pytest_evals.verdict.baseline.lines import Baseline, BaselineLine, RunCounts, ShownAnswer


def _first(*answers: ShownAnswer | None) -> ShownAnswer | None:
    """Return the first answer in text order; None without an answer."""
    shown = (answer for answer in answers if answer is not None)
    return min(shown, key=lambda answer: (answer.answer, answer.tools), default=None)


def update_baseline(
    old: Baseline | None, new: Baseline, *, cases: Collection[str] | None = None
) -> Baseline:
    """Add a run to a baseline, whether it passed or failed.

    The counts are added to a line with the same definition. A line with another definition is
    replaced. Lines of cases and models outside the run stay unchanged.

    Args:
        old: the baseline so far; None starts a new one.
        new: the run (see `build_baseline`).
        cases: all cases of the dataset, if the collection was complete: lines of the run's models
            for other cases are removed. None removes nothing.

    Raises:
        StoreError: they are of two datasets.
    """
    if old is None:
        return new
    _same_dataset(old, new)
    lines = dict(old.cells)
    for key, line in new.cells.items():
        before = lines.get(key)
        added = before is not None and before.definition == line.definition and not line.recorded
        lines[key] = _joined(before, line) if added and before is not None else line
    if cases is not None:
        models = set(new.models)
        lines = {k: v for k, v in lines.items() if k[1] not in models or k[0] in cases}
    return Baseline(dataset=old.dataset, lines=_sorted(lines.values()))


def join_baselines(first: Baseline, other: Baseline) -> Baseline:
    """Return the union of two baselines: all lines, with all runs of lines in both.

    The operation is commutative and idempotent.

    Raises:
        StoreError: they are of two datasets, or define a case and model differently.
    """
    _same_dataset(first, other)
    return Baseline(dataset=first.dataset, lines=join_lines([*first.lines, *other.lines]))


def _same_dataset(first: Baseline, other: Baseline) -> None:
    if first.dataset != other.dataset:
        raise StoreError(
            f"a baseline of dataset {first.dataset!r} and one of {other.dataset!r} have nothing in "
            "common; give baselines of the same dataset"
        )


def join_lines(lines: Iterable[BaselineLine]) -> tuple[BaselineLine, ...]:
    """Return lines sorted, those of one case and model joined.

    Raises:
        StoreError: a case and model is defined in two ways.
    """
    joined: dict[tuple[str, str], BaselineLine] = {}
    for line in lines:
        before = joined.get(line.key)
        if before is None:
            joined[line.key] = line
        elif before.definition == line.definition:
            joined[line.key] = _joined(before, line)
        else:
            raise StoreError(
                f"case {line.case!r}, model {line.model!r} has two different definitions "
                f"({_differing(before, line)}); keep the line of the current definition"
            )
    return _sorted(joined.values())


def _differing(first: BaselineLine, other: BaselineLine) -> str:
    return ", ".join(first.digests.differing(other.digests)) or "recorded answers and live ones"


def _joined(first: BaselineLine, other: BaselineLine) -> BaselineLine:
    """Join the runs of two lines with the same definition."""
    if first.recorded:
        return max(first, other, key=lambda line: (_weight(line.runs[0]), line.model_dump_json()))
    by_draws: dict[str, RunCounts] = {}
    for run in (*first.runs, *other.runs):
        before = by_draws.get(run.draws)
        by_draws[run.draws] = run if before is None else max(before, run, key=_weight)
    draws = {key: Counter(key.split(".")) for key in by_draws}
    # A run is a prefix of a longer one if that one contains all of its draws.
    kept = [
        run
        for key, run in sorted(by_draws.items())
        if not any(key != other and draws[key] <= draws[other] for other in draws)
    ]
    return BaselineLine(
        case=first.case,
        model=first.model,
        digests=first.digests,
        runs=tuple(kept),
        right=_first(first.right, other.right),
        wrong=_first(first.wrong, other.wrong),
    )


def _weight(run: RunCounts) -> tuple[int, str]:
    """Return a sort key of runs, so that the choice does not depend on their order."""
    return run.n, canonical(run.model_dump(mode="json"))
