"""Baselines: read before the first call, updated at the end of a session.

Knows neither reports nor the terminal.
"""

from collections.abc import Iterable

from pytest_evals.config import Settings
from pytest_evals.ground.errors import StoreError
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.dataset_baseline import DatasetBaseline
from pytest_evals.session.plan import Plan
from pytest_evals.storage.baseline_file import RunReader, find_baseline
from pytest_evals.storage.run_baseline import dataset_baseline, relative_name
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.coverage import gates_cover, is_compared
from pytest_evals.verdict.gate.declare import parse_gates


class Baselines:
    """The baselines of a session's datasets.

    Args:
        settings: the session's.
        plan: knows how many trials a full session has.
        run_id: the session's run, which is never its own baseline.
    """

    def __init__(self, settings: Settings, plan: Plan, run_id: str) -> None:
        self._settings = settings
        self._plan = plan
        self._run_id = run_id
        self._read: dict[str, DatasetBaseline] = {}
        self._gated: set[str] = set()

    def read_all(self, infos: Iterable[DatasetInfo]) -> None:
        """Read the baselines of all selected datasets, before any money is spent.

        Raises:
            StoreError: a baseline is missing or invalid.
        """
        for info in infos:
            if info.selected and needs_evaluation(self._settings, info):
                read = self._read[info.path] = self.of(info)
                if info.selected == self._plan.expected_trials(info) and read.gates:
                    self._gated.add(info.path)

    def of(self, info: DatasetInfo) -> DatasetBaseline:
        """Return the baseline of a dataset.

        Raises:
            StoreError: it is missing or invalid.
        """
        return self._read.get(info.path) or read_baseline(self._settings, info, self._run_id)

    def tolerates(self, group: str, result: TrialResult) -> bool:
        """Whether a gate of the dataset covers a failed trial, so that it fails no test itself.

        Gates of a narrowed dataset are not evaluated and tolerate nothing.

        Args:
            group: the trial's group, which is its dataset's path.
            result: the trial.
        """
        return group in self._gated and is_tolerated(result, self._read[group])


def is_tolerated(result: TrialResult, baseline: DatasetBaseline) -> bool:
    """Whether a gate covers a failed trial.

    Args:
        result: the trial.
        baseline: its dataset's gates, and what they compare with.
    """
    if result.outcome is not Outcome.FAILED:
        return False
    trial = summarize_trial(result)
    compared = is_compared(baseline.baseline, trial)
    return gates_cover(baseline.gates, trial, compared=compared)


def needs_evaluation(settings: Settings, info: DatasetInfo) -> bool:
    """Whether a dataset has gates, is compared with a baseline, or becomes one."""
    writes = settings.update_baseline or settings.reset_baseline
    return bool(info.gates) or writes or settings.baseline is not None


def read_baseline(settings: Settings, info: DatasetInfo, run_id: str) -> DatasetBaseline:
    """Find and read the baseline of a dataset.

    Args:
        settings: the session's.
        info: the dataset.
        run_id: the session's run, which is never its own baseline.

    Raises:
        StoreError: the requested baseline does not exist, or a baseline is invalid.
    """
    gates = parse_gates(info)
    writes = settings.update_baseline or settings.reset_baseline
    compares = any(gate.compares for gate in gates)
    read = writes or (compares and settings.baseline is None)
    target = dataset_baseline(info, settings.rootdir, read=read)
    committed, path = target.old, target.path
    if settings.baseline is not None:
        named = find_baseline(
            settings.baseline,
            rootdir=settings.rootdir,
            dataset=info.name,
            dataset_path=settings.rootdir / info.path,
            run=_run_reader(settings, info.name, run_id),
        )
        return DatasetBaseline(gates, named, committed, path)
    if settings.reset_baseline:
        return DatasetBaseline(gates, None, committed, path, "this run starts a new baseline")
    if committed is None:
        reason = "this run writes the first baseline" if writes else None
        return DatasetBaseline(gates, None, None, path, reason)
    return DatasetBaseline(gates, target.baseline, committed, path)


def _run_reader(settings: Settings, dataset: str, run_id: str) -> RunReader:
    """Return a function that makes a baseline of a stored run."""

    def read(source: str) -> Baseline:
        from pytest_evals.storage.run_baseline import find_run, run_baseline
        from pytest_evals.storage.sqlite import SqliteRunStore

        if not settings.store_path.is_file():
            raise StoreError(f"there is no store at {settings.store}")
        store = SqliteRunStore(settings.store_path)
        try:
            run = find_run(store, source, dataset, before=run_id)
            return run_baseline(store, run, dataset)
        finally:
            store.close()

    return read


def update_baseline(
    settings: Settings, baseline: DatasetBaseline, table: TrialTable, info: DatasetInfo
) -> str | None:
    """Update the dataset's committed baseline; only cases that ran are changed.

    Returns:
        A note for the user; None if no baseline is written.

    Raises:
        StoreError: it cannot be written; the old file is unchanged.
    """
    if not (settings.update_baseline or settings.reset_baseline):
        return None
    from pytest_evals.storage.run_baseline import BaselineFile, add_to_baseline

    shown = relative_name(settings.rootdir, baseline.path)
    target = BaselineFile(baseline.path, shown, baseline.committed)
    replayed = settings.responses == "replay"
    reset = settings.reset_baseline
    return add_to_baseline(target, table, info, replayed=replayed, reset=reset).sentence
