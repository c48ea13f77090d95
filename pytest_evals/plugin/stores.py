"""Opens what a session keeps: the run store and the stored answers, as the settings say."""

from collections.abc import Callable

from pytest_evals.errors import StoreError
from pytest_evals.plugin.session import Evals
from pytest_evals.responses.base import ResponseStore
from pytest_evals.storage.base import RunStore


def open_runs(evals: Evals, note: Callable[[str], None]) -> RunStore | None:
    """Open the run store; where it cannot be opened, say so and go on without it."""
    from pytest_evals.storage.sqlite import SqliteRunStore

    try:
        store = SqliteRunStore(evals.settings.store_path)
    except StoreError as error:
        note(f"this run is not being kept: {error}")
        return None
    evals.closing.append(store)
    return store


def open_responses(evals: Evals) -> ResponseStore | None:
    """Open the stored answers; None where none are kept.

    Raises:
        StoreError: answers are to be replayed and the store cannot be read.
    """
    from pytest_evals.responses.sqlite import SqliteResponseStore

    settings = evals.settings
    if settings.responses == "off":
        return None
    return SqliteResponseStore(settings.store_path)
