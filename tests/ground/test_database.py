"""database: opening and creating the file, its version, read-only access, batches of rows."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pytest_evals.ground.database import (
    APPLICATION_ID,
    MIGRATIONS,
    insert_rows,
    open_for_reading,
    open_for_writing,
    roll_back,
    store_error,
)
from pytest_evals.ground.errors import StoreError


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """Return the value of a pragma."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file(tmp_path: Path) -> None:
    """It is marked as ours, has the newest schema, and git ignores its folder."""
    path = tmp_path / "new" / "evals.sqlite"
    with closing(open_for_writing(path)) as connection:
        assert pragma(connection, "application_id") == APPLICATION_ID
        assert pragma(connection, "user_version") == len(MIGRATIONS)
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "foreign_keys") == 1
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_an_existing_folder_gets_no_gitignore(tmp_path: Path) -> None:
    """A folder that the user made is left alone."""
    open_for_writing(tmp_path / "evals.sqlite").close()
    assert not (tmp_path / ".gitignore").exists()


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    """The second connection sees what the first one committed."""
    path = tmp_path / "evals.sqlite"
    with closing(open_for_writing(path)) as first, closing(open_for_writing(path)) as second:
        insert_rows(first, "INSERT INTO runs (id, status, started_at, record)", [("r", "s", 0, "")])
        assert second.execute("SELECT id FROM runs").fetchall() == [("r",)]


def test_a_missing_file_is_not_created_for_reading(tmp_path: Path) -> None:
    """The message names the ways to get one."""
    with pytest.raises(StoreError, match=r"there is no store at .*--store PATH"):
        open_for_reading(tmp_path / "evals.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_is_migrated(tmp_path: Path) -> None:
    """An empty database is version 0 and gets every table."""
    path = tmp_path / "evals.sqlite"
    path.touch()
    with closing(open_for_reading(path)) as connection:
        assert pragma(connection, "user_version") == len(MIGRATIONS)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE t (x)", "is a SQLite database of another program and was left as it is"),
        (f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99", "schema 99"),
    ],
)
@pytest.mark.parametrize("opening", [open_for_reading, open_for_writing])
def test_other_files_are_left_alone(tmp_path: Path, statement, message, opening) -> None:
    """Another program's database and a newer version's are rejected, byte for byte unchanged."""
    path = tmp_path / "evals.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message):
        opening(path)
    assert path.read_bytes() == before


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The message names a file inside it."""
    with pytest.raises(StoreError, match="is a folder; the store is one file"):
        open_for_writing(tmp_path)


def test_a_read_only_file_can_be_read(tmp_path: Path, monkeypatch) -> None:
    """The connection reads without a write-ahead log and cannot write."""
    path = tmp_path / "evals.sqlite"
    open_for_writing(path).close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = sorted(tmp_path.iterdir())
    with closing(open_for_reading(path)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM runs")
    assert sorted(tmp_path.iterdir()) == before


def test_a_read_only_file_of_an_old_version(tmp_path: Path, monkeypatch) -> None:
    """It cannot be migrated, and the message says where it can."""
    path = tmp_path / "evals.sqlite"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreError, match=r"has schema 0 .* read-only; open it once"):
        open_for_reading(path)


@pytest.mark.parametrize("number", [0, 1, 899, 900, 901, 2000])
def test_insert_rows(number: int) -> None:
    """All rows arrive in their order, also those of an incomplete last batch."""
    rows = [(i, str(i)) for i in range(number)]
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (a, b)")
        insert_rows(db, "INSERT INTO t", rows)
        assert db.execute("SELECT a, b FROM t ORDER BY rowid").fetchall() == rows


def test_roll_back_needs_no_transaction() -> None:
    """It undoes an open transaction and is harmless without one or after closing."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE t (a)")
        roll_back(db)
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (1)")
        roll_back(db)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)
    roll_back(db)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (sqlite3.SQLITE_BUSY, "locked by another process for 3 s"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked by another process for 3 s"),
        (sqlite3.SQLITE_CORRUPT, "it is damaged"),
        (sqlite3.SQLITE_NOTADB, "it is not a SQLite database"),
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_IOERR_WRITE, "the system refused"),
        (sqlite3.SQLITE_READONLY, "it is read-only"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened"),
        (sqlite3.SQLITE_PERM, "access was denied"),
        (sqlite3.SQLITE_MISUSE, "the text of SQLite"),
        (None, "the text of SQLite"),
    ],
)
def test_store_error(code: int | None, message: str) -> None:
    """Extended codes count as their primary code; an unknown one shows SQLite's text."""
    error = sqlite3.OperationalError("the text of SQLite")
    if code is not None:
        error.sqlite_errorcode = code
    shown = str(store_error(Path("s.db"), "read", error, timeout_s=3))
    assert shown.startswith("s.db could not be read: ")
    assert message in shown
