"""SqliteResponseStore: responses in the SQLite file, for any number of threads and processes.

A response is committed before `put` returns, so it survives ``kill -9``. Reading and writing have
separate connections: waiting for another process's write blocks no reader.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pytest_evals.ground.database import TIMEOUT_S, Database, insert_rows
from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.question_id import question_id

# A replaced response becomes a new row, so the newest row is the nearest.
_PUT = "INSERT OR REPLACE INTO responses (key, case_id, model_id, role, sample, turn, record) "
_NEAREST = """SELECT key, record FROM responses
    WHERE case_id = ? AND model_id = ? AND role = ? AND sample = ? AND turn = ?
    ORDER BY seq DESC LIMIT 1"""
COMPRESS_FROM = 16_384
"""Length in characters from which a record is compressed. Reading 12 KB takes 20 microseconds
uncompressed and 65 compressed, so only large records are worth it."""


class SqliteResponseStore:
    """A `ResponseStore` in a SQLite file.

    Args:
        path: the file; it is created, with its folder, unless `write` is False.
        write: False opens an existing file for reading, also in a read-only folder.
        timeout_s: seconds to wait for another process's write.

    Raises:
        StoreError: the file cannot be used; says why and what to do.
    """

    def __init__(self, path: Path, *, write: bool = True, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        name = "the response store"
        self._writer = Database(path, name, timeout_s=timeout_s) if write else None
        try:
            self._reader = Database(path, name, write=False, timeout_s=timeout_s)
        except BaseException:
            if self._writer is not None:
                self._writer.close()
            raise

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key."""
        return self._first("SELECT key, record FROM responses WHERE key = ?", (key,))

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response that was stored for a question id."""
        return self._first(_NEAREST, (case, model, role, sample, turn))

    def put(self, answer: StoredAnswer) -> None:
        """Store a response before returning; replace an older one with the same Key."""
        self.put_all((answer,))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Store responses before returning, all or none; of duplicate Keys the last one counts.

        Raises:
            StoreError: they could not be stored.
        """
        rows = [_row(answer) for answer in answers]
        if self._writer is None:
            raise StoreError(f"the response store {self.path} is open for reading only")
        self._writer.write(lambda db: insert_rows(db, _PUT, rows))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        if self._writer is not None:
            self._writer.close()

    def _first(self, query: str, values: tuple[str | int, ...]) -> StoredAnswer | None:
        """Return the response in the first row of a query."""
        rows = self._reader.read(query, values)
        if not rows:
            return None
        key, record = rows[0]
        try:
            text = zlib.decompress(record) if isinstance(record, bytes) else record
            return StoredAnswer.model_validate_json(text)
        except (ValidationError, zlib.error) as error:
            raise StoreError(
                f"the stored answer {key} in {self.path} cannot be read ({_reason(error)}); was it "
                "written by another version of pytest-evals-matrix? --evals-responses=refresh "
                "calls the model again and overwrites it"
            ) from error


class SharedSqlite(SqliteResponseStore):
    """The store of an address: ``--evals-shared sqlite:PATH``."""

    def __init__(self, address: str, *, write: bool) -> None:
        if not address.strip("/"):
            raise StoreError("names no file; write sqlite:PATH")
        super().__init__(Path(address), write=write)


def _row(answer: StoredAnswer) -> tuple[str | int | bytes, ...]:
    """Return the row of a response.

    Raises:
        StoreError: it holds a value that JSON cannot represent.
    """
    try:
        text = answer.model_dump_json(exclude_defaults=True)
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} could not be stored: it holds "
            f"what no JSON can: {error}"
        ) from error
    record = zlib.compress(text.encode(), 1) if len(text) >= COMPRESS_FROM else text
    return (answer.key, *question_id(answer), record)


def _reason(error: Exception) -> str:
    """Return the first problem that an error reports."""
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
