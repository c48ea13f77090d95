"""SqliteRunStore: runs in one SQLite file, safe for several sessions at once and for ``kill -9``.

A trial is one committed transaction, so what `append` returned for is in the file. That a run is
still going is told by a lock on a small file beside the store (``evals.sqlite-running/<run id>``),
which the operating system takes back from a process however it ends; no clock and no process
number can lie about it. A store that was copied elsewhere shows its unsealed runs as interrupted.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pytest_evals.ground.database import (
    TIMEOUT_S,
    insert_rows,
    open_for_reading,
    open_for_writing,
    roll_back,
    store_error,
)
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.files import FileLock, is_locked
from pytest_evals.result import TrialResult
from pytest_evals.run import Run, RunStatus
from pytest_evals.score import Score
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.rules import Tally, find, refuse_running, row_of, so_far

T = TypeVar("T")

_ROW = ", ".join(TrialRow._fields)  # the columns have the fields' names
_INSERT_TRIALS = f"INSERT INTO trials (seq, run, record, {_ROW}) "
_INSERT_SCORES = "INSERT INTO scores "
_SUPERSEDE = "UPDATE trials SET current = 0 WHERE seq = ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'trials'"
_SO_FAR = """SELECT outcome, count(*), count(tokens), coalesce(sum(tokens), 0), count(cost_usd),
    sum(unpriced), coalesce(sum(cost_usd), 0.0)
    FROM trials INDEXED BY trials_of WHERE run = ? AND current GROUP BY outcome"""
_BATCH = 200
"""Trials read at once: no statement stays open between two of them."""


@dataclass(slots=True)
class _Own:
    """A run that this store adds to."""

    seq: int
    """Its number."""
    claim: FileLock | None
    """The lock that says it goes on, where this store began it."""
    trials: dict[str, int] = field(default_factory=dict)
    """The number of each trial's attempt that counts."""


