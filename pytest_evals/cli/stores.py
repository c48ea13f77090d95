"""The store that a command line means: its file, and the project it belongs to."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.storage.sqlite import SqliteRunStore


STORE = Path(".evals") / "evals.sqlite"


def store_path(given: Path | None) -> Path:
    """Return the store's file: the one given, the environment's, or the nearest one there is.

    Where there is none, the place where it would be made, for the message.
    """
    named = given or os.environ.get("PYTEST_EVALS_STORE")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / STORE).is_file():
            return folder / STORE
    return here / STORE


def open_runs(args: argparse.Namespace, *, write: bool = False) -> "SqliteRunStore":
    """Open the store that a command line means; it is never made here.

    Raises:
        StoreError: there is none, or it cannot be used.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    return SqliteRunStore(store_path(args.store), write=write)


def rootdir_of(store: Path) -> Path:
    """Return where a session with this store had its rootdir: above ``.evals``, else here."""
    return store.resolve().parent.parent if store.parent.name == ".evals" else Path.cwd()
