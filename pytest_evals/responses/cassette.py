"""CassetteStore: responses in a committed JSONL file, sorted, one a line, for small diffs.

The file holds no times. A line is rewritten only when the response itself changed: the same text
with another latency, token count or request id keeps its line. Each response is appended to a
journal of this process at once and survives ``kill -9``. `CassetteStore.close` merges the journals
and replaces the file atomically. If several lines have one Key, the later line of the file counts.
A journal takes precedence over the file, and the most recently written journal over others.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.files import FileLock, replace_text
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.cassette_format import Line, parse_line, same_answer, write_line
from pytest_evals.responses.question_id import QuestionId, question_id

TIMEOUT_S = 30.0
"""Seconds to wait while another session merges."""

_USED = '{"used":'
"""The beginning of a journal's last line, written at a normal exit: the Keys that were used."""
_CONFLICT = re.compile(r"(<{7}|>{7}|\|{7})( |$)|={7}$")


class CassetteStore:
    """A `ResponseStore` in a committed file, which is read on creation.

    Args:
        path: the file; it may be missing.
        redact: removes secrets from a JSON text, which stays valid JSON.
        journals: the folder of the journals, ignored by git; by default one beside the file.
        merge: whether `close` merges the journals (the controller) or not (a worker).
        write: False replays only: nothing is written or merged, and `put` is an error.

    Attributes:
        complete: set it before closing if every trial of the file's datasets ran without an error.
            Unused responses to the question ids that were used are then dropped. By default unused
            responses stay.

    Raises:
        StoreError: the file cannot be read; names each invalid line as ``path:line``.
    """

    def __init__(
        self,
        path: Path,
        *,
        redact: Callable[[str], str] | None = None,
        journals: Path | None = None,
        merge: bool = True,
        write: bool = True,
    ) -> None:
        self.path = path
        self.complete = False
        self._redact = redact or (lambda text: text)
        self._folder = journals or path.with_name(f".{path.name}.journals")
        self._prefix = f"{path.stem}-{sha256(os.fsencode(path.resolve())).hexdigest()[:8]}-"
        self._merge = merge
        self._write = write
        self._journal: _Journal | None = None
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._closed = False
        self._answers: dict[str, StoredAnswer] = {}
        self._keys: dict[QuestionId, dict[str, None]] = {}
        for line in _read(path):
            self._index(line.answer)
        for journal in self._journals():
            for line in _read_journal(journal)[0]:
                self._index(line.answer)

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key."""
        self._check_open()
        answer = self._answers.get(key)
        if answer is not None:
            self._used.add(key)
        return answer

    def put(self, answer: StoredAnswer) -> None:
        """Store a redacted response before returning; replace an older one with the same Key."""
        line = write_line(answer, self._redact)
        with self._lock:
            self._check_open()
            if not self._write:
                raise StoreError(f"the cassette {self.path} is only replayed, nothing is recorded")
            try:
                if self._journal is None:
                    self._journal = _Journal(self._folder, self._prefix)
                self._journal.append(line.text)
            except OSError as error:
                raise StoreError(
                    f"an answer could not be recorded for the cassette {self.path}: "
                    f"{self._folder}: {error.strerror or error}; make room or allow writing there"
                ) from error
            self._index(line.answer)
            self._used.add(answer.key)

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response that was recorded for a question id."""
        with self._lock:
            self._check_open()
            keys = self._keys.get((case, model, role, sample, turn))
            return self._answers[next(reversed(keys))] if keys else None

    def close(self) -> None:
        """End the journal and merge all ended journals into the file, unless another process does.

        Raises:
            StoreError: the file cannot be written; the journals stay for the next session.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._end_journal()
                if self._merge and self._write and (self._journals() or self.complete):
                    self._merge_all()
            except OSError as error:
                raise StoreError(
                    f"the cassette {self.path} could not be written: {error.strerror or error}; "
                    f"nothing is lost: the new answers are kept in {self._folder} and are merged "
                    "by the next session that can write"
                ) from error

    def _end_journal(self) -> None:
        """End our journal; that of a worker lists the Keys that it used."""
        if self._write and not self._merge and self._journal is None and self._used:
            self._journal = _Journal(self._folder, self._prefix)
        if self._journal is not None:
            self._journal.end(sorted(self._used))
            self._journal = None

    def _check_open(self) -> None:
        """Raise an error if the store is closed."""
        if self._closed:
            raise StoreError(f"the cassette {self.path} is closed")

    def _index(self, answer: StoredAnswer) -> None:
        """Index a response by its Key and its question id."""
        older = self._answers.get(answer.key)
        if older is not None:
            self._keys[question_id(older)].pop(answer.key)
        self._answers[answer.key] = answer
        self._keys.setdefault(question_id(answer), {})[answer.key] = None

    def _journals(self) -> list[Path]:
        """Return this cassette's journals, the most recently written one last."""
        entries = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(self._folder):
                if entry.name.startswith(self._prefix) and entry.name.endswith(".jsonl"):
                    with suppress(FileNotFoundError):  # another session has just merged it
                        entries.append((entry.stat().st_mtime_ns, Path(entry.path)))
        return [path for _, path in sorted(entries)]

    def _merge_all(self) -> None:
        """Merge the ended journals into the file and remove them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with _merge_lock(self._folder / f"{self._prefix}lock", self.path):
            locks: list[FileLock] = []
            try:
                for journal in self._journals():
                    lock = FileLock(journal)
                    locks.append(lock)
                lines = {line.answer.key: line for line in _read(self.path)}
                used, all_ended = set(self._used), True
                for lock in locks:
                    if not lock.is_held:  # its session is still running and merges it later
                        all_ended = False
                        continue
                    recorded, keys = _read_journal(lock.path)
                    all_ended = all_ended and keys is not None
                    used.update(keys or ())
                    for line in recorded:
                        older = lines.get(line.answer.key)
                        if older is None or not same_answer(older.answer, line.answer):
                            lines[line.answer.key] = line
                if self.complete and all_ended:
                    _drop_unused(lines, used)
                self._replace(lines)
                for lock in locks:
                    if lock.is_held:
                        lock.release(remove=True)
            finally:
                for lock in locks:
                    lock.release()

    def _replace(self, lines: dict[str, Line]) -> None:
        """Write the file if its content changes."""
        ordered = sorted(
            lines.values(), key=lambda line: (*question_id(line.answer), line.answer.key)
        )
        text = "".join(f"{line.text}\n" for line in ordered)
        if not text and not self.path.exists():
            return
        if not self.path.exists() or self.path.read_bytes() != text.encode():
            replace_text(self.path, text)


class _Journal:
    """The responses that one process has recorded, each written before `append` returns."""

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
        for _ in range(5):  # a merging session may remove an empty journal before it is locked
            path = folder / f"{prefix}{os.getpid()}-{os.urandom(3).hex()}.jsonl"
            self._file_lock = FileLock(path)
            if self._file_lock.is_held and self._file_lock.is_current():
                break
            self._file_lock.release()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, line: str) -> None:
        """Append a whole line, or nothing."""
        data = f"{line}\n".encode()
        size = os.fstat(self._descriptor).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise

    def end(self, used: list[str]) -> None:
        """Write the Keys that were used, and release the journal."""
        try:
            quoted = ",".join(f'"{key}"' for key in used if '"' not in key and "\\" not in key)
            self.append(f"{_USED}[{quoted}]}}")
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
            self._file_lock.release()


def _read(path: Path) -> Iterator[Line]:
    """Yield the lines of a cassette.

    Raises:
        StoreError: lists the lines that cannot be parsed, up to ten of them.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        raise StoreError(f"the cassette {path} is not UTF-8: {error}") from error
    except OSError as error:
        raise StoreError(
            f"the cassette {path} could not be read: {error.strerror or error}"
        ) from error
    problems: list[str] = []
    lines: list[Line] = []
    for number, written in enumerate(text.split("\n"), 1):
        line = written.rstrip("\r")
        if not line.strip():
            continue
        if _CONFLICT.match(line):
            problems.append(
                f"{path}:{number}: a conflict marker of git ({line[:20]}); delete the marker lines "
                "and keep the answers of both sides: their order does not matter"
            )
            continue
        try:
            lines.append(parse_line(line))
        except ValueError as error:
            problems.append(
                f"{path}:{number}: not a recorded answer: {error}; restore the line from git, or "
                "delete it and record it again"
            )
    if problems:
        more = [f"... and {len(problems) - 10} more"] if len(problems) > 10 else []
        raise StoreError("\n".join(problems[:10] + more))
    yield from lines


