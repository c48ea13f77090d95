"""Opens what a session keeps: the run store and the stored answers, as the settings say."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.errors import SettingsError, StoreError
from pytest_evals.plugin.session import Evals
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.storage.base import RunStore

if TYPE_CHECKING:
    from pytest_evals.responses.cassette import CassetteStore


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
    """Open the stored answers: the cassette before the session's own store.

    Returns:
        The store; None where no answers are kept.

    Raises:
        StoreError: what answers are to be replayed from, or the cassette, cannot be read.
        SettingsError: a folder of cassettes, and several datasets.
    """
    settings = evals.settings
    if settings.responses == "off":
        return None
    path = cassette_path(evals, {matrix.dataset.name for matrix in evals.matrices.values()})
    if path is None:
        return _own_store(evals)
    cassette = open_cassette(evals, path, merge=evals.worker is None)
    own = _own_store(evals)
    evals.cassette = cassette
    if own is None:
        return cassette
    from pytest_evals.responses.layered import LayeredResponseStore

    return LayeredResponseStore(cassette, own, fill=settings.responses != "replay")


def _own_store(evals: Evals) -> ResponseStore | None:
    """Open the answers in the session's own store; without it a session can still ask.

    What may not be written is still read.

    Raises:
        StoreError: answers are to be replayed, and there is no cassette to replay them from.
    """
    from pytest_evals.responses.sqlite import SqliteResponseStore

    settings, replay = evals.settings, evals.settings.responses == "replay"
    try:
        return SqliteResponseStore(settings.store_path, write=not replay)
    except StoreError as error:
        if replay and settings.cassette is None:
            raise
        if not replay:
            evals.notes.append(f"answers are not being stored: {error}")
    try:
        return None if replay else _OnlyRead(settings.store_path)
    except StoreError:
        return None


class _OnlyRead:
    """Stored answers to which none is added, which the user has been told."""

    def __init__(self, path: Path) -> None:
        from pytest_evals.responses.sqlite import SqliteResponseStore

        store = SqliteResponseStore(path, write=False)
        self.get = store.get
        self.nearest = store.nearest
        self.close = store.close

    def put(self, answer: StoredAnswer) -> None:
        """Keep nothing."""


def cassette_path(evals: Evals, datasets: Collection[str]) -> Path | None:
    """Return the cassette's file; None where there is none.

    Args:
        evals: the session.
        datasets: the names of its datasets.

    Raises:
        SettingsError: a folder, which holds one file a dataset, and several datasets.
    """
    given = evals.settings.cassette
    if given is None:
        return None
    path = evals.settings.rootdir / given
    if path.suffix == ".jsonl" and not path.is_dir():
        return path
    names = sorted(datasets)
    if len(names) != 1:
        raise SettingsError(
            f"--evals-cassette {given} is a folder, which holds one cassette a dataset, but this "
            f"session has {len(names)} datasets ({', '.join(names)}); run them one by one, or name "
            "one file for all"
        )
    return path / f"{names[0]}.jsonl"


def open_cassette(evals: Evals, path: Path, *, merge: bool) -> "CassetteStore":
    """Open a cassette.

    Args:
        evals: the session.
        path: its file.
        merge: whether this process merges what all processes of the session recorded.

    Raises:
        StoreError: it cannot be read.
    """
    from pytest_evals.responses.cassette import CassetteStore

    return CassetteStore(
        path,
        redact=evals.redactor.json_text,
        journals=evals.settings.store_path.parent / "journals",
        merge=merge,
        write=evals.settings.responses != "replay",
    )
