"""Ends the process at once: disables the garbage collector's last runs.

The interpreter runs a full collection three times at its end. With 10,000 trials that takes half a
second, and the end of the process frees the same memory.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom, BufferedWriter, TextIOWrapper

import pytest

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""New objects between two collections while trials run: those of some fifty trials."""

_BUFFERED = frozenset({BufferedRandom, BufferedWriter, TextIOWrapper})


def end_at_once(config: pytest.Config) -> None:
    """Skip garbage collection at the end of the process.

    A session that is not the process's last (a test of a plugin) leaves its objects to later
    collections.
    """
    config.add_cleanup(gc.unfreeze)  # runs after pytest's own last collection
    atexit.unregister(_end)
    atexit.register(_end)


def _end() -> None:
    """Freeze all objects, after flushing files.

    Python flushes an unclosed file when it collects it; without a collection, this does.
    """
    for item in gc.get_objects():
        if type(item) in _BUFFERED:
            with suppress(OSError, ValueError):  # gone, or closed
                item.flush()
    gc.freeze()


@contextmanager
def no_collection(*, freeze: bool = False) -> Iterator[None]:
    """Disable the garbage collector for a block that creates much and drops nothing.

    Args:
        freeze: whether later collections skip all objects of the end of the block; `end_at_once`
            undoes it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if freeze:
            gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def rare_collection() -> Iterator[None]:
    """Run the garbage collector less often for a block: nearly all objects of a trial are kept."""
    usual = gc.get_threshold()
    if usual[0]:
        gc.set_threshold(max(usual[0], OBJECTS_BETWEEN_COLLECTIONS), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
