"""Read and update the baseline of one dataset.

Knows neither reports nor the terminal. Import it late: it brings the statistics of comparisons.
"""

from pytest_evals.config import Settings
from pytest_evals.ground.errors import StoreError
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.dataset_baseline import DatasetBaseline
from pytest_evals.storage.baseline_file import RunReader, check_writable, find_baseline
from pytest_evals.storage.run_baseline import dataset_baseline, relative_name
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.completeness import allowed_error_rate
from pytest_evals.verdict.gate.coverage import gates_cover, is_compared
from pytest_evals.verdict.gate.declare import parse_gates


def read_baseline(settings: Settings, info: DatasetInfo, run_id: str) -> DatasetBaseline:
    """Find and read the baseline of a dataset.

    Args:
        settings: the session's.
        info: the dataset.
        run_id: the session's run, which is never its own baseline.

    Raises:
        StoreError: the requested baseline does not exist, or a baseline is invalid.
    """
    gates, errors = parse_gates(info), info.max_error_rate
    writes = settings.update_baseline or settings.reset_baseline
    target = dataset_baseline(info, settings.rootdir, read=writes or settings.baseline is None)
    committed, path = target.old, target.path
    if writes:
        check_writable(path, target.shown)
    if settings.baseline is not None:
        named = find_baseline(
            settings.baseline,
            rootdir=settings.rootdir,
            dataset=info.name,
            dataset_path=settings.rootdir / info.path,
            run=_run_reader(settings, info.name, run_id),
        )
        return DatasetBaseline(gates, named, committed, path, errors)
    if settings.reset_baseline:
        return DatasetBaseline(
            gates, None, committed, path, errors, "this run starts a new baseline"
        )
    if committed is None:
        reason = "this run writes the first baseline" if writes else None
        return DatasetBaseline(gates, None, None, path, errors, reason)
    return DatasetBaseline(gates, target.baseline, committed, path, errors)


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


def is_tolerated(result: TrialResult, baseline: DatasetBaseline) -> bool:
    """Whether a gate accounts for a trial that failed or ended in an error.

    Errors count where the dataset allows some: then the gate on the error rate decides.

    Args:
        result: the trial.
        baseline: its dataset's gates, and what they compare with.
    """
    if result.outcome is Outcome.ERRORED:
        gates, limit = baseline.gates, baseline.max_error_rate
        return bool(gates) and allowed_error_rate(limit, gates, result.model_id) > 0
    if result.outcome is not Outcome.FAILED:
        return False
    trial = summarize_trial(result)
    compared = is_compared(baseline.baseline, trial)
    return gates_cover(baseline.gates, trial, compared=compared)
