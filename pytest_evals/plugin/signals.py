"""Ctrl-C, and SIGTERM, by which CI systems end a job: heard alike, and for certain.

Either raises KeyboardInterrupt where pytest's thread is. Where that is a comparison inside
pydantic's compiled code, the exception is lost; so it is also noted, and raised again.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """What was heard."""

    def __init__(self) -> None:
        self._heard = ""

    def note(self, name: str) -> KeyboardInterrupt:
        """Note a signal; return what is to be raised."""
        self._heard = name
        return KeyboardInterrupt(name)

    def forget(self) -> None:
        """Let what was heard be: a test of the user's has dealt with it."""
        self._heard = ""

    def check(self) -> None:
        """Raise what was heard and lost.

        Raises:
            KeyboardInterrupt: a signal came, and the session still goes on.
        """
        if self._heard:
            raise KeyboardInterrupt(self._heard)


@contextmanager
def interrupts(tell: Callable[[str], None]) -> Iterator[Interrupts]:
    """Hear SIGINT and SIGTERM as KeyboardInterrupt, unless somebody else has taken the signal.

    Args:
        tell: given what happened on SIGTERM.
    """
    state = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    def pressed(_: int, __: FrameType | None) -> None:
        raise state.note("SIGINT")

    def ended(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends at once
        tell("this session was ended by SIGTERM; the next one asks only what is missing")
        raise state.note("SIGTERM")

    before = {}
    for number, usual, handler in (
        (signal.SIGINT, signal.default_int_handler, pressed),
        (signal.SIGTERM, signal.SIG_DFL, ended),
    ):
        if signal.getsignal(number) is usual:
            signal.signal(number, handler)
            before[number] = usual
    try:
        yield state
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)