class SqliteRunStore:
    """A `RunStore` in a file.

    Args:
        path: the file; it is made, with its folder, unless `write` is False.
        write: False opens what is there for reading, also where nothing may be written.
        timeout_s: seconds to wait for another process's write.

    Raises:
        StoreError: the file cannot be used, saying why and what to do.
    """

    def __init__(self, path: Path, *, write: bool = True, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self._timeout_s = timeout_s
        opened = open_for_writing if write else open_for_reading
        self._connection: sqlite3.Connection | None = opened(path, timeout_s=timeout_s)
        self._lock = threading.RLock()
        self._own: dict[str, _Own] = {}

    def begin(self, run: Run) -> None:
        """Keep a new run, not sealed."""
        claim = self._claim(run.id)

        def write(db: sqlite3.Connection) -> int:
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                raise StoreError(
                    f"{self.path} holds a run {run.id} already; a new run needs a new id"
                )
            seq = db.execute(
                "INSERT INTO runs (id, status, started_at, record) VALUES (?, ?, ?, ?)",
                (run.id, RunStatus.RUNNING.value, run.started_at, run.model_dump_json()),
            ).lastrowid
            assert seq is not None
            _keep_datasets(db, seq, run)
            return seq

        try:
            self._own[run.id] = _Own(self._write(write), claim)
        except BaseException:
            if claim is not None:
                claim.release(remove=claim.is_held)
            raise

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Keep one trial before returning."""
        self.append_all(run_id, [(record, result)])

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Keep several trials before returning, or none of them."""
        rows = [(record, row_of(result), result.scores) for record, result in trials]

        def write(db: sqlite3.Connection) -> tuple[_Own, dict[str, int]]:
            own = self._own.get(run_id) or self._adopted(db, run_id)
            last = db.execute(_LAST).fetchone()
            added: dict[str, int] = {}
            superseded: list[tuple[int]] = []
            kept: list[tuple[Any, ...]] = []
            scores: list[tuple[Any, ...]] = []
            for seq, (record, row, given) in enumerate(rows, (last[0] if last else 0) + 1):
                earlier = added.get(row.trial) or own.trials.get(row.trial)
                if earlier is not None:
                    superseded.append((earlier,))
                added[row.trial] = seq
                kept.append((seq, own.seq, record, *row))
                scores += (_score_row(own.seq, seq, i, it) for i, it in enumerate(given))
            insert_rows(db, _INSERT_TRIALS, kept)
            insert_rows(db, _INSERT_SCORES, scores)
            if superseded:
                db.executemany(_SUPERSEDE, superseded)
            return own, added

        own, added = self._write(write, run_id=run_id)
        own.trials.update(added)

    def seal(self, run: Run) -> None:
        """Replace the run's record by its final one."""
        refuse_running(run)

        def write(db: sqlite3.Connection) -> None:
            seq = self._unsealed(db, run.id)
            _keep_datasets(db, seq, run)
            db.execute(
                "UPDATE runs SET sealed = 1, status = ?, record = ? WHERE seq = ?",
                (run.status.value, run.model_dump_json(), seq),
            )

        self._write(write, run_id=run.id)
        own = self._own.pop(run.id, None)
        if own is not None and own.claim is not None:
            own.claim.release(remove=True)

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique beginning of its id, or ``latest``."""
        seq, _ = self._found(run_id)
        rows = self._read("SELECT seq, id, sealed, record FROM runs WHERE seq = ?", (seq,))
        return self._shown(rows[0])

    def runs(
        self,
        *,
        dataset: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Return runs, newest first. No trial is read."""
        chosen = self._chosen(dataset, status)
        shown = chosen[offset : None if limit is None else offset + limit]
        return [
            self._shown(row)
            for seq in shown
            for row in self._read("SELECT seq, id, sealed, record FROM runs WHERE seq = ?", (seq,))
        ]

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return how many runs there are."""
        return len(self._chosen(dataset, status))

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials, the last attempt of each."""
        run, name = self._found(run_id)
        for _, trial, record in self._pages(run, "trial, record"):
            yield self._parsed(name, trial, record)

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the same trials without reading their records."""
        run, _ = self._found(run_id)
        for row in self._pages(run, _ROW):
            yield _trial_row(row[1:])

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the one that counts last."""
        run, name = self._found(run_id)
        found = self._read(
            "SELECT record FROM trials WHERE seq IN (SELECT seq FROM trials INDEXED BY trials_of "
            "WHERE run = ? AND trial = ?) ORDER BY seq",
            (run, trial),
        )
        return [self._parsed(name, trial, record) for (record,) in found]

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Keep what a person says of a trial, also of a sealed run's."""
        seq, name = self._found(run_id)

        def write(db: sqlite3.Connection) -> None:
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
        found = self._read(
            "SELECT trial, rater, name, value, label, note, at FROM labels WHERE run = ? "
            "ORDER BY at, seq",
            (self._found(run_id)[0],),
        )
        names = ("rater", "name", "value", "label", "note", "at")
        return [
            (trial, HumanScore(**dict(zip(names, rest, strict=True)))) for trial, *rest in found
        ]

    def forget(self, run_id: str) -> None:
        """Take a run out, with its trials, scores and what people said of them; answers stay.

        Args:
            run_id: the whole id; its record need not be readable.

        Raises:
            StoreError: there is no such run, it is still running, or it cannot be taken out.
        """
        if is_locked(self._claim_path(run_id)):
            raise StoreError(f"run {run_id} in {self.path} is still running")

        def write(db: sqlite3.Connection) -> None:
            found = db.execute("SELECT seq FROM runs WHERE id = ?", (run_id,)).fetchone()
            if found is None:
                raise StoreError(f"{self.path} holds no run {run_id!r}")
            for table in ("labels", "scores", "trials", "run_datasets"):
                db.execute(f"DELETE FROM {table} WHERE run = ?", found)  # noqa: S608 - our own
            db.execute("DELETE FROM runs WHERE seq = ?", found)

        self._write(write)
        self._own.pop(run_id, None)

    def abandon(self, run_id: str) -> None:
        """Take out a run that this store began and has not sealed, as if it had never been.

        Raises:
            StoreError: there is no such run, or it cannot be taken out.
        """
        own = self._own.pop(run_id, None)
        if own is not None and own.claim is not None:
            own.claim.release(remove=True)
        self.forget(run_id)

    def compact(self) -> None:
        """Give the room of what was taken out back to the file system.

        Raises:
            StoreError: it cannot be done, for example while another session writes.
        """
        self._read("VACUUM")

    def close(self) -> None:
        """Let go of the file; a run that is not sealed is interrupted from here on."""
        with self._lock:
            for own in self._own.values():
                if own.claim is not None:
                    own.claim.release(remove=True)
            self._own.clear()
            if self._connection is not None:
                # The close itself can only fail to tidy up the log, which the next opening reads.
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def _claim(self, run_id: str) -> FileLock | None:
        """Take the lock that says this run goes on; None where there are no locks."""
        path = self._claim_path(run_id)
        try:
            path.parent.mkdir(exist_ok=True)
            return FileLock(path)
        except OSError:
            return None

    def _claim_path(self, run_id: str) -> Path:
        """Return the file whose lock says that a run goes on."""
        return self.path.with_name(f"{self.path.name}-running") / run_id

    def _db(self) -> sqlite3.Connection:
        """Return the connection, or say that the store is closed."""
        if self._connection is None:
            raise StoreError(f"the run store {self.path} is closed")
        return self._connection

    def _read(self, statement: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        with self._lock:
            try:
                return self._db().execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise store_error(self.path, "read", error, timeout_s=self._timeout_s) from error

    def _write(self, write: Callable[[sqlite3.Connection], T], *, run_id: str = "") -> T:
        """Run a transaction: all of it is in the file when this returns, or nothing."""
        with self._lock:
            db = self._db()
            try:
                db.execute("BEGIN IMMEDIATE")
                value = write(db)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                roll_back(db)
                if str(error) == "sealed":
                    raise StoreError(
                        f"run {run_id} in {self.path} is sealed; nothing can be added to it"
                    ) from None
                raise store_error(self.path, "written", error, timeout_s=self._timeout_s) from error
            except BaseException:
                roll_back(db)
                raise
            return value

    def _unsealed(self, db: sqlite3.Connection, run_id: str) -> int:
        """Return the number of a run that still takes trials."""
        found = db.execute("SELECT seq, sealed FROM runs WHERE id = ?", (run_id,)).fetchone()
        if found is None:
            raise StoreError(f"{self.path} holds no run {run_id!r}; begin it first")
        if found[1]:
            raise StoreError(f"run {run_id} in {self.path} is sealed; nothing can be added to it")
        return int(found[0])

    def _adopted(self, db: sqlite3.Connection, run_id: str) -> _Own:
        """Take over a run that another store began."""
        own = _Own(self._unsealed(db, run_id), None)
        found = db.execute("SELECT trial, seq FROM trials WHERE run = ? AND current", (own.seq,))
        own.trials.update(found.fetchall())
        self._own[run_id] = own
        return own

    def _found(self, run_id: str) -> tuple[int, str]:
        """Return the number and the id of the run that is meant."""
        exact = self._read("SELECT seq FROM runs WHERE id = ?", (run_id,))
        if exact:
            return exact[0][0], run_id
        ids = [row[0] for row in self._read("SELECT id FROM runs ORDER BY seq DESC")]
        name = find(run_id, ids, str(self.path))
        return self._read("SELECT seq FROM runs WHERE id = ?", (name,))[0][0], name

    def _chosen(self, dataset: str | None, status: RunStatus | None) -> list[int]:
        """Return the numbers of the runs of a dataset and status, newest first."""
        found = self._read(
            "SELECT seq, id, sealed, status FROM runs WHERE :name IS NULL "
            "OR seq IN (SELECT run FROM run_datasets WHERE name = :name) ORDER BY seq DESC",
            {"name": dataset},
        )
        return [
            seq
            for seq, name, sealed, kept in found
            if status is None or status == (kept if sealed else self._unsealed_status(name))
        ]

    def _unsealed_status(self, run_id: str) -> RunStatus:
        """Return whether an unsealed run still goes on."""
        alive = is_locked(self._claim_path(run_id))
        return RunStatus.RUNNING if alive else RunStatus.INTERRUPTED

    def _shown(self, row: tuple[int, str, int, str]) -> Run:
        """Return the run as a reader is to see it."""
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
        tallies = {outcome: Tally(*sums) for outcome, *sums in self._read(_SO_FAR, (seq,))}
        return so_far(run, tallies, alive=self._unsealed_status(run_id) is RunStatus.RUNNING)

    def _pages(self, run: int, columns: str) -> Iterator[Any]:
        """Yield a run's current trials page by page: the number, then the columns."""
        last = 0
        while True:
            page = self._read(
                f"SELECT seq, {columns} FROM trials INDEXED BY trials_of "  # noqa: S608
                "WHERE run = ? AND current AND seq > ? ORDER BY seq LIMIT ?",
                (run, last, _BATCH),
            )
            yield from page
            if len(page) < _BATCH:
                return
            last = page[-1][0]

    def _parsed(self, run_id: str, trial: str, record: str) -> TrialResult:
        """Return a trial from its record."""
        try:
            return TrialResult.model_validate_json(record)
        except ValidationError as error:
            raise StoreError(
                f"trial {trial} of run {run_id} in {self.path} cannot be read: "
                f"{error.errors()[0]['msg']}; was it written by another version of "
                "pytest-evals-matrix?"
            ) from error


def _keep_datasets(db: sqlite3.Connection, run: int, info: Run) -> None:
    """Keep the names of a run's datasets, by which it is searched."""
    db.execute("DELETE FROM run_datasets WHERE run = ?", (run,))
    names = sorted({dataset.name for dataset in info.datasets})
    db.executemany("INSERT INTO run_datasets VALUES (?, ?)", [(name, run) for name in names])


def _trial_row(values: tuple[Any, ...]) -> TrialRow:
    """Make a row of its columns: SQLite keeps truth as a number."""
    row = TrialRow(*values)
    return row._replace(tolerated=bool(row.tolerated), unpriced=bool(row.unpriced))


def _score_row(run: int, trial: int, position: int, score: Any) -> tuple[Any, ...]:
    """Return the columns of a score or of a scorer's error."""
    if isinstance(score, Score):
        told = (score.value, score.passed, score.label)
    else:
        told = (None, None, None)
    return (run, trial, position, score.name, score.kind, *told)
