"""The one SQLite file that keeps runs and answers: opening it, its schema, its errors in words.

`storage.sqlite` and `responses.sqlite` share the file, so its schema is one list of migrations,
which stands here. Nobody else imports this module, and neither does anything at start-up.

Commits are written ahead (WAL, ``synchronous=NORMAL``): what was committed survives ``kill -9`` of
the process; the last commits before a power cut may be lost, the file stays whole.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from pytest_evals.ground.errors import StoreError

APPLICATION_ID = 0x65766C73
"""Marks a SQLite file as ours ("evls")."""

TIMEOUT_S = 10.0
"""Seconds to wait for another process's write; a write takes well under a millisecond."""

_VALUES = 900
"""Values in a statement; older SQLite takes 999."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A sequence gives the order, never the clock, which may jump.
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
        # Every attempt of a trial is kept; the last one is current.
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
        # Holds all that a listing and a search by name need, so they read no record. It only grows
        # at its end: an index by name would make each trial dirty a page of its own.
        """CREATE INDEX trials_of ON trials
            (run, seq, current, trial, outcome, tokens, cost_usd, unpriced)""",
        # One leaf a trial: a run's scores of one name are found by reading the run's scores.
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
"""Each step brings the schema one version further (``PRAGMA user_version``)."""


def open_for_writing(path: Path, *, timeout_s: float = TIMEOUT_S) -> sqlite3.Connection:
    """Open the file, making it, its folder and the folder's ``.gitignore`` where they are missing.

    Args:
        path: the file.
        timeout_s: seconds to wait for another process, here and in every later statement.

    Raises:
        StoreError: it cannot be used, saying why and what to do.
    """
    try:
        _make_folder(path.parent)
        if path.is_dir():
            raise IsADirectoryError
    except OSError as error:
        raise StoreError(_os_words(path, error)) from error
    connection = _connect(path, "rwc", timeout_s)
    try:
        _prepare(connection, path, timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path, *, timeout_s: float = TIMEOUT_S) -> sqlite3.Connection:
    """Open a file that is there, also one that may not be written.

    Raises:
        StoreError: there is none, or it cannot be used.
    """
    if not path.exists():
        raise StoreError(
            f"there is no store at {path}; `pytest --evals` makes one, `--store PATH` names another"
        )
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if writable:
        return open_for_writing(path, timeout_s=timeout_s)
    # Without leave to write beside it SQLite reads a file only if it may take it as unchanging,
    # which it is as long as no writer has left a log.
    waiting = path.with_name(path.name + "-wal")
    still = not (waiting.exists() and waiting.stat().st_size)
    connection = _connect(path, "ro&immutable=1" if still else "ro", timeout_s)
    try:
        found = _version(connection, path)
        if found < len(MIGRATIONS):
            raise StoreError(
                f"{path} has schema {found} and this version needs {len(MIGRATIONS)}, but it may "
                "not be written; open it once where it may (`pytest-evals runs`)"
            )
    except sqlite3.Error as error:
        connection.close()
        raise failure(path, "read", error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    """Connect without touching the schema."""
    try:
        return sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            timeout=timeout_s,
            isolation_level=None,  # transactions are begun and ended by name
            check_same_thread=False,  # the stores hold locks
        )
    except sqlite3.Error as error:
        raise failure(path, "opened", error) from error


def _make_folder(folder: Path) -> None:
    """Make the folder of the store, which git is to ignore."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if (made or folder.name == ".evals") and not ignore.exists():
        with suppress(PermissionError):
            ignore.write_text("*\n", encoding="ascii")


def _prepare(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Set the connection up and bring the schema to the newest version."""
    end = monotonic() + timeout_s
    while True:
        try:
            found = _version(connection, path)
            # Not every wait for this lock goes through SQLite's own timeout.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            if found < len(MIGRATIONS):
                _migrate(connection, path)
        except sqlite3.Error as error:
            if _code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or (
                monotonic() > end
            ):
                raise failure(path, "opened", error, timeout_s=timeout_s) from error
            sleep(0.01)
        else:
            return


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's version; 0 for an empty file.

    Raises:
        StoreError: the file is another program's, or a newer version's.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != APPLICATION_ID and (found or used):
        raise StoreError(
            f"{path} is a SQLite database of another program and was left as it is; "
            "give the store a file of its own (--evals-store, or --store for `pytest-evals`)"
        )
    if found > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer pytest-evals-matrix (schema {found}, this one knows "
            f"up to {len(MIGRATIONS)}); upgrade, or give this version a file of its own "
            "(--evals-store)"
        )
    return found


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that are missing, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have come first: what counts is what is found under the lock.
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
    """Insert rows, many with a statement: each one lets go of Python's lock and waits for it.

    Args:
        db: the connection, in a transaction.
        statement: what stands before ``VALUES``.
        rows: all of one length.
    """
    at_once = _VALUES // len(rows[0]) if rows else 1
    for at in range(0, len(rows), at_once):
        some = rows[at : at + at_once]
        marks = f"({','.join('?' * len(some[0]))})"
        values = ",".join([marks] * len(some))
        db.execute(f"{statement} VALUES {values}", [*chain.from_iterable(some)])


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if there is one; the error that led here is what counts."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def failure(
    path: Path, doing: str, error: sqlite3.Error, *, timeout_s: float = TIMEOUT_S
) -> StoreError:
    """Say what SQLite's error means to the user: what happened, where, what to do.

    Args:
        path: the store's file.
        doing: what could not be done, as a participle: ``read``, ``written``, ``opened``.
        error: what SQLite raised.
        timeout_s: how long a locked file was waited for.
    """
    primary = _code(error) & 0xFF
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    said = f"{path} could not be {doing}"
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"{said}: another process has kept it locked for {timeout_s:g} s; wait for it or end "
            "it, or give this session a file of its own (--evals-store)"
        )
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        what = "damaged" if primary == sqlite3.SQLITE_CORRUPT else "not a SQLite database"
        return StoreError(
            f"{said}: it is {what} ({error}). Nothing was deleted. Move it away together with "
            f"{path.name}-wal and {path.name}-shm, and the next session begins a new one; "
            f"`sqlite3 {path.name} .recover` may save what it holds"
        )
    reasons = {
        sqlite3.SQLITE_FULL: "the disk is full; make room and run again: what was stored is kept",
        sqlite3.SQLITE_IOERR: (
            f"the system refused ({name}); see whether the disk is full, a quota or file size "
            "limit is reached, or the drive fails: what was stored is kept"
        ),
        sqlite3.SQLITE_READONLY: (
            "it may not be written; allow it, or name another file (--evals-store)"
        ),
        sqlite3.SQLITE_CANTOPEN: (
            "the file or its folder cannot be opened; see that both exist and may be read and "
            "written, or name another file (--evals-store)"
        ),
        sqlite3.SQLITE_PERM: "access was denied; allow it, or name another file (--evals-store)",
    }
    return StoreError(f"{said}: {reasons.get(primary, f'{error} ({name})')}")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's own number of an error; 0 where the Python module raised it itself."""
    return getattr(error, "sqlite_errorcode", None) or 0


def _os_words(path: Path, error: OSError) -> str:
    """Say why there can be no file at a path."""
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder; the store is one file (such as {path.name}/evals.sqlite)"
    return (
        f"{path} could not be opened: {error.strerror or error}; the store needs a folder that "
        "may be written, name one with --evals-store"
    )
