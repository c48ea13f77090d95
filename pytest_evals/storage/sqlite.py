"""SqliteRunStore: runs in one SQLite file, for concurrent sessions and across ``kill -9``.

Each trial is one committed transaction: once `append` has returned, the trial is in the file. A
running session holds a lock on a small file beside the store
(``evals.sqlite-running/<run id>``). The operating system releases it when the process ends in any
way, so neither a clock nor a process id decides whether a run is running. In a copied store
unsealed runs are interrupted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pytest_evals.ground.database import TIMEOUT_S, Database, Transaction, insert_rows
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.files import FileLock, is_locked
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.score import Score
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.rules import (
    Tally,
    find_run_id,
    reject_running,
    row_of,
    with_progress,
)

T = TypeVar("T")

_ROW = ", ".join(TrialRow._fields)  # columns are named as the fields
_INSERT_TRIALS = f"INSERT INTO trials (seq, run, record, {_ROW}) "
_INSERT_SCORES = "INSERT INTO scores "
_SUPERSEDE = "UPDATE trials SET current = 0 WHERE seq = ?"
_RUN = "SELECT seq, id, sealed, record FROM runs WHERE seq = ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'trials'"
_SO_FAR = """SELECT outcome, count(*), count(tokens), coalesce(sum(tokens), 0), count(cost_usd),
    sum(unpriced), coalesce(sum(cost_usd), 0.0)
    FROM trials INDEXED BY trials_of WHERE run = ? AND current GROUP BY outcome"""
_BATCH = 200
"""Trials read in one query, so that no query stays open while they are used."""


@dataclass(slots=True)
class _OpenRun:
    """A run that this store appends to."""

    seq: int
    """The sequence number of its row."""
    lock: FileLock | None
    """The lock that marks it as running; None if another store began it."""
    trials: dict[str, int] = field(default_factory=dict)
    """The sequence number of each trial's last attempt."""


