"""Which stored runs may be removed: none that a baseline or a person still needs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import baselines_below, load_baseline
from pytest_evals.storage.baseline_path import baseline_path
from pytest_evals.storage.run_baseline import relative_name
from pytest_evals.verdict.baseline import Baseline


@dataclass(slots=True)
class RetentionPlan:
    """The runs to remove and the runs to keep."""

    removed: list[Run] = field(default_factory=list)
    kept: list[tuple[Run, str]] = field(default_factory=list)
    """Runs that stay, each with the reason."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Ids of runs whose records cannot be read, each with the error."""


def removable_runs(
    store: RunStore,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    dataset: str | None = None,
    status: str | None = None,
) -> list[Run]:
    """Return the runs that the user's limits allow to remove, newest first.

    Args:
        store: the stored runs.
        keep: the newest runs of each dataset that stay; None keeps none.
        older_than: Unix time, seconds: only runs that began before; None is every run.
        dataset: only runs of this dataset.
        status: only runs of this status.

    Raises:
        StoreError: a run's record cannot be read, or no run has the dataset.
    """
    runs = store.runs()
    names = {info.name for run in runs for info in run.datasets}
    if dataset is not None and dataset not in names:
        raise StoreError(f"no stored run has a dataset {dataset!r}.{suggest(dataset, names)}")
    seen: Counter[str] = Counter()
    removable = []
    for run in runs:
        datasets = [info.name for info in run.datasets] or [""]
        if dataset is not None and dataset not in datasets:
            continue
        if status is not None and run.status != status:
            continue
        seen.update(datasets)
        is_newest = keep is not None and any(seen[name] <= keep for name in datasets)
        is_young = older_than is not None and run.started_at >= older_than
        if not is_newest and not is_young and run.status is not RunStatus.RUNNING:
            removable.append(run)
    return removable


def plan_removal(
    store: RunStore, runs: Sequence[Run], rootdir: Path, *, labelled: bool
) -> RetentionPlan:
    """Decide for each run whether it is removed.

    Args:
        store: the stored runs.
        runs: the candidates, newest first.
        rootdir: the project, whose baselines are read.
        labelled: whether runs that people have scored may be removed too.

    Raises:
        StoreError: a baseline cannot be read, so the samples that it holds are unknown.
    """
    samples = _BaselineSamples(rootdir, runs)
    plan = RetentionPlan()
    for run in runs:
        try:
            baseline = samples.holder_of(store, run)
        except StoreError as error:
            plan.unreadable.append((run.id, str(error)))
            continue
        if baseline:
            plan.kept.append((run, f"{baseline} holds samples of it"))
        elif store.labels(run.id) and not labelled:
            plan.kept.append((run, "people have scored it (--labelled removes it too)"))
        else:
            plan.removed.append(run)
    return plan


_Cell = tuple[str, str, str]
"""A dataset, a case and a model."""


@dataclass(frozen=True, slots=True)
class _Sampled:
    """The samples of one run in a line of a baseline."""

    draws: Counter[str]
    recorded: bool
    """Whether they are recorded answers, which several runs can share."""
    baseline: str
    """The baseline's name in messages."""


class _BaselineSamples:
    """The samples that baselines hold, and the runs that they came from.

    Recorded answers can be in several runs. They belong to the newest run that has them.
    """

    def __init__(self, rootdir: Path, runs: Sequence[Run]) -> None:
        self._samples: dict[_Cell, list[_Sampled]] = {}
        for path in dict.fromkeys(_baselines(rootdir, runs)):
            shown = relative_name(rootdir, path)
            self._add(load_baseline(path, shown=shown), shown)

    def _add(self, baseline: Baseline, shown: str) -> None:
        """Add the samples of a baseline."""
        for line in baseline.lines:
            samples = self._samples.setdefault((baseline.dataset, line.case, line.model), [])
            samples += [
                _Sampled(Counter(counts.draws.split(".")), line.recorded, shown)
                for counts in line.runs
            ]

    def holder_of(self, store: RunStore, run: Run) -> str:
        """Return the baseline that holds samples of a run; empty if none does.

        Raises:
            StoreError: a record of the run cannot be read.
        """
        cells: dict[_Cell, Counter[str]] = {}
        for result in store.results(run.id):
            trial = summarize_trial(result)
            key = (result.dataset, trial.case, trial.model)
            cells.setdefault(key, Counter())[trial.draw or "00000000"] += 1
        baseline = ""
        for key, draws in cells.items():
            samples = self._samples.get(key, [])
            held = [sample for sample in samples if sample.draws <= draws]
            baseline = held[0].baseline if held else baseline
            self._samples[key] = [
                sample for sample in samples if sample not in held or not sample.recorded
            ]
        return baseline


def _baselines(rootdir: Path, runs: Sequence[Run]) -> Iterator[Path]:
    """Yield the baselines of the project: beside the runs' datasets, then all others."""
    for run in runs:
        for info in run.datasets:
            path = baseline_path(rootdir / info.path, info.name)
            if path.is_file():
                yield path
    yield from sorted(baselines_below(rootdir))
