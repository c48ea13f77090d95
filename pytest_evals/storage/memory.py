"""MemoryRunStore: runs in memory, for tests and scripts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.rules import (
    Tally,
    find_run_id,
    reject_running,
    row_of,
    with_progress,
)

_NAME = "memory"


@dataclass(slots=True)
class _StoredRun:
    """A run with its trials and labels."""

    run: Run
    sealed: bool = False
    attempts: list[tuple[str, str, TrialRow]] = field(default_factory=list)
    """Node id, record and columns, in the order they were appended."""
    labels: list[tuple[str, HumanScore]] = field(default_factory=list)

    def current(self) -> list[tuple[str, str, TrialRow]]:
        """Return the last attempt of each trial, in the order they were appended."""
        last = {trial: i for i, (trial, _, _) in enumerate(self.attempts)}
        return [self.attempts[i] for i in sorted(last.values())]


class MemoryRunStore:
    """A `RunStore` without a file."""

    def __init__(self) -> None:
        self._runs: dict[str, _StoredRun] = {}
        self._closed = False

    def begin(self, run: Run) -> None:
        """Store a new, unsealed run."""
        self._check_open()
        if run.id in self._runs:
            raise StoreError(f"{_NAME} holds a run {run.id} already; a new run needs a new id")
        self._runs[run.id] = _StoredRun(run)

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Store one trial."""
        stored = self._unsealed(run_id)
        stored.attempts.append((result.id, record, row_of(result)))

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Store several trials, all or none."""
        stored = self._unsealed(run_id)
        stored.attempts += [(result.id, record, row_of(result)) for record, result in trials]

    def seal(self, run: Run) -> None:
        """Replace the run's record with its final one."""
        reject_running(run)
        stored = self._unsealed(run.id)
        stored.run, stored.sealed = run, True

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique prefix of its id, or ``latest``."""
        return self._with_progress(self._find(run_id))

    def runs(
        self,
        *,
        dataset: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Return runs, newest first."""
        end = None if limit is None else offset + limit
        return self._select(dataset, status)[offset:end]

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return the number of runs."""
        return len(self._select(dataset, status))

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials, the last attempt of each."""
        for _, record, _ in self._find(run_id).current():
            yield TrialResult.model_validate_json(record)

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the columns of the same trials without reading their records."""
        for _, _, row in self._find(run_id).current():
            yield row

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the current one last."""
        return [
            TrialResult.model_validate_json(record)
            for name, record, _ in self._find(run_id).attempts
            if name == trial
        ]

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Store a human score of a trial."""
        stored = self._find(run_id)
        if not any(name == trial for name, _, _ in stored.attempts):
            raise StoreError(f"run {stored.run.id} in {_NAME} has no trial {trial!r}")
        stored.labels.append((trial, score))

    def labels(self, run_id: str) -> list[tuple[str, HumanScore]]:
        """Return all human scores of a run with their trials, by time."""
        return sorted(self._find(run_id).labels, key=lambda pair: pair[1].at)

    def close(self) -> None:
        """Delete everything."""
        self._closed = True
        self._runs.clear()

    def _check_open(self) -> None:
        """Raise an error if the store is closed."""
        if self._closed:
            raise StoreError(f"the run store ({_NAME}) is closed")

    def _find(self, run_id: str) -> _StoredRun:
        """Return a run by id, prefix or ``latest``."""
        self._check_open()
        return self._runs[find_run_id(run_id, list(reversed(self._runs)), _NAME)]

    def _unsealed(self, run_id: str) -> _StoredRun:
        """Return an unsealed run."""
        self._check_open()
        stored = self._runs.get(run_id)
        if stored is None:
            raise StoreError(f"{_NAME} holds no run {run_id!r}; begin it first")
        if stored.sealed:
            raise StoreError(f"run {run_id} in {_NAME} is sealed; nothing can be added to it")
        return stored

    def _with_progress(self, stored: _StoredRun) -> Run:
        """Return a run; an unsealed one with its totals so far."""
        if stored.sealed:
            return stored.run
        tallies: dict[str, Tally] = {}
        for _, _, row in stored.current():
            tallies.setdefault(row.outcome, Tally()).add(row)
        return with_progress(stored.run, tallies, RunStatus.RUNNING)

    def _select(self, dataset: str | None, status: RunStatus | None) -> list[Run]:
        """Return the runs of a dataset and status, newest first."""
        self._check_open()
        runs = map(self._with_progress, reversed(self._runs.values()))
        return [
            run
            for run in runs
            if (dataset is None or any(info.name == dataset for info in run.datasets))
            and (status is None or run.status is status)
        ]
