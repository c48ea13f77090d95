"""SIGTERM, by which CI systems end a job, heard as Ctrl-C is: the run is sealed and shown."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_interrupts(tell: Callable[[str], None]) -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, unless somebody else has taken the signal.

    Args:
        tell: given what happened.
    """
    free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not free or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends at once
        tell("this session was ended by SIGTERM; the next one asks only what is missing")
        raise KeyboardInterrupt("SIGTERM")

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