def _read_journal(path: Path) -> tuple[list[Line], list[str] | None]:
    """Return a journal's responses and the Keys its process used; None if it exited abnormally.

    Text after the last line break was truncated by the end of the process and is ignored.
    """
    lines: list[Line] = []
    used: list[str] | None = None
    try:
        text_lines = path.read_bytes().decode("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return [], None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the journal {path} could not be read: {error}") from error
    for number, line in enumerate(text_lines, 1):
        if line.startswith(_USED):
            used = re.findall(r'"([^"]*)"', line[len(_USED) :])
            continue
        try:
            lines.append(parse_line(line))
        except ValueError as error:
            raise StoreError(
                f"{path}:{number}: not a recorded answer: {error}; move the file away to go on "
                "without what it holds"
            ) from error
    return lines, used


def _drop_unused(lines: dict[str, Line], used: set[str]) -> None:
    """Drop unused responses to question ids of which another response was used."""
    used_ids = {_used_id(lines[key].answer) for key in used if key in lines}
    for key, line in list(lines.items()):
        if key not in used and _used_id(line.answer) in used_ids:
            del lines[key]


def _used_id(answer: StoredAnswer) -> QuestionId:
    """Return a question id; the recorded calls of one run of an application share one."""
    case, model, role, sample, turn = question_id(answer)
    return case, model, "call" if role.startswith("call:") else role, sample, turn


def _merge_lock(path: Path, cassette: Path) -> FileLock:
    """Wait for the lock under which one session at a time merges.

    Raises:
        StoreError: another session holds it too long.
    """
    end = monotonic() + TIMEOUT_S
    while True:
        lock = FileLock(path)
        if lock.is_held:
            return lock
        lock.release()
        if monotonic() > end:
            raise StoreError(
                f"the cassette {cassette} could not be written: another session has been merging "
                f"into it for {TIMEOUT_S:g} s; nothing is lost: the next session merges again"
            )
        sleep(0.02)
