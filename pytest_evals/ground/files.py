"""Files that a crash cannot leave half-written, and locks that a crash lets go of.

This module knows the operating system, nothing of evals.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


def replace_text(path: Path, text: str) -> None:
    """Put a text in a file's place: a reader, and a crash, see the old file or the new one.

    Lines end as `text` has them. A symbolic link is kept, and what it points to is replaced.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, piece by piece, that takes the old one's place when all went well.

    See `replace_text`.

    Raises:
        OSError: it could not be written; the old file is untouched.
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

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - no such thing
        """Lock an open file against every other process, without waiting."""
        try:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # behind what is read and written
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock an open file against every other process, without waiting.

        The lock goes with the process, however it ends. Shared locks exclude only the other kind.

        Returns:
            Whether it is ours now; False also where the file system knows no locks.
        """
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class Claim:
    """A file whose lock says that its owner lives: ``kill -9`` lets go of it, as any end does.

    Attributes:
        path: the file.
        held: whether the lock is ours.
    """

    def __init__(self, path: Path, *, create: bool = True, shared: bool = False) -> None:
        """Open the file and try to lock it.

        Raises:
            OSError: the file is not there (and is not to be made) or cannot be opened.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
        except FileNotFoundError:
            raise
        except OSError:
            self._descriptor = os.open(path, os.O_RDONLY)
        self.held = try_lock(self._descriptor, shared=shared)

    def release(self, *, remove: bool = False) -> None:
        """Let go of the lock, at most once; `remove` deletes the file while it is still ours."""
        if self._descriptor < 0:
            return
        if remove and self.held:
            with suppress(OSError):  # Windows does not delete an open file
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1
        self.held = False

    def stands(self) -> bool:
        """Whether the file is still the one at its path: who had the lock before may remove it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_claimed(path: Path) -> bool:
    """Whether a living process, this one included, holds the `Claim` of a file.

    Where it cannot be told (no access, a file system without locks), it is taken for living.
    """
    try:
        with Claim(path, create=False, shared=True) as claim:
            return not claim.held
    except FileNotFoundError:
        return False
    except OSError:
        return True
