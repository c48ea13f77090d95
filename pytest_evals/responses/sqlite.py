"""SqliteResponseStore: answers in the store's SQLite file, for any number of threads and processes.

An answer is committed before `put` returns, so ``kill -9`` loses none that was paid for. Reading
and writing have a connection each: who waits for another process's write holds up no reader.
"""

import sqlite3
import threading
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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
from pytest_evals.responses.base import StoredAnswer

# What is replaced becomes a new row: the newest row is the nearest.
_PUT = "INSERT OR REPLACE INTO responses (key, case_id, model_id, role, sample, turn, record) "
_NEAREST = """SELECT key, record FROM responses
    WHERE case_id = ? AND model_id = ? AND role = ? AND sample = ? AND turn = ?
    ORDER BY seq DESC LIMIT 1"""
COMPRESS_FROM = 16_384
"""Characters of a record from which it is compressed: reading 12 KB takes 20 microseconds as it is
and 65 compressed, so only what is really large is worth it."""


class SqliteResponseStore:
    """A `ResponseStore` in a file.

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
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        try:
            if write:
                self._writer = open_for_writing(path, timeout_s=timeout_s)
            self._reader = open_for_reading(path, timeout_s=timeout_s)
        except BaseException:
            self.close()
            raise
        self._reading = threading.Lock()
        self._writing = threading.Lock()

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key."""
        return self._one("SELECT key, record FROM responses WHERE key = ?", (key,))

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return what was stored last for the same place."""
        return self._one(_NEAREST, (case, model, role, sample, turn))

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer before returning; an older one of the same Key is replaced."""
        self.put_all((answer,))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Keep answers before returning, all of them or none; of one Key the last one stays.

        Raises:
            StoreError: they could not be kept.
        """
        rows = [_row(answer) for answer in answers]
        with self._writing:
            db = self._writer
            if db is None:
                raise StoreError(f"the stored answers in {self.path} are closed or only readable")
            try:
                db.execute("BEGIN IMMEDIATE")
                insert_rows(db, _PUT, rows)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                roll_back(db)
                raise store_error(self.path, "written", error, timeout_s=self._timeout_s) from error
            except BaseException:
                roll_back(db)
                raise

    def close(self) -> None:
        """Let go of the file."""
        for db in (self._reader, self._writer):
            if db is not None:
                # The close itself can only fail to tidy up the log, which the next opening reads.
                with suppress(sqlite3.Error):
                    db.close()
        self._reader = self._writer = None

    def _one(self, statement: str, values: tuple[str | int, ...]) -> StoredAnswer | None:
        """Return the answer that a query finds."""
        with self._reading:
            if self._reader is None:
                raise StoreError(f"the stored answers in {self.path} are closed")
            try:
                found = self._reader.execute(statement, values).fetchone()
            except sqlite3.Error as error:
                raise store_error(self.path, "read", error, timeout_s=self._timeout_s) from error
        if found is None:
            return None
        key, record = found
        try:
            text = zlib.decompress(record) if isinstance(record, bytes) else record
            return StoredAnswer.model_validate_json(text)
        except (ValidationError, zlib.error) as error:
            raise StoreError(
                f"the stored answer {key} in {self.path} cannot be read ({_first(error)}); was it "
                "written by another version of pytest-evals-matrix? --evals-responses=refresh "
                "asks again and overwrites it"
            ) from error


class SharedSqlite(SqliteResponseStore):
    """The same, made of an address: ``--evals-shared sqlite:PATH``."""

    def __init__(self, address: str, *, write: bool) -> None:
        if not address.strip("/"):
            raise StoreError("names no file; write sqlite:PATH")
        super().__init__(Path(address), write=write)


def _row(answer: StoredAnswer) -> tuple[str | int | bytes, ...]:
    """Return what is written of an answer.

    Raises:
        StoreError: it holds what no JSON can.
    """
    try:
        text = answer.model_dump_json(exclude_defaults=True)
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} could not be stored: it holds "
            f"what no JSON can: {error}"
        ) from error
    place = (answer.case, answer.model, answer.role, answer.sample, answer.turn)
    packed = zlib.compress(text.encode(), 1) if len(text) >= COMPRESS_FROM else text
    return (answer.key, *place, packed)


def _first(error: Exception) -> str:
    """Return the first thing that is wrong."""
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
