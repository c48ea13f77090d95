"""Atomic file replacement, and file locks that the operating system releases on a crash.

This module knows the operating system. It knows nothing of evals.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


def replace_text(path: Path, text: str) -> None:
    """Replace a file atomically: readers see the old file or the new one, also after a crash.

    Line ends are written unchanged. A symbolic link is kept and its target is replaced.

    Raises:
        OSError: the text could not be written; the old file is unchanged.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` on success; see `replace_text`.

    Raises:
        OSError: the file could not be written; the old file is unchanged.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(3).hex()}.tmp")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            draft.chmod(target.stat().st_mode & 0o7777)
        draft.replace(target)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - Windows has no shared lock
        """Lock an open file for this process, without waiting; return whether it succeeded."""
        try:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # past the end of the data
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock an open file for this process, without waiting.

        The lock ends with the process. A shared lock excludes exclusive locks only.

        Returns:
            Whether the lock was acquired; False also if the file system has no locks.
        """
        try:
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class FileLock:
    """A file whose lock shows that its owner is alive. Any end of the process releases it.

    Attributes:
        path: the file.
        is_held: whether this object holds the lock.
    """

    def __init__(self, path: Path, *, create: bool = True, shared: bool = False) -> None:
        """Open the file and try to lock it, without waiting.

        Raises:
            OSError: the file cannot be opened, or does not exist and `create` is false.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
        except FileNotFoundError:
            raise
        except OSError:
            self._descriptor = os.open(path, os.O_RDONLY)
        self.is_held = try_lock(self._descriptor, shared=shared)

    def release(self, *, remove: bool = False) -> None:
        """Release the lock; `remove` deletes the file before. Later calls do nothing."""
        if self._descriptor < 0:
            return
        if remove and self.is_held:
            with suppress(OSError):  # Windows does not delete an open file
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1
        self.is_held = False

    def is_current(self) -> bool:
        """Whether the locked file is still at its path. An earlier owner can delete it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a living process, including this one, holds the `FileLock` of a file.

    True also if it cannot be determined: no access, or a file system without locks.
    """
    try:
        with FileLock(path, create=False, shared=True) as probe:
            return not probe.is_held
    except FileNotFoundError:
        return False
    except OSError:
        return True
