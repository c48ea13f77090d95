"""A stored run added to its datasets' baselines."""

from pathlib import Path

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.ground.errors import StoreError
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.run_baseline import (
    BaselineChange,
    BaselineFile,
    add_to_baseline,
    dataset_baseline,
    dataset_of,
    is_replayed,
)


def accept_run(
    store: RunStore, run: Run, rootdir: Path, *, dataset: str | None = None, reset: bool = False
) -> list[tuple[str, BaselineFile, BaselineChange]]:
    """Add a run to its datasets' baselines; every file is read before one is written.

    Args:
        store: the stored runs.
        run: the run.
        rootdir: the folder that the paths of datasets are relative to.
        dataset: the name of one dataset; None is all of the run's.
        reset: whether the lines of what ran are replaced instead of added to.

    Returns:
        For each dataset its name, its baseline before, and what was written.

    Raises:
        StoreError: the run cannot be a baseline, or a file cannot be read or written.
    """
    _refuse_unfit(run)
    infos = [dataset_of(run, dataset)] if dataset else list(run.datasets)
    targets = [(info, _target(info, rootdir)) for info in infos if info.selected]
    tables = StoredTables(store)
    return [
        (
            info.name,
            target,
            add_to_baseline(
                target,
                tables.table(run, info.name),
                info,
                replayed=is_replayed(run),
                reset=reset,
            ),
        )
        for info, target in targets
    ]


def _refuse_unfit(run: Run) -> None:
    """Refuse a run that cannot be a baseline.

    Raises:
        StoreError: the run is running, a sanity run, or empty.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(f"run {run.id} is still running; accept it when it has ended")
    if run.options.get("sanity"):
        raise StoreError(f"run {run.id} is a sanity run (--evals-sanity): it called no model")
    if not any(info.selected for info in run.datasets):
        raise StoreError(f"run {run.id} ran no trial of any dataset")


def _target(info: DatasetInfo, rootdir: Path) -> BaselineFile:
    """Return a dataset's own baseline as it is now.

    Raises:
        StoreError: the dataset's folder is missing, or its baseline is not valid.
    """
    file = rootdir / info.path
    if not file.parent.is_dir():
        raise StoreError(
            f"{file.parent}: the folder of dataset {info.name!r} is missing; does the store belong "
            "to this project?"
        )
    return dataset_baseline(info, rootdir)
