"""Separates the output of trials from pytest's capture, which replaces ``sys.stdout`` per phase.

A replacement of ``sys.stdout`` is lost as soon as pytest resumes or suspends its capture. So the
streams pytest switches between are patched too. Without them, only output printed during a switch
is attributed to the running item.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_evals.engine import capture
from pytest_evals.plugin.compat import captured_streams


@contextmanager
def trial_output_separated(config: pytest.Config) -> Iterator[None]:
    """Send the output of trials to the trials for the length of the block."""
    streams = {id(stream): stream for stream in captured_streams(config)}
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
    """Return a write function that sends a trial's text to the trial."""

    def divided(text: str) -> int:
        buffer = capture.current_buffer()
        return write(text) if buffer is None else buffer.write(text)

    return divided
