"""Captures what user code prints during a trial, separately for each trial.

Trials run concurrently in the background, so pytest would attribute their output to the item that
is running. A `Tee` replaces ``sys.stdout`` and finds the trial by a context variable.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

_buffer: ContextVar[io.StringIO | None] = ContextVar("evals_output", default=None)
MAX_CHARACTERS = 100_000
"""Characters stored per trial; the rest is counted."""


def current_buffer() -> io.StringIO | None:
    """Return the output buffer of this context's trial; None outside of a trial."""
    return _buffer.get()


class Tee:
    """Replaces a stream and redirects the output of a trial to the trial's buffer."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write to the buffer of this context's trial, else to the stream."""
        buffer = _buffer.get()
        if buffer is None:
            return self.stream.write(text)
        return buffer.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        if _buffer.get() is None:
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def captured() -> Iterator[io.StringIO]:
    """Capture what this context prints."""
    buffer = io.StringIO()
    token = _buffer.set(buffer)
    try:
        yield buffer
    finally:
        _buffer.reset(token)


def install() -> None:
    """Replace stdout and stderr by a `Tee`, unless they are one."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Tee):
            setattr(sys, name, Tee(stream))


def remove() -> None:
    """Restore stdout and stderr."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Tee):
            setattr(sys, name, stream.stream)


def text_of(buffer: io.StringIO) -> str:
    """Return the captured output, truncated at `MAX_CHARACTERS`."""
    text = buffer.getvalue()
    if len(text) <= MAX_CHARACTERS:
        return text
    return (
        text[:MAX_CHARACTERS]
        + f"\n... {len(text) - MAX_CHARACTERS} more characters were printed and not kept\n"
    )
