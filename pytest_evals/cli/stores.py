"""The store of a command line: its file, and the project that it belongs to."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.storage.sqlite import SqliteRunStore


STORE = Path(".evals") / "evals.sqlite"


def store_path(given: Path | None) -> Path:
    """Return the store's file: the given one, the environment's, or the nearest one.

    Without any of them it is the path where a session makes one.
    """
    named = given or os.environ.get("PYTEST_EVALS_STORE")
    if named:
        return Path(named)
    current = Path.cwd()
    for folder in (current, *current.parents):
        if (folder / STORE).is_file():
            return folder / STORE
    return current / STORE


def open_runs(args: argparse.Namespace, *, write: bool = False) -> "SqliteRunStore":
    """Open the store of a command line; a missing store is not created.

    Raises:
        StoreError: there is no store, or it cannot be opened.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    path = store_path(args.store)
    return SqliteRunStore(path, write=write and path.exists())


def rootdir_of(store: Path) -> Path:
    """Return the rootdir of sessions with this store: above ``.evals``, else the current folder."""
    return store.resolve().parent.parent if store.parent.name == ".evals" else Path.cwd()
