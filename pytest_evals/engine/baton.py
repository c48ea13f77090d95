"""The baton: two threads that both have Python to run take turns instead of fighting for its lock.

Python runs one thread at a time, and a thread lets go of the interpreter at every system call. A
host that reports trials and an event loop that asks for more then wake each other some thirty times
a trial, on two processors, which takes a third of all the time there is. Who holds the baton here
runs a stretch undisturbed. Nobody depends on it: who does not get it in time goes on without.
"""

import asyncio
import selectors
import sys
import threading
from contextlib import suppress
from time import monotonic, sleep

STRETCH_S = 0.02
"""Seconds a host may keep it while the event loop wants it."""
LOOP_S = 0.05
"""Seconds after which the event loop goes on without it: the host is at something long."""
HOST_S = 0.05
"""Seconds after which the host does."""
_YIELD_S = 0.0002
"""Seconds in which a thread that waits wakes up and takes what was given."""


class Baton:
    """Held by the thread that runs a stretch; each side takes and gives it by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.held = False
        """Whether the host holds it."""
        self._since = 0.0
        self._loop_waits = False

    def take(self) -> None:
        """Take it for the host, or keep it; after a stretch the event loop has its turn first."""
        now = monotonic()
        if self.held:
            if not self._loop_waits or now - self._since < STRETCH_S:
                return
            self.give()
            sleep(_YIELD_S)
        self.held = self._lock.acquire(timeout=HOST_S)
        self._since = monotonic()

    def give(self) -> None:
        """Give the host's back, if it has it."""
        if self.held:
            self.held = False
            self._release()

    def take_for_loop(self) -> bool:
        """Take it for the event loop; false where the host did not give it in time."""
        self._loop_waits = True
        taken = self._lock.acquire(timeout=LOOP_S)
        self._loop_waits = False
        return taken

    def give_for_loop(self) -> None:
        """Give back what the event loop has."""
        self._release()

    def _release(self) -> None:
        """Give it back; to give what was given is no reason to stop anybody."""
        with suppress(RuntimeError):
            self._lock.release()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Make an event loop that takes turns, where its kind can."""
        if sys.platform == "win32":  # there a loop has no selector
            return asyncio.new_event_loop()
        return asyncio.SelectorEventLoop(_Selector(self))


class _Selector(selectors.DefaultSelector):
    """A selector that holds the baton except while it waits."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._baton = baton
        self._held = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets and timers without the baton, and come back with it."""
        if self._held:
            self._held = False
            self._baton.give_for_loop()
        try:
            return super().select(timeout)
        finally:
            self._held = self._baton.take_for_loop()

    def close(self) -> None:
        """Give it back for good."""
        if self._held:
            self._held = False
            self._baton.give_for_loop()
        super().close()
