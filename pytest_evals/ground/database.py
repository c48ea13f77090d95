"""The SQLite file of runs and responses: opening it, its schema, and messages for its errors.

`storage.sqlite` and `responses.sqlite` share the file and cannot import each other, so the schema
is one list of migrations in this module. No other module imports it, and nothing does at start-up.
It knows tables and columns. It knows none of the nouns that are stored in them.

The journal is a write-ahead log (WAL, ``synchronous=NORMAL``). Committed data survives ``kill -9``.
A power cut can lose the last commits, but does not damage the file.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.parse import quote

from pytest_evals.ground.errors import StoreError

T = TypeVar("T")
Transaction = sqlite3.Connection
"""The connection inside `Database.write`: `execute` and `executemany` run in the transaction."""

APPLICATION_ID = 0x65766C73
"""Identifies a SQLite file as ours: "evls" in ASCII."""

TIMEOUT_S = 10.0
"""Seconds to wait for a lock of another process. A write takes under a millisecond."""

_VALUES = 900
"""Maximum number of values in a statement; older versions of SQLite allow 999."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Runs are ordered by a sequence, because the clock can jump.
        """CREATE TABLE runs (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            sealed INTEGER NOT NULL DEFAULT 0,
            status TEXT NOT NULL,
            started_at REAL NOT NULL,
            record TEXT NOT NULL
        )""",
        """CREATE TABLE run_datasets (
            name TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES runs(seq),
            PRIMARY KEY (name, run)
        ) WITHOUT ROWID""",
        # Every attempt of a trial is kept; `current` marks the last one.
        """CREATE TABLE trials (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL REFERENCES runs(seq),
            trial TEXT NOT NULL,
            current INTEGER NOT NULL DEFAULT 1,
            dataset TEXT NOT NULL,
            case_id TEXT NOT NULL,
            model_id TEXT NOT NULL,
            sample INTEGER NOT NULL,
            outcome TEXT NOT NULL,
            tolerated INTEGER NOT NULL,
            score REAL,
            tokens INTEGER,
            cost_usd REAL,
            unpriced INTEGER NOT NULL,
            latency_s REAL,
            error TEXT,
            record TEXT NOT NULL
        )""",
        # A covering index: listings and searches by name read no record. Rows are appended at its
        # end. An index by name would dirty another page for each trial.
        """CREATE INDEX trials_of ON trials
            (run, seq, current, trial, outcome, tokens, cost_usd, unpriced)""",
        # Clustered by run and trial: a search by name scans the scores of one run.
        """CREATE TABLE scores (
            run INTEGER NOT NULL,
            trial INTEGER NOT NULL REFERENCES trials(seq),
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            value REAL,
            passed INTEGER,
            label TEXT,
            PRIMARY KEY (run, trial, position)
        ) WITHOUT ROWID""",
        """CREATE TABLE labels (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL REFERENCES runs(seq),
            trial TEXT NOT NULL,
            rater TEXT NOT NULL,
            name TEXT NOT NULL,
            value REAL,
            label TEXT,
            note TEXT NOT NULL,
            at REAL NOT NULL
        )""",
        "CREATE INDEX labels_of ON labels (run, trial)",
        """CREATE TRIGGER sealed_run BEFORE UPDATE ON runs WHEN OLD.sealed
            BEGIN SELECT RAISE(ABORT, 'sealed'); END""",
        """CREATE TRIGGER sealed_trial BEFORE INSERT ON trials
            WHEN (SELECT sealed FROM runs WHERE seq = NEW.run)
            BEGIN SELECT RAISE(ABORT, 'sealed'); END""",
        """CREATE TABLE responses (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            case_id TEXT NOT NULL,
            model_id TEXT NOT NULL,
            role TEXT NOT NULL,
            sample INTEGER NOT NULL,
            turn INTEGER NOT NULL,
            record NOT NULL
        )""",
        "CREATE INDEX responses_place ON responses (case_id, model_id, role, sample, turn)",
    ),
)
"""Each entry raises the schema by one version (``PRAGMA user_version``)."""


