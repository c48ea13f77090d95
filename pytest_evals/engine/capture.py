"""What user code prints while a trial runs, kept apart for each trial.

Trials run side by side on background threads, so what they print would land on whichever item is
running. A `Tee` in the place of ``sys.stdout`` asks a context variable whose output it is.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

_buffer: ContextVar[io.StringIO | None] = ContextVar("evals_output", default=None)
MOST = 100_000
"""Characters kept a trial; the rest is counted."""


def current_buffer() -> io.StringIO | None:
    """Return where the trial of this context collects what it prints; None outside of one."""
    return _buffer.get()


class Tee:
    """Stands in the place of a stream and sends a trial's text to the trial."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write to the trial that runs in this context, else to the stream itself."""
        buffer = _buffer.get()
        if buffer is None:
            return self.stream.write(text)
        return buffer.write(text)

    def flush(self) -> None:
        """Flush the stream itself."""
        if _buffer.get() is None:
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def captured() -> Iterator[io.StringIO]:
    """Collect what this context prints."""
    buffer = io.StringIO()
    token = _buffer.set(buffer)
    try:
        yield buffer
    finally:
        _buffer.reset(token)


def install() -> None:
    """Put a `Tee` before stdout and stderr, wherever there is none."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Tee):
            setattr(sys, name, Tee(stream))


def remove() -> None:
    """Take the `Tee` away again."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Tee):
            setattr(sys, name, stream.stream)


def text_of(buffer: io.StringIO) -> str:
    """Return what was printed, cut where it is very long."""
    text = buffer.getvalue()
    if len(text) <= MOST:
        return text
    return text[:MOST] + f"\n... {len(text) - MOST} more characters were printed and not kept\n"
