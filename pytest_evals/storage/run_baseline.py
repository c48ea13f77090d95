"""Stored runs as baselines, and adding a run to the baseline of a dataset.

The session and the command line both use it, so that both write the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path

from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import NamedBaseline, load_baseline, save_baseline
from pytest_evals.storage.baseline_path import baseline_path
from pytest_evals.verdict.baseline import Baseline, build_baseline, update_baseline

_PAGE = 50


def is_replayed(run: Run) -> bool:
    """Return whether stored responses count as recorded (``--evals-responses replay``)."""
    return run.options.get("responses") == "replay"


def dataset_of(run: Run, name: str) -> DatasetInfo:
    """Return the record of one of a run's datasets.

    Raises:
        StoreError: the run does not have the dataset.
    """
    for info in run.datasets:
        if info.name == name:
            return info
    names = [info.name for info in run.datasets]
    raise StoreError(f"run {run.id} has nothing of dataset {name!r}.{suggest(name, names)}")


def run_before(store: RunStore, dataset: str, run_id: str | None) -> Run:
    """Return the last complete run of a dataset that was stored before another run.

    Args:
        store: the runs.
        dataset: the dataset's name.
        run_id: the other run. If it is not stored yet, it comes after every run.

    Raises:
        StoreError: there is none.
    """
    candidate: Run | None = None
    offset = 0
    while page := store.runs(dataset=dataset, limit=_PAGE, offset=offset):
        for run in page:
            if run.id == run_id:
                candidate = None
            elif candidate is None and run.status is RunStatus.COMPLETE:
                candidate = run
                if run_id is None:
                    return run
        offset += len(page)
    if candidate is None:
        before = "" if run_id is None else f" before {run_id}"
        raise StoreError(f"no complete run of {dataset!r}{before} is stored")
    return candidate


def find_run(store: RunStore, source: str, dataset: str, *, before: str | None = None) -> Run:
    """Return a run by id, prefix or ``latest``.

    Args:
        store: the runs.
        source: a run id, a prefix of one, or ``latest``: the last complete run.
        dataset: the name of a dataset of the run.
        before: a run id; ``latest`` is the last complete run before it.

    Raises:
        StoreError: there is no such run.
    """
    return run_before(store, dataset, before) if source == "latest" else store.run(source)


def run_baseline(store: RunStore, run: Run, dataset: str) -> Baseline:
    """Return the results of a dataset in a stored run, as a baseline.

    Raises:
        StoreError: the run does not have the dataset, or cannot be read.
    """
    info = dataset_of(run, dataset)
    table = TrialTable.of(dataset, store.results(run.id))
    return build_baseline(table, info, replayed=is_replayed(run))


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """The baseline file of a dataset, as it was when it was read."""

    path: Path
    """The file."""
    shown: str
    """Its name in messages."""
    old: Baseline | None
    """Its content; None if it was missing."""

    @property
    def baseline(self) -> NamedBaseline | None:
        """The baseline for a comparison; None if the file was missing."""
        return None if self.old is None else NamedBaseline(self.old, self.shown)

    def required(self) -> NamedBaseline:
        """Return the baseline for a comparison.

        Raises:
            StoreError: the file is missing.
        """
        return self.baseline or NamedBaseline(
            load_baseline(self.path, shown=self.shown), self.shown
        )


def relative_name(rootdir: Path, path: Path) -> str:
    """Return the name of a file in messages: relative to the rootdir if it is below."""
    return path.relative_to(rootdir).as_posix() if path.is_relative_to(rootdir) else str(path)


def dataset_baseline(info: DatasetInfo, rootdir: Path, *, read: bool = True) -> BaselineFile:
    """Return the baseline file of a dataset.

    Args:
        info: the dataset.
        rootdir: the base of its path.
        read: False returns the path only, without the content.

    Raises:
        StoreError: the file is invalid.
    """
    path = baseline_path(rootdir / info.path, info.name)
    shown = relative_name(rootdir, path)
    if path.parent.exists() and not path.parent.is_dir():
        place = relative_name(rootdir, path.parent)
        raise StoreError(f"{place}: baselines are in a folder of this name, and it is a file")
    exists = read and path.exists()
    old = load_baseline(path, dataset=info.name, shown=shown) if exists else None
    return BaselineFile(path, shown, old)


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """The result of adding a run to the baseline of a dataset."""

    changed: bool
    """Whether the file changed."""
    lines: int
    """Lines of this run: combinations of case and model with a score."""
    sentence: str
    """A sentence for the user."""


def add_to_baseline(
    target: BaselineFile, table: TrialTable, info: DatasetInfo, *, replayed: bool, reset: bool
) -> BaselineChange:
    """Add the results of a run to the baseline of a dataset.

    Only lines of combinations that ran change. Lines are removed only if the whole matrix ran.

    Args:
        target: the baseline file of the dataset.
        table: the trials of the run.
        info: the run's record of the dataset.
        replayed: whether stored responses count as recorded.
        reset: whether this run replaces the lines of what ran, instead of being added to them.

    Raises:
        StoreError: it cannot be written; the old file is unchanged.
    """
    new = build_baseline(table, info, replayed=replayed)
    if not new.lines:
        return BaselineChange(False, 0, f"baseline {target.shown} is unchanged: nothing was scored")
    old = target.old
    if old is not None and reset:
        others = tuple(line for line in old.lines if line.key not in new.cells)
        old = Baseline(dataset=old.dataset, lines=others)
    is_whole = len(table) == info.planned == info.selected
    is_whole = is_whole and all(trial.outcome != "skipped" for trial in table)
    cases = {trial.case for trial in table} if is_whole else None
    changed = save_baseline(target.path, update_baseline(old, new, cases=cases))
    count = f"{len(new.lines)} line{'' if len(new.lines) == 1 else 's'} of this run"
    state = f"now has {count}" if changed else "is unchanged"
    return BaselineChange(changed, len(new.lines), f"baseline {target.shown} {state}")