class Database:
    """One connection to the file, shared by threads: one query or transaction at a time.

    Args:
        path: the file.
        name: names the store in messages: ``the run store``.
        write: creates a missing file, and allows `write`; False opens an existing one.
        timeout_s: seconds to wait for a lock of another process.

    Raises:
        StoreError: the file cannot be used; says why and what to do.
    """

    def __init__(
        self, path: Path, name: str, *, write: bool = True, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.path = path
        self.lock = threading.RLock()
        """Held during each query and transaction; reentrant."""
        self._name = name
        self._timeout_s = timeout_s
        opener = open_for_writing if write else open_for_reading
        self._connection: sqlite3.Connection | None = opener(path, timeout_s=timeout_s)

    def read(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return all rows of a query.

        Raises:
            StoreError: the file cannot be read, or is closed.
        """
        with self.lock:
            try:
                return self._open().execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise store_error(self.path, "read", error, timeout_s=self._timeout_s) from error

    def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a transaction. It is committed when this returns, and undone when this raises.

        Raises:
            StoreError: the file cannot be written, or is closed; caused by SQLite's error.
        """
        with self.lock:
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                value = change(connection)
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                roll_back(connection)
                raise store_error(self.path, "written", error, timeout_s=self._timeout_s) from error
            except BaseException:
                roll_back(connection)
                raise
            return value

    def check(self) -> None:
        """Write a row to each table of a session and undo it: a damaged page is found here.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            self.write(_write_rows)
        except _UndoError:
            return

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            if self._connection is not None:
                # An error here leaves the log in place; the next opening reads it.
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        """Return the connection.

        Raises:
            StoreError: it is closed.
        """
        if self._connection is None:
            raise StoreError(f"{self._name} {self.path} is closed")
        return self._connection


class _UndoError(Exception):
    """Ends a transaction that must leave nothing."""


def _write_rows(db: Transaction) -> None:
    """Write one row to each table of a session.

    Raises:
        _UndoError: all were written.
    """
    run = db.execute(
        "INSERT INTO runs (id, status, started_at, record) VALUES ('', '', 0, '')"
    ).lastrowid
    db.execute("INSERT INTO run_datasets VALUES ('', ?)", (run,))
    trial = db.execute(
        """INSERT INTO trials
        (run, trial, dataset, case_id, model_id, sample, outcome, tolerated, unpriced, record)
        VALUES (?, '', '', '', '', 0, '', 0, 0, '')""",
        (run,),
    ).lastrowid
    db.execute("INSERT INTO scores VALUES (?, ?, 0, '', '', 0, 0, '')", (run, trial))
    db.execute(
        """INSERT INTO responses (key, case_id, model_id, role, sample, turn, record)
        VALUES ('', '', '', '', 0, 0, '')"""
    )
    raise _UndoError


def open_for_writing(path: Path, *, timeout_s: float = TIMEOUT_S) -> sqlite3.Connection:
    """Open the file. Create it, its folder and the folder's ``.gitignore`` if they are missing.

    Args:
        path: the file.
        timeout_s: seconds to wait for another process's lock, here and in later statements.

    Raises:
        StoreError: the file cannot be used; the message says why and what to do.
    """
    try:
        _make_folder(path.parent)
        if path.is_dir():
            raise IsADirectoryError
    except OSError as error:
        raise StoreError(_os_error_message(path, error)) from error
    connection = _connect(path, "rwc", timeout_s)
    try:
        _prepare(connection, path, timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path, *, timeout_s: float = TIMEOUT_S) -> sqlite3.Connection:
    """Open an existing file, also one that is read-only.

    Raises:
        StoreError: the file does not exist or cannot be used.
    """
    if not path.exists():
        raise StoreError(
            f"there is no store at {path}; `pytest --evals` makes one, `--store PATH` names another"
        )
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if writable:
        return open_for_writing(path, timeout_s=timeout_s)
    # In a read-only folder SQLite opens a WAL database only as immutable. That is safe if there
    # is no write-ahead log.
    log = path.with_name(path.name + "-wal")
    immutable = not (log.exists() and log.stat().st_size)
    connection = _connect(path, "ro&immutable=1" if immutable else "ro", timeout_s)
    try:
        version = _version(connection, path)
        if version < len(MIGRATIONS):
            raise StoreError(
                f"{path} has schema {version} and this version needs {len(MIGRATIONS)}, but it is "
                "read-only; open it once where it can be written (`pytest-evals runs`)"
            )
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, "read", error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    """Connect without a check of the schema."""
    try:
        return sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            timeout=timeout_s,
            isolation_level=None,  # transactions are explicit
            check_same_thread=False,  # the stores hold locks
        )
    except sqlite3.Error as error:
        raise store_error(path, "opened", error) from error


def _make_folder(folder: Path) -> None:
    """Create the folder of the store, with a ``.gitignore`` that excludes it."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if (is_new or folder.name == ".evals") and not ignore.exists():
        with suppress(PermissionError):
            ignore.write_text("*\n", encoding="ascii")


def _prepare(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Configure the connection and migrate the schema to the newest version."""
    deadline = monotonic() + timeout_s
    while True:
        try:
            version = _version(connection, path)
            # SQLite does not apply its timeout to this lock in all cases; hence the loop.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            if version < len(MIGRATIONS):
                _migrate(connection, path)
        except sqlite3.Error as error:
            if _code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or (
                monotonic() > deadline
            ):
                raise store_error(path, "opened", error, timeout_s=timeout_s) from error
            sleep(0.01)
        else:
            return


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the schema; 0 for an empty file.

    Raises:
        StoreError: another program, or a newer version of this package, wrote the file.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (version or used):
        raise StoreError(
            f"{path} is a SQLite database of another program and was left as it is; "
            "give the store a file of its own (--evals-store, or --store for `pytest-evals`)"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer pytest-evals-matrix (schema {version}, this one "
            f"supports up to {len(MIGRATIONS)}); upgrade, or give this version a file of its own "
            "(--evals-store)"
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the missing migrations in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read the version again under the lock: another process can have migrated first.
        for step in MIGRATIONS[_version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def insert_rows(
    db: sqlite3.Connection,
    statement: str,
    rows: Sequence[tuple[str | int | float | bytes | None, ...]],
) -> None:
    """Insert rows in batches. Each statement releases the GIL, so few statements are faster.

    Args:
        db: the connection, in a transaction.
        statement: the part before ``VALUES``.
        rows: tuples of equal length.
    """
    batch_size = _VALUES // len(rows[0]) if rows else 1
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        placeholders = f"({','.join('?' * len(batch[0]))})"
        values = ",".join([placeholders] * len(batch))
        db.execute(f"{statement} VALUES {values}", [*chain.from_iterable(batch)])


def roll_back(connection: sqlite3.Connection) -> None:
    """Roll back the open transaction, if any. Errors are ignored: the caller raises its error."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def store_error(
    path: Path, action: str, error: sqlite3.Error, *, timeout_s: float = TIMEOUT_S
) -> StoreError:
    """Convert an error of SQLite to one for the user: what happened, where, what to do.

    Args:
        path: the store's file.
        action: the participle of the failed action: ``read``, ``written`` or ``opened``.
        error: the exception of SQLite.
        timeout_s: seconds that a locked file was waited for.
    """
    primary = _code(error) & 0xFF
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    summary = f"{path} could not be {action}"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"{summary}: it was locked by another process for {timeout_s:g} s; wait for it or end "
            "it, or give this session a file of its own (--evals-store)"
        )
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        state = "damaged" if primary == sqlite3.SQLITE_CORRUPT else "not a SQLite database"
        return StoreError(
            f"{summary}: it is {state} ({error}). Nothing was deleted. Move it away together with "
            f"{path.name}-wal and {path.name}-shm, and the next session begins a new one; "
            f"`sqlite3 {path.name} .recover` may save what it holds"
        )
    reasons = {
        sqlite3.SQLITE_FULL: "the disk is full; free some space and run again: stored data is kept",
        sqlite3.SQLITE_IOERR: (
            f"the system refused ({name}); check whether the disk is full, a quota or file size "
            "limit is reached, or the drive fails: stored data is kept"
        ),
        sqlite3.SQLITE_READONLY: (
            "it is read-only; make it writable, or name another file (--evals-store)"
        ),
        sqlite3.SQLITE_CANTOPEN: (
            "the file or its folder cannot be opened; check that both exist and are readable and "
            "writable, or name another file (--evals-store)"
        ),
        sqlite3.SQLITE_PERM: (
            "access was denied; change its permissions, or name another file (--evals-store)"
        ),
    }
    return StoreError(f"{summary}: {reasons.get(primary, f'{error} ({name})')}")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's error code; 0 for an error raised by Python's sqlite3 module."""
    return getattr(error, "sqlite_errorcode", None) or 0


def _os_error_message(path: Path, error: OSError) -> str:
    """Return why the store cannot be created at a path."""
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder; the store is one file (such as {path.name}/evals.sqlite)"
    return (
        f"{path} could not be opened: {error.strerror or error}; the store needs a writable "
        "folder, name one with --evals-store"
    )
