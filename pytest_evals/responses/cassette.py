"""CassetteStore: answers in a committed JSONL file, sorted, one line each, made for small diffs.

The file holds no time and nothing that changes by itself, and a line is rewritten only when the
answer itself changed: the same words with another latency, token count or request id keep their
line. Every answer is appended at once to a journal of this process, so that ``kill -9`` loses none;
`CassetteStore.close` merges the journals into the file by replacing it as a whole. Rules where
several lines speak of one Key: in the file the later line counts, a journal counts more than the
file, and of several journals the one that was written last.
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
from pytest_evals.responses.question_id import Place, place_of

TIMEOUT_S = 30.0
"""Seconds to wait for another session that is just merging."""

_USED = '{"used":'
"""How a journal ends if its process ended well: with the Keys that were used."""
_CONFLICT = re.compile(r"(<{7}|>{7}|\|{7})( |$)|={7}$")


class CassetteStore:
    """A `ResponseStore` in a committed file. It is read when it is made.

    Args:
        path: the file; it need not be there.
        redact: takes secrets out of a JSON text, which stays valid JSON.
        journals: the folder of the journals, ignored by git; one beside the file by default.
        merge: whether `close` merges (the session's own process) or leaves that to another (a
            worker).
        write: False only replays: nothing is written or merged, and `put` is an error.

    Attributes:
        complete: set it before closing when every trial of the file's datasets ran and none
            errored; then answers to questions that are no longer asked, at places that were, are
            dropped. By default everything that was not asked again stays.

    Raises:
        StoreError: the file cannot be read; a line that is wrong is named as ``path:line``.
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
        self._places: dict[Place, dict[str, None]] = {}
        for line in _read(path):
            self._remember(line.answer)
        for journal in self._journals():
            for line in _read_journal(journal)[0]:
                self._remember(line.answer)

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key."""
        self._open()
        answer = self._answers.get(key)
        if answer is not None:
            self._used.add(key)
        return answer

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer before returning, redacted; an older one of the same Key is replaced."""
        line = write_line(answer, self._redact)
        with self._lock:
            self._open()
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
            self._remember(line.answer)
            self._used.add(answer.key)

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return what was recorded last for the same place."""
        with self._lock:
            self._open()
            keys = self._places.get((case, model, role, sample, turn))
            return self._answers[next(reversed(keys))] if keys else None

    def close(self) -> None:
        """End the journal; merge all that have ended into the file, unless another process does.

        Raises:
            StoreError: the file cannot be written; the journals stay and are read next time.
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
        """Close our journal; a worker first says in it what it used."""
        if self._write and not self._merge and self._journal is None and self._used:
            self._journal = _Journal(self._folder, self._prefix)
        if self._journal is not None:
            self._journal.end(sorted(self._used))
            self._journal = None

    def _open(self) -> None:
        """Refuse work after the end."""
        if self._closed:
            raise StoreError(f"the cassette {self.path} is closed")

    def _remember(self, answer: StoredAnswer) -> None:
        """Let an answer be found."""
        older = self._answers.get(answer.key)
        if older is not None:
            self._places[place_of(older)].pop(answer.key)
        self._answers[answer.key] = answer
        self._places.setdefault(place_of(answer), {})[answer.key] = None

    def _journals(self) -> list[Path]:
        """Return this cassette's journals, the one that was written last at the end."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(self._folder):
                if entry.name.startswith(self._prefix) and entry.name.endswith(".jsonl"):
                    with suppress(FileNotFoundError):  # merged by another session meanwhile
                        found.append((entry.stat().st_mtime_ns, Path(entry.path)))
        return [path for _, path in sorted(found)]

    def _merge_all(self) -> None:
        """Bring what the ended journals hold into the file, and remove them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with _wait_for(self._folder / f"{self._prefix}lock", self.path):
            claims: list[FileLock] = []
            try:
                for journal in self._journals():
                    claim = FileLock(journal)
                    claims.append(claim)
                lines = {line.answer.key: line for line in _read(self.path)}
                used, orderly = set(self._used), True
                for claim in claims:
                    if not claim.is_held:  # of a session that goes on, and merges it itself
                        orderly = False
                        continue
                    news, keys = _read_journal(claim.path)
                    orderly = orderly and keys is not None
                    used.update(keys or ())
                    for line in news:
                        older = lines.get(line.answer.key)
                        if older is None or not same_answer(older.answer, line.answer):
                            lines[line.answer.key] = line
                if self.complete and orderly:
                    _drop_unused(lines, used)
                self._replace(lines)
                for claim in claims:
                    if claim.is_held:
                        claim.release(remove=True)
            finally:
                for claim in claims:
                    claim.release()

    def _replace(self, lines: dict[str, Line]) -> None:
        """Write the file, unless it would stay as it is."""
        ordered = sorted(lines.values(), key=lambda line: (*place_of(line.answer), line.answer.key))
        text = "".join(f"{line.text}\n" for line in ordered)
        if not text and not self.path.exists():
            return
        if not self.path.exists() or self.path.read_bytes() != text.encode():
            replace_text(self.path, text)


class _Journal:
    """What one process has recorded, line by line, in the file system before `append` returns."""

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
        for _ in range(5):  # a session that merges may take an empty journal before it is locked
            path = folder / f"{prefix}{os.getpid()}-{os.urandom(3).hex()}.jsonl"
            self._claim = FileLock(path)
            if self._claim.is_held and self._claim.is_current():
                break
            self._claim.release()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, line: str) -> None:
        """Add a line, whole or not at all."""
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
        """Say which Keys were used, and let go of the journal."""
        try:
            quoted = ",".join(f'"{key}"' for key in used if '"' not in key and "\\" not in key)
            self.append(f"{_USED}[{quoted}]}}")
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
            self._claim.release()


def _read(path: Path) -> Iterator[Line]:
    """Yield the lines of a cassette.

    Raises:
        StoreError: with every line that cannot be read, up to ten of them.
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
    """Return a journal's answers and the Keys its process used; None where it did not end well.

    What stands behind the last line end was cut off by the end of its process and is no answer.
    """
    lines: list[Line] = []
    used: list[str] | None = None
    try:
        whole = path.read_bytes().decode("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return [], None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the journal {path} could not be read: {error}") from error
    for number, line in enumerate(whole, 1):
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
    """Drop the answers that nobody used at places where others were."""
    asked = {_spot(lines[key].answer) for key in used if key in lines}
    for key in [k for k, line in lines.items() if k not in used and _spot(line.answer) in asked]:
        del lines[key]


def _spot(answer: StoredAnswer) -> Place:
    """Return an answer's place; the calls of one run of an application share one."""
    case, model, role, sample, turn = place_of(answer)
    return case, model, "call" if role.startswith("call:") else role, sample, turn


def _wait_for(path: Path, cassette: Path) -> FileLock:
    """Return the lock under which one session at a time merges.

    Raises:
        StoreError: another session holds it for too long.
    """
    end = monotonic() + TIMEOUT_S
    while True:
        claim = FileLock(path)
        if claim.is_held:
            return claim
        claim.release()
        if monotonic() > end:
            raise StoreError(
                f"the cassette {cassette} could not be written: another session has been merging "
                f"into it for {TIMEOUT_S:g} s; nothing is lost: the next session merges again"
            )
        sleep(0.02)
