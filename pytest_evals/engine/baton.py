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

LOOP_S = 0.02
"""Seconds the event loop waits for a host that is busy."""
HOST_S = 0.05
"""Seconds a host waits for the event loop to end what it is at."""


class Baton:
    """Held by the thread that runs a stretch; each side takes and gives it by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts = False

    @property
    def held(self) -> bool:
        """Whether the host holds it."""
        return self._hosts

    def take(self) -> None:
        """Take it for the host, unless it has it."""
        if not self._hosts:
            self._hosts = self._lock.acquire(timeout=HOST_S)

    def give(self) -> None:
        """Give the host's back, if it has it."""
        if self._hosts:
            self._hosts = False
            self._lock.release()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Make an event loop that takes turns, where its kind can."""
        if sys.platform == "win32":  # pragma: no cover - there a loop has no selector
            return asyncio.new_event_loop()
        return asyncio.SelectorEventLoop(_Selector(self._lock))


class _Selector(selectors.DefaultSelector):
    """A selector that holds the baton except while it waits."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self._baton = lock
        self._held = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets and timers without the baton, and come back with it."""
        if self._held:
            self._held = False
            self._baton.release()
        try:
            return super().select(timeout)
        finally:
            self._held = self._baton.acquire(timeout=LOOP_S)
