"""Baton: the host's thread and the event loop's thread alternate, to avoid contention on the GIL.

Only one thread runs Python at a time, and each system call releases the interpreter. On two
processors the host and the event loop then wake each other about thirty times per trial, which
costs a third of the run time. The holder of the baton runs undisturbed for a stretch. Correctness
never depends on it: a thread that waits too long goes on without the baton.
"""

import asyncio
import selectors
import sys
import threading
from contextlib import suppress
from time import monotonic, sleep

STRETCH_S = 0.02
"""Seconds the host may hold it while the event loop waits for it."""
LOOP_S = 0.05
"""Seconds after which the event loop goes on without it."""
HOST_S = 0.05
"""Seconds after which the host goes on without it."""
_YIELD_S = 0.0002
"""Seconds in which a waiting thread wakes up and takes it."""


class Baton:
    """A lock with timeouts; each side takes and gives it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.held = False
        """Whether the host holds it."""
        self._since = 0.0
        self._loop_waits = False

    def take(self) -> None:
        """Take it for the host, or keep it; after a stretch a waiting event loop goes first."""
        now = monotonic()
        if self.held:
            if not self._loop_waits or now - self._since < STRETCH_S:
                return
            self.give()
            sleep(_YIELD_S)
        self.held = self._lock.acquire(timeout=HOST_S)
        self._since = monotonic()

    def give(self) -> None:
        """Release it if the host holds it."""
        if self.held:
            self.held = False
            self._release()

    def take_for_loop(self) -> bool:
        """Take it for the event loop; return False if the host did not give it in time."""
        self._loop_waits = True
        taken = self._lock.acquire(timeout=LOOP_S)
        self._loop_waits = False
        return taken

    def give_for_loop(self) -> None:
        """Release it for the event loop."""
        self._release()

    def _release(self) -> None:
        """Release it; releasing it twice is no error."""
        with suppress(RuntimeError):
            self._lock.release()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Make an event loop that uses the baton, if the platform's loop has a selector."""
        if sys.platform == "win32":  # its loop has no selector
            return asyncio.new_event_loop()
        return asyncio.SelectorEventLoop(_Selector(self))


class _Selector(selectors.DefaultSelector):
    """A selector that holds the baton, except while it waits."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._baton = baton
        self._held = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Release the baton, wait for sockets and timers, and take it again."""
        if self._held:
            self._held = False
            self._baton.give_for_loop()
        try:
            return super().select(timeout)
        finally:
            self._held = self._baton.take_for_loop()

    def close(self) -> None:
        """Release the baton and close the selector."""
        if self._held:
            self._held = False
            self._baton.give_for_loop()
        super().close()
