"""Ctrl-C, and SIGTERM, with which CI systems end a job: both stop the session, never lost.

Either raises KeyboardInterrupt in pytest's thread. Inside a comparison in pydantic's compiled code
that exception is lost; so the signal is also noted, and raised again after the trial.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """The signal that was received, until it is raised."""

    def __init__(self) -> None:
        self._received = ""

    def note(self, name: str) -> KeyboardInterrupt:
        """Note a signal; return the exception to raise."""
        self._received = name
        return KeyboardInterrupt(name)

    def forget(self) -> None:
        """Drop the signal: a test of the user's has handled it."""
        self._received = ""

    def check(self) -> None:
        """Raise a signal that was received and lost.

        Raises:
            KeyboardInterrupt: a signal was received, and the session still runs.
        """
        if self._received:
            raise KeyboardInterrupt(self._received)


@contextmanager
def interrupts(announce: Callable[[str], None]) -> Iterator[Interrupts]:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, unless another handler is installed.

    Args:
        announce: receives a sentence for the user on SIGTERM.
    """
    state = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    def on_sigint(_: int, __: FrameType | None) -> None:
        raise state.note("SIGINT")

    def on_sigterm(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
        announce("this session was ended by SIGTERM; the next one makes only the missing calls")
        raise state.note("SIGTERM")

    before = {}
    for number, usual, handler in (
        (signal.SIGINT, signal.default_int_handler, on_sigint),
        (signal.SIGTERM, signal.SIG_DFL, on_sigterm),
    ):
        if signal.getsignal(number) is usual:
            signal.signal(number, handler)
            before[number] = usual
    try:
        yield state
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)
