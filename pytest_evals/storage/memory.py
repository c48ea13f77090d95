"""MemoryRunStore: runs kept as long as the process lives; what tests and scripts use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import TrialResult
from pytest_evals.run import Run, RunStatus
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.rules import Tally, find, refuse_running, row_of, so_far

_WHERE = "memory"


@dataclass(slots=True)
class _Kept:
    """One run and all that belongs to it."""

    run: Run
    sealed: bool = False
    attempts: list[tuple[str, str, TrialRow]] = field(default_factory=list)
    """Node id, record and columns, as they came."""
    labels: list[tuple[str, HumanScore]] = field(default_factory=list)

    def current(self) -> list[tuple[str, str, TrialRow]]:
        """Return the attempts that count, in the order they came."""
        last = {trial: i for i, (trial, _, _) in enumerate(self.attempts)}
        return [self.attempts[i] for i in sorted(last.values())]


class MemoryRunStore:
    """A `RunStore` without a file."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._closed = False

    def begin(self, run: Run) -> None:
        """Keep a new run, not sealed."""
        self._open()
        if run.id in self._kept:
            raise StoreError(f"{_WHERE} holds a run {run.id} already; a new run needs a new id")
        self._kept[run.id] = _Kept(run)

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Keep one trial before returning."""
        kept = self._unsealed(run_id)
        kept.attempts.append((result.id, record, row_of(result)))

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Keep several trials before returning, or none of them."""
        kept = self._unsealed(run_id)
        kept.attempts += [(result.id, record, row_of(result)) for record, result in trials]

    def seal(self, run: Run) -> None:
        """Replace the run's record by its final one."""
        refuse_running(run)
        kept = self._unsealed(run.id)
        kept.run, kept.sealed = run, True

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique beginning of its id, or ``latest``."""
        return self._shown(self._found(run_id))

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
        return self._chosen(dataset, status)[offset:end]

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return how many runs there are."""
        return len(self._chosen(dataset, status))

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials, the last attempt of each."""
        for _, record, _ in self._found(run_id).current():
            yield TrialResult.model_validate_json(record)

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the same trials without reading their records."""
        for _, _, row in self._found(run_id).current():
            yield row

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the one that counts last."""
        return [
            TrialResult.model_validate_json(record)
            for name, record, _ in self._found(run_id).attempts
            if name == trial
        ]

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Keep what a person says of a trial."""
        kept = self._found(run_id)
        if not any(name == trial for name, _, _ in kept.attempts):
            raise StoreError(f"run {kept.run.id} in {_WHERE} has no trial {trial!r}")
        kept.labels.append((trial, score))

    def labels(self, run_id: str) -> list[tuple[str, HumanScore]]:
        """Return all human scores of a run with their trials, by time."""
        return sorted(self._found(run_id).labels, key=lambda pair: pair[1].at)

    def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._kept.clear()

    def _open(self) -> None:
        """Refuse work after the end."""
        if self._closed:
            raise StoreError(f"the run store ({_WHERE}) is closed")

    def _found(self, run_id: str) -> _Kept:
        """Return the run that is meant."""
        self._open()
        return self._kept[find(run_id, list(reversed(self._kept)), _WHERE)]

    def _unsealed(self, run_id: str) -> _Kept:
        """Return a run that still takes trials."""
        self._open()
        kept = self._kept.get(run_id)
        if kept is None:
            raise StoreError(f"{_WHERE} holds no run {run_id!r}; begin it first")
        if kept.sealed:
            raise StoreError(f"run {run_id} in {_WHERE} is sealed; nothing can be added to it")
        return kept

    def _shown(self, kept: _Kept) -> Run:
        """Return the run as a reader is to see it."""
        if kept.sealed:
            return kept.run
        tallies: dict[str, Tally] = {}
        for _, _, row in kept.current():
            tallies.setdefault(row.outcome, Tally()).add(row)
        return so_far(kept.run, tallies, alive=True)

    def _chosen(self, dataset: str | None, status: RunStatus | None) -> list[Run]:
        """Return the runs of a dataset and status, newest first."""
        self._open()
        shown = map(self._shown, reversed(self._kept.values()))
        return [
            run
            for run in shown
            if (dataset is None or any(info.name == dataset for info in run.datasets))
            and (status is None or run.status is status)
        ]
