"""Stored runs as baselines, and runs written into a dataset's own baseline.

What a session does at its end and what the command line does later go through here, so both give
the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path

from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run import DatasetInfo, Run, RunStatus
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import Found, baseline_path, load_baseline, save_baseline
from pytest_evals.verdict.baseline import Baseline, build_baseline, update_baseline

_PAGE = 50


def is_replayed(run: Run) -> bool:
    """Whether a run's stored answers count as recorded (``--evals-responses replay``)."""
    return run.options.get("responses") == "replay"


def dataset_of(run: Run, name: str) -> DatasetInfo:
    """Return what a run keeps of one of its datasets.

    Raises:
        StoreError: the run has nothing of it.
    """
    for info in run.datasets:
        if info.name == name:
            return info
    known = [info.name for info in run.datasets]
    raise StoreError(f"run {run.id} has nothing of dataset {name!r}.{suggest(name, known)}")


def run_before(store: RunStore, dataset: str, run_id: str | None) -> Run:
    """Return the last complete run of a dataset that stands before another in the store.

    Args:
        store: the runs.
        dataset: the dataset's name.
        run_id: the other run; where the store does not hold it yet, every run stands before it.

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
    """Return the run that is meant.

    Args:
        store: the runs.
        source: a run's id, the beginning of one, or ``latest``: the last complete run.
        dataset: the name of a dataset of the run.
        before: a run's id: ``latest`` is the last complete run before it.

    Raises:
        StoreError: there is no such run.
    """
    return run_before(store, dataset, before) if source == "latest" else store.run(source)


def run_baseline(store: RunStore, run: Run, dataset: str) -> Baseline:
    """Return what a stored run says of a dataset, as a baseline of that one run.

    Raises:
        StoreError: it has nothing of the dataset, or it cannot be read.
    """
    info = dataset_of(run, dataset)
    table = TrialTable.of(dataset, store.results(run.id))
    return build_baseline(table, info, replayed=is_replayed(run))


@dataclass(frozen=True, slots=True)
class Target:
    """A dataset's own baseline, as it was when it was read."""

    path: Path
    """The file."""
    shown: str
    """What it is called in messages."""
    old: Baseline | None
    """What it held; None where it was not there."""

    @property
    def found(self) -> Found | None:
        """It as what a run is compared with; None where it was not there."""
        return None if self.old is None else Found(self.old, self.shown)

    def required(self) -> Found:
        """Return it as what a run is compared with.

        Raises:
            StoreError: it is not there.
        """
        return self.found or Found(load_baseline(self.path, shown=self.shown), self.shown)


def shown_in(rootdir: Path, path: Path) -> str:
    """Return what a file is called in messages: by its way from the rootdir, where it is below."""
    return path.relative_to(rootdir).as_posix() if path.is_relative_to(rootdir) else str(path)


def own_target(info: DatasetInfo, rootdir: Path, *, read: bool = True) -> Target:
    """Return a dataset's own baseline as it is now.

    Args:
        info: the dataset.
        rootdir: where its path begins.
        read: False says only where it is; then what it holds is None.

    Raises:
        StoreError: the file that is there is not right.
    """
    path = baseline_path(rootdir / info.path, info.name)
    shown = shown_in(rootdir, path)
    there = read and path.is_file()
    old = load_baseline(path, dataset=info.name, shown=shown) if there else None
    return Target(path, shown, old)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a dataset's own baseline."""

    changed: bool
    """Whether the file changed."""
    lines: int
    """Lines of this run, that is cases and models of which something was scored."""
    sentence: str
    """For the user."""


def add_to_baseline(
    target: Target, table: TrialTable, info: DatasetInfo, *, replayed: bool, reset: bool
) -> Written:
    """Write what a run says into a dataset's own baseline; only what ran is touched.

    Lines are taken out only where the whole matrix ran.

    Args:
        target: the dataset's own baseline.
        table: the run's trials.
        info: what the run keeps of the dataset.
        replayed: whether answers from the store count as recorded.
        reset: whether lines of what ran begin anew, instead of having this run added.

    Raises:
        StoreError: it cannot be written; the old file is untouched.
    """
    new = build_baseline(table, info, replayed=replayed)
    if not new.lines:
        return Written(False, 0, f"baseline {target.shown} is unchanged: nothing was scored")
    old = target.old
    if old is not None and reset:
        kept = tuple(line for line in old.lines if line.key not in new.cells)
        old = Baseline(dataset=old.dataset, lines=kept)
    whole = len(table) == info.planned == info.selected
    whole = whole and all(one.outcome != "skipped" for one in table)
    cases = {one.case for one in table} if whole else None
    changed = save_baseline(target.path, update_baseline(old, new, cases=cases))
    count = f"{len(new.lines)} line{'' if len(new.lines) == 1 else 's'} of this run"
    told = f"now has {count}" if changed else "is unchanged"
    return Written(changed, len(new.lines), f"baseline {target.shown} {told}")
