"""The guard of everything that is drawn: an error of drawing never changes an outcome."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from pytest_evals.ground.notes import Notes
from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin.compat import terminal_reporter

NOTES = pytest.StashKey[Notes]()
"""Where an error of drawing is told, on the config's stash; removed once one was told."""


@contextmanager
def drawing(config: pytest.Config, *, last: bool = False) -> Iterator[None]:
    """Draw in a block; an error in it ends the block and is told once.

    Other plugins replace pytest's reporter and streams, so anything may be missing there.

    Args:
        config: pytest's.
        last: whether no note is displayed after this block, so that an error goes to stderr.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - reporters are other people's code
        notes = config.stash.get(NOTES, None)
        if notes is None:
            return
        del config.stash[NOTES]
        reporter = type(terminal_reporter(config))
        note = neutral(
            f"part of the display is missing, and no outcome depends on it: with "
            f"{reporter.__module__}.{reporter.__qualname__}, drawing raised "
            f"{type(error).__name__}: {error}"
        )
        notes.add(note)
        if last:
            with suppress(Exception):
                print(f"evals: {note}", file=sys.__stderr__)
