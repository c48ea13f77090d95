"""ProcessTree: a program with all that it starts, so that all of it can be ended.

A process group holds the program and its children, but not a child that began a session of its own
(`setsid`, daemons), nor one whose parent has ended. On Linux every process of the tree has an
environment variable of its own, by which those are found too. Elsewhere, and if a process clears
its environment, only the group is ended.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

ROUNDS = 5
"""How often the processes are listed, as each may start another one meanwhile."""


class ProcessTree:
    """Marks a program that is about to start, and ends it with all that it has started."""

    def __init__(self) -> None:
        self._mark = f"PYTEST_EVALS_TREE_{os.urandom(8).hex()}"

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the program: the given one, with the mark."""
        return {**environ, self._mark: "1"}

    def kill(self, pid: int) -> bool:
        """Kill the program and what it has started; it is the leader of a process group.

        Args:
            pid: the program; it may have ended.

        Returns:
            Whether the system has process groups; else nothing was killed.
        """
        if sys.platform == "win32":
            return False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        if sys.platform == "linux":
            for _ in range(ROUNDS):
                others = [other for other in self._marked() if other != pid]
                for other in others:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(other, signal.SIGKILL)
                if not others:
                    break
        return True

    def _marked(self) -> Iterator[int]:
        """Yield the processes that have the mark and have not ended."""
        mark = f"{self._mark}=1".encode()
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal():
                with suppress(OSError):  # another user's, or it has just ended
                    if mark in Path(entry.path, "environ").read_bytes():
                        yield int(entry.name)
