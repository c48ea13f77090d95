"""Which stored runs may be removed: never one that a baseline or a person still needs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.run_record import Run
from pytest_evals.storage.sqlite import SqliteRunStore
from pytest_evals.verdict.baseline import Baseline


@dataclass(slots=True)
class RetentionPlan:
    """What is to become of the runs that are old enough."""

    gone: "list[Run]" = field(default_factory=list)
    kept: "list[tuple[Run, str]]" = field(default_factory=list)
    """Runs that stay, and why."""
    broken: list[tuple[str, str]] = field(default_factory=list)
    """Runs whose records cannot be read: the id, and what is wrong."""


_Cell = tuple[str, str, str]
"""A dataset, a case and a model."""


class BaselineSamples:
    """The samples that baselines hold; of recorded answers the newest run that has them counts."""

    def __init__(self, rootdir: Path, old: "Sequence[Run]") -> None:
        from pytest_evals.storage.baseline_file import load_baseline
        from pytest_evals.storage.run_baseline import relative_name

        self._lines: dict[_Cell, list[tuple[Counter[str], bool, str]]] = {}
        for path in dict.fromkeys(_baselines(rootdir, old)):
            shown = relative_name(rootdir, path)
            self._add(load_baseline(path, shown=shown), shown)

    def _add(self, baseline: "Baseline", shown: str) -> None:
        for line in baseline.lines:
            known = self._lines.setdefault((baseline.dataset, line.case, line.model), [])
            known += [
                (Counter(counts.draws.split(".")), line.recorded, shown) for counts in line.runs
            ]

    def by(self, store: "SqliteRunStore", its: "Run") -> str:
        """Return the baseline that holds samples of a run; empty where none does.

        Raises:
            StoreError: a record of the run cannot be read.
        """
        cells: dict[_Cell, Counter[str]] = {}
        for result in store.results(its.id):
            one = summarize_trial(result)
            key = (result.dataset, one.case, one.model)
            cells.setdefault(key, Counter())[one.draw or "00000000"] += 1
        found = ""
        for key, draws in cells.items():
            lines = self._lines.get(key, [])
            held = [line for line in lines if line[0] <= draws]
            found = held[0][2] if held else found
            self._lines[key] = [line for line in lines if line not in held or not line[1]]
        return found


def plan_removal(
    store: "SqliteRunStore", old: "Sequence[Run]", rootdir: Path, *, labelled: bool
) -> RetentionPlan:
    """Say what goes and what stays.

    Raises:
        StoreError: a baseline cannot be read, so that nobody knows what it names.
    """
    from pytest_evals.ground.errors import StoreError

    named = BaselineSamples(rootdir, old)
    plan = RetentionPlan()
    for its in old:
        try:
            of = named.by(store, its)
        except StoreError as error:
            plan.broken.append((its.id, str(error)))
            continue
        if of:
            plan.kept.append((its, f"{of} holds samples of it"))
        elif store.labels(its.id) and not labelled:
            plan.kept.append((its, "people have scored it (--labelled takes it too)"))
        else:
            plan.gone.append(its)
    return plan


def _baselines(rootdir: Path, old: "Sequence[Run]") -> Iterator[Path]:
    """Yield the baselines of the project: those beside the runs' datasets, and all others."""
    from pytest_evals.storage.baseline_file import baseline_path, baselines_below

    for its in old:
        for info in its.datasets:
            path = baseline_path(rootdir / info.path, info.name)
            if path.is_file():
                yield path
    yield from sorted(baselines_below(rootdir))
