"""Keeps what trials print out of pytest's capture, which changes ``sys.stdout`` at every phase.

What stands before ``sys.stdout`` is gone as soon as pytest resumes or suspends its capture, so the
streams that it changes between are taught too. They are not public: without them, only what is
printed in the moments of change lands on the item that runs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_evals.engine import capture

_STREAMS = ("tmpfile", "_old")
"""Where pytest's capture keeps the stream while it captures, and while it does not."""


@contextmanager
def apart(config: pytest.Config) -> Iterator[None]:
    """Keep what trials print apart as long as the block runs."""
    streams = {id(stream): stream for stream in _streams(config)}
    for stream in streams.values():
        stream.write = _divided(stream.write)
    capture.install()
    try:
        yield
    finally:
        for stream in streams.values():
            del stream.write
        capture.remove()


def _divided(write: Callable[[str], int]) -> Callable[[str], int]:
    """Return a write that sends a trial's text to the trial."""

    def divided(text: str) -> int:
        buffer = capture.current_buffer()
        return write(text) if buffer is None else buffer.write(text)

    return divided


def _streams(config: pytest.Config) -> Iterator[Any]:
    """Yield the streams that stand at ``sys.stdout`` and ``sys.stderr`` in turn."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("out", "err"):
        channel = getattr(capturing, name, None)
        channel = getattr(channel, "syscapture", channel)
        for place in _STREAMS:
            stream = getattr(channel, place, None)
            if stream is not None and hasattr(stream, "__dict__"):
                yield stream
