"""Baselines in a session: found and read before anything is asked, brought up to date at the end.

Knows nothing of reports and of the terminal.
"""

from dataclasses import dataclass
from pathlib import Path

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import StoreError
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run import DatasetInfo
from pytest_evals.storage.baseline_file import (
    Found,
    RunReader,
    baseline_path,
    find_baseline,
    load_baseline,
)
from pytest_evals.storage.run_baseline import own_target, shown_in
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.declare import parse_gates
from pytest_evals.verdict.gate.spec import GateSpec


@dataclass(frozen=True, slots=True)
class Compared:
    """What one dataset is compared with."""

    gates: tuple[GateSpec, ...]
    """The dataset's gates."""
    found: Found | None
    """The baseline; None where there is none."""
    own: Baseline | None
    """The dataset's own file as it is now, which this run may bring up to date."""
    path: Path
    """That file."""
    why_none: str | None = None
    """Why it does not matter that there is no baseline; None where it does."""

    @property
    def baseline(self) -> Baseline | None:
        """The baseline that cases are compared with."""
        return None if self.found is None else self.found.baseline


def find(settings: Settings, info: DatasetInfo, run_id: str) -> Compared:
    """Find and read the baseline of a dataset.

    Args:
        settings: the session's.
        info: the dataset.
        run_id: this session's run, which is never its own baseline.

    Raises:
        StoreError: the baseline asked for is not there, or one that is there is not right.
    """
    gates = parse_gates(info)
    writes = settings.update_baseline or settings.reset_baseline
    compares = any(gate.compares for gate in gates)
    read = writes or (compares and settings.baseline is None)
    target = own_target(info, settings.rootdir, read=read)
    own, path = target.old, target.path
    if settings.baseline is not None:
        found = find_baseline(
            settings.baseline,
            rootdir=settings.rootdir,
            dataset=info.name,
            dataset_path=settings.rootdir / info.path,
            run=_run_reader(settings, info.name, run_id),
        )
        return Compared(gates, found, own, path)
    if settings.reset_baseline:
        return Compared(gates, None, own, path, "this run begins the baseline anew")
    if own is None:
        first = "this run writes the first baseline" if writes else None
        return Compared(gates, None, None, path, first)
    return Compared(gates, target.found, own, path)


def _run_reader(settings: Settings, dataset: str, own_run: str) -> RunReader:
    """Return what makes a baseline of a stored run."""

    def read(source: str) -> Baseline:
        from pytest_evals.storage.run_baseline import find_run, run_baseline
        from pytest_evals.storage.sqlite import SqliteRunStore

        if not settings.store_path.is_file():
            raise StoreError(f"there is no store at {settings.store}")
        store = SqliteRunStore(settings.store_path)
        try:
            run = find_run(store, source, dataset, before=own_run)
            return run_baseline(store, run, dataset)
        finally:
            store.close()

    return read


def seconds_a_sample(settings: Settings, dataset: Dataset) -> dict[str, float]:
    """Return what the committed baseline says that a sample of each case takes, over its models.

    Raises:
        StoreError: it is there, but not right.
    """
    path = baseline_path(settings.rootdir / dataset.path, dataset.name)
    if not path.is_file():
        return {}
    found: dict[str, float] = {}
    shown = shown_in(settings.rootdir, path)
    for line in load_baseline(path, dataset=dataset.name, shown=shown).lines:
        times = [run.latency_s for run in line.runs if run.latency_s is not None]
        if times:
            found[line.case] = found.get(line.case, 0.0) + sum(times) / len(times)
    return found


def bring_up_to_date(
    settings: Settings, compared: Compared, table: TrialTable, info: DatasetInfo
) -> str | None:
    """Write what a run says into the dataset's own baseline; only what ran is touched.

    Returns:
        A note for the user; None where no baseline is to be written.

    Raises:
        StoreError: it cannot be written; the old file is untouched.
    """
    if not (settings.update_baseline or settings.reset_baseline):
        return None
    from pytest_evals.storage.run_baseline import Target, add_to_baseline

    target = Target(compared.path, shown_in(settings.rootdir, compared.path), compared.own)
    replayed = settings.responses == "replay"
    reset = settings.reset_baseline
    return add_to_baseline(target, table, info, replayed=replayed, reset=reset).sentence