class SqliteRunStore:
    """A `RunStore` in a SQLite file.

    Args:
        path: the file; it is created, with its folder, unless `write` is False.
        write: False opens an existing file for reading, also in a read-only folder.
        timeout_s: seconds to wait for another process's write.

    Raises:
        StoreError: the file cannot be used; says why and what to do.
    """

    def __init__(self, path: Path, *, write: bool = True, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self._database = Database(path, "the run store", write=write, timeout_s=timeout_s)
        self._open_runs: dict[str, _OpenRun] = {}

    def check(self) -> None:
        """Try whether runs, trials and responses can be written; leave nothing.

        Raises:
            StoreError: the file cannot be written; says why and what to do.
        """
        self._database.check()

    def begin(self, run: Run) -> None:
        """Store a new, unsealed run."""
        lock = self._lock(run.id)

        def write(db: Transaction) -> int:
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                raise StoreError(
                    f"{self.path} holds a run {run.id} already; a new run needs a new id"
                )
            seq = db.execute(
                "INSERT INTO runs (id, status, started_at, record) VALUES (?, ?, ?, ?)",
                (run.id, RunStatus.RUNNING.value, run.started_at, run.model_dump_json()),
            ).lastrowid
            assert seq is not None
            _store_datasets(db, seq, run)
            return seq

        try:
            self._open_runs[run.id] = _OpenRun(self._write(write), lock)
        except BaseException:
            if lock is not None:
                lock.release(remove=lock.is_held)
            raise

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Store one trial before returning."""
        self.append_all(run_id, [(record, result)])

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Store several trials before returning, all or none."""
        rows = [(record, row_of(result), result.scores) for record, result in trials]

        def write(db: Transaction) -> tuple[_OpenRun, dict[str, int]]:
            run = self._open_runs.get(run_id) or self._adopt(db, run_id)
            last = db.execute(_LAST).fetchone()
            added: dict[str, int] = {}
            superseded: list[tuple[int]] = []
            trial_rows: list[tuple[Any, ...]] = []
            score_rows: list[tuple[Any, ...]] = []
            for seq, (record, row, scores) in enumerate(rows, (last[0] if last else 0) + 1):
                earlier = added.get(row.trial) or run.trials.get(row.trial)
                if earlier is not None:
                    superseded.append((earlier,))
                added[row.trial] = seq
                trial_rows.append((seq, run.seq, record, *row))
                score_rows += (_score_row(run.seq, seq, i, score) for i, score in enumerate(scores))
            insert_rows(db, _INSERT_TRIALS, trial_rows)
            insert_rows(db, _INSERT_SCORES, score_rows)
            if superseded:
                db.executemany(_SUPERSEDE, superseded)
            return run, added

        run, added = self._write(write, run_id=run_id)
        run.trials.update(added)

    def seal(self, run: Run) -> None:
        """Replace the run's record with its final one."""
        reject_running(run)

        def write(db: Transaction) -> None:
            seq = self._unsealed(db, run.id)
            _store_datasets(db, seq, run)
            db.execute(
                "UPDATE runs SET sealed = 1, status = ?, record = ? WHERE seq = ?",
                (run.status.value, run.model_dump_json(), seq),
            )

        self._write(write, run_id=run.id)
        self._release(run.id)

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique prefix of its id, or ``latest``."""
        seq, _ = self._find(run_id)
        rows = self._database.read(_RUN, (seq,))
        return self._parse_run(rows[0])

    def runs(
        self,
        *,
        dataset: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Return runs, newest first, without reading trials."""
        page = self._select(dataset, status)[offset : None if limit is None else offset + limit]
        return [
            self._parse_run(row)
            for seq in page
            for row in self._database.read(
                "SELECT seq, id, sealed, record FROM runs WHERE seq = ?", (seq,)
            )
        ]

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return the number of runs."""
        return len(self._select(dataset, status))

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials, the last attempt of each."""
        run, name = self._find(run_id)
        for _, trial, record in self._pages(run, "trial, record"):
            yield self._parse_trial(name, trial, record)

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the columns of the same trials without reading their records."""
        run, _ = self._find(run_id)
        for row in self._pages(run, _ROW):
            yield _trial_row(row[1:])

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the current one last."""
        run, name = self._find(run_id)
        rows = self._database.read(
            "SELECT record FROM trials WHERE seq IN (SELECT seq FROM trials INDEXED BY trials_of "
            "WHERE run = ? AND trial = ?) ORDER BY seq",
            (run, trial),
        )
        return [self._parse_trial(name, trial, record) for (record,) in rows]

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Store a human score of a trial, also if its run is sealed."""
        seq, name = self._find(run_id)

        def write(db: Transaction) -> None:
            if not db.execute(
                "SELECT 1 FROM trials WHERE run = ? AND trial = ? AND current", (seq, trial)
            ).fetchone():
                raise StoreError(f"run {name} in {self.path} has no trial {trial!r}")
            db.execute(
                "INSERT INTO labels (run, trial, rater, name, value, label, note, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    seq,
                    trial,
                    score.rater,
                    score.name,
                    score.value,
                    score.label,
                    score.note,
                    score.at,
                ),
            )

        self._write(write)

    def labels(self, run_id: str) -> list[tuple[str, HumanScore]]:
        """Return all human scores of a run with their trials, by time."""
        rows = self._database.read(
            "SELECT trial, rater, name, value, label, note, at FROM labels WHERE run = ? "
            "ORDER BY at, seq",
            (self._find(run_id)[0],),
        )
        names = ("rater", "name", "value", "label", "note", "at")
        return [(trial, HumanScore(**dict(zip(names, rest, strict=True)))) for trial, *rest in rows]

    def forget(self, run_id: str) -> None:
        """Delete a run with its trials, scores and human scores; responses stay.

        Args:
            run_id: the whole id; its record need not be readable.

        Raises:
            StoreError: there is no such run, it is still running, or it cannot be deleted.
        """
        if is_locked(self._lock_path(run_id)):
            raise StoreError(f"run {run_id} in {self.path} is still running")

        def write(db: Transaction) -> None:
            row = db.execute("SELECT seq FROM runs WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise StoreError(f"{self.path} holds no run {run_id!r}")
            for table in ("labels", "scores", "trials", "run_datasets"):
                db.execute(f"DELETE FROM {table} WHERE run = ?", row)  # noqa: S608 - our names
            db.execute("DELETE FROM runs WHERE seq = ?", row)

        self._write(write)
        self._open_runs.pop(run_id, None)

    def abandon(self, run_id: str) -> None:
        """Delete a run that this store began and has not sealed.

        Raises:
            StoreError: there is no such run, or it cannot be deleted.
        """
        self._release(run_id)
        self.forget(run_id)

    def compact(self) -> None:
        """Return the space of deleted rows to the file system.

        Raises:
            StoreError: it cannot be done, for example while another session writes.
        """
        self._database.read("VACUUM")

    def close(self) -> None:
        """Close the file; unsealed runs are interrupted from now on."""
        with self._database.lock:
            for run_id in list(self._open_runs):
                self._release(run_id)
            self._database.close()

    def _lock(self, run_id: str) -> FileLock | None:
        """Acquire the lock that marks a run as running; None if the system has no locks."""
        path = self._lock_path(run_id)
        try:
            path.parent.mkdir(exist_ok=True)
            return FileLock(path)
        except OSError:
            return None

    def _lock_path(self, run_id: str) -> Path:
        """Return the file whose lock marks a run as running."""
        return self.path.with_name(f"{self.path.name}-running") / run_id

    def _release(self, run_id: str) -> None:
        """Stop appending to a run and release its lock."""
        run = self._open_runs.pop(run_id, None)
        if run is not None and run.lock is not None:
            run.lock.release(remove=True)

    def _write(self, change: Callable[[Transaction], T], *, run_id: str = "") -> T:
        """Run a transaction on a run that must not be sealed."""
        try:
            return self._database.write(change)
        except StoreError as error:
            if str(error.__cause__) != "sealed":  # raised by the schema's triggers
                raise
            raise StoreError(
                f"run {run_id} in {self.path} is sealed; nothing can be added to it"
            ) from None

    def _unsealed(self, db: Transaction, run_id: str) -> int:
        """Return the sequence number of an unsealed run."""
        row = db.execute("SELECT seq, sealed FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path} holds no run {run_id!r}; begin it first")
        if row[1]:
            raise StoreError(f"run {run_id} in {self.path} is sealed; nothing can be added to it")
        return int(row[0])

    def _adopt(self, db: Transaction, run_id: str) -> _OpenRun:
        """Append to a run that another store began."""
        run = _OpenRun(self._unsealed(db, run_id), None)
        rows = db.execute("SELECT trial, seq FROM trials WHERE run = ? AND current", (run.seq,))
        run.trials.update(rows.fetchall())
        self._open_runs[run_id] = run
        return run

    def _find(self, run_id: str) -> tuple[int, str]:
        """Return the sequence number and the id of a run by id, prefix or ``latest``."""
        rows = self._database.read("SELECT seq FROM runs WHERE id = ?", (run_id,))
        if rows:
            return rows[0][0], run_id
        ids = [row[0] for row in self._database.read("SELECT id FROM runs ORDER BY seq DESC")]
        name = find_run_id(run_id, ids, str(self.path))
        return self._database.read("SELECT seq FROM runs WHERE id = ?", (name,))[0][0], name

    def _select(self, dataset: str | None, status: RunStatus | None) -> list[int]:
        """Return the sequence numbers of the runs of a dataset and status, newest first."""
        rows = self._database.read(
            "SELECT seq, id, sealed, status FROM runs WHERE :name IS NULL "
            "OR seq IN (SELECT run FROM run_datasets WHERE name = :name) ORDER BY seq DESC",
            {"name": dataset},
        )
        return [
            seq
            for seq, name, sealed, stored in rows
            if status is None or status == (stored if sealed else self._unsealed_status(name))
        ]

    def _unsealed_status(self, run_id: str) -> RunStatus:
        """Return whether an unsealed run is running or interrupted."""
        is_running = is_locked(self._lock_path(run_id))
        return RunStatus.RUNNING if is_running else RunStatus.INTERRUPTED

    def _parse_run(self, row: tuple[int, str, int, str]) -> Run:
        """Return the run of a row; an unsealed one with its totals so far."""
        seq, run_id, sealed, record = row
        try:
            run = Run.model_validate_json(record)
        except ValidationError as error:
            raise StoreError(
                f"run {run_id} in {self.path} cannot be read: {error.errors()[0]['msg']}; was it "
                "written by another version of pytest-evals-matrix?"
            ) from error
        if sealed:
            return run
        tallies = {outcome: Tally(*sums) for outcome, *sums in self._database.read(_SO_FAR, (seq,))}
        return with_progress(run, tallies, self._unsealed_status(run_id))

    def _pages(self, run: int, columns: str) -> Iterator[Any]:
        """Yield a run's current trials, read in pages: sequence number, then the columns."""
        last = 0
        while True:
            page = self._database.read(
                f"SELECT seq, {columns} FROM trials INDEXED BY trials_of "  # noqa: S608
                "WHERE run = ? AND current AND seq > ? ORDER BY seq LIMIT ?",
                (run, last, _BATCH),
            )
            yield from page
            if len(page) < _BATCH:
                return
            last = page[-1][0]

    def _parse_trial(self, run_id: str, trial: str, record: str) -> TrialResult:
        """Parse a trial's record."""
        try:
            return TrialResult.model_validate_json(record)
        except ValidationError as error:
            raise StoreError(
                f"trial {trial} of run {run_id} in {self.path} cannot be read: "
                f"{error.errors()[0]['msg']}; was it written by another version of "
                "pytest-evals-matrix?"
            ) from error


def _store_datasets(db: Transaction, seq: int, run: Run) -> None:
    """Store the names of a run's datasets, for searching."""
    db.execute("DELETE FROM run_datasets WHERE run = ?", (seq,))
    names = sorted({dataset.name for dataset in run.datasets})
    db.executemany("INSERT INTO run_datasets VALUES (?, ?)", [(name, seq) for name in names])


def _trial_row(values: tuple[Any, ...]) -> TrialRow:
    """Return the row of a trial's columns; SQLite stores booleans as numbers."""
    row = TrialRow(*values)
    return row._replace(tolerated=bool(row.tolerated), unpriced=bool(row.unpriced))


def _score_row(run: int, trial: int, position: int, score: Any) -> tuple[Any, ...]:
    """Return the columns of a score or of a scorer's error."""
    is_score = isinstance(score, Score)
    values = (score.value, score.passed, score.label) if is_score else (None, None, None)
    return (run, trial, position, score.name, score.kind, *values)
