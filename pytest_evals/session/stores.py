"""Stores: opens the run store, the stored answers and the cassette, as the settings say."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_evals.ground.errors import SettingsError, StoreError
from pytest_evals.ground.notes import Notes
from pytest_evals.responses.base import ResponseStore
from pytest_evals.session.extensions import open_shared
from pytest_evals.session.state import SessionState
from pytest_evals.storage.base import RunStore

if TYPE_CHECKING:
    from pytest_evals.responses.cassette import CassetteStore


class Closable(Protocol):
    """Holds a file or a connection."""

    def close(self) -> None:
        """Close it."""
        ...


class Stores:
    """The open stores of one process of a session.

    Args:
        state: the session's fixed values.
        notes: receives what the user must know of the stores.
    """

    def __init__(self, state: SessionState, notes: Notes) -> None:
        self._state = state
        self._notes = notes
        self._answers: ResponseStore | None = None
        self._cassette: CassetteStore | None = None
        self._open: list[Closable] = []

    def open_runs(self) -> RunStore | None:
        """Open the run store; None with ``--evals-store=none``, or if a replay cannot be saved.

        A sanity run is not stored: it measures no model, and ``latest`` must not mean it.

        Raises:
            StoreError: it cannot be used. Nothing was called yet.
        """
        if self._state.settings.sanity or self._state.settings.stores_nothing:
            return None
        from pytest_evals.storage.sqlite import SqliteRunStore

        settings = self._state.settings
        try:
            store = SqliteRunStore(settings.store_path)
            self._open.append(store)
            store.check()
        except StoreError as error:
            if settings.responses == "replay":  # nothing is called, nothing is lost
                self._notes.add(f"this run is not saved: {error}")
                return None
            hint = settings.spelling("store", "none")
            raise StoreError(f"{error}. To run without a store: {hint}") from error
        return store

    def answers(self, datasets: Collection[str]) -> ResponseStore | None:
        """Return the stored answers, opened on the first call; None if none are stored.

        Args:
            datasets: the names of the session's datasets.

        Raises:
            StoreError: the answers to replay, the cassette or the shared store cannot be read.
            SettingsError: the cassette is a folder and there are several datasets, or there is no
                such shared store.
        """
        if self._answers is None:
            self._answers = self._open_answers(datasets)
            if self._answers is not None:
                self._open.append(self._answers)
        return self._answers

    def finish_cassette(self, datasets: Collection[str], *, complete: bool) -> None:
        """Write the cassette; merge what workers recorded.

        Args:
            datasets: the names of the session's datasets.
            complete: whether the whole run was recorded without errors, so that answers to
                requests no longer made are dropped.
        """
        settings = self._state.settings
        if settings.cassette is None or settings.responses in {"replay", "off"}:
            return
        try:
            path = self._cassette_path(datasets)
            if self._cassette is None and path is not None:
                self._cassette = self._open_cassette(path, merge=True)
            if self._cassette is not None:
                self._cassette.complete = complete
                self._cassette.close()
        except (SettingsError, StoreError) as error:
            self._notes.add(f"the cassette could not be written: {error}")

    def close(self) -> list[StoreError]:
        """Close all stores; return the errors."""
        errors = []
        for store in self._open:
            try:
                store.close()
            except StoreError as error:
                errors.append(error)
        self._open.clear()
        return errors

    def _open_answers(self, datasets: Collection[str]) -> ResponseStore | None:
        """Open the cassette, if there is one, in front of the session's other stores."""
        if self._state.settings.responses == "off":
            return None
        path = self._cassette_path(datasets)
        if path is None:
            return self._layered(self._open_own(), open_shared(self._state))
        cassette = self._open_cassette(path, merge=self._state.worker is None)
        others = self._layered(self._open_own(), open_shared(self._state))
        self._cassette = cassette
        return self._layered(cassette, others)

    def _layered(
        self, front: ResponseStore | None, back: ResponseStore | None
    ) -> ResponseStore | None:
        """Put one store in front of another, if both exist."""
        if front is None or back is None:
            return front or back
        from pytest_evals.responses.layered import LayeredResponseStore

        fill = self._state.settings.responses != "replay"
        return LayeredResponseStore(front, back, fill=fill)

    def _open_own(self) -> ResponseStore | None:
        """Open the answers in the session's own store; None if it has none.

        Raises:
            StoreError: the store cannot be used, and there is no other to replay answers from.
        """
        from pytest_evals.responses.sqlite import SqliteResponseStore

        settings = self._state.settings
        replay = settings.responses == "replay"
        if settings.stores_nothing:
            return None
        try:
            return SqliteResponseStore(settings.store_path, write=not replay)
        except StoreError:
            if replay and (settings.cassette or settings.shared):
                return None
            raise

    def _cassette_path(self, datasets: Collection[str]) -> Path | None:
        """Return the cassette's file; None if there is none.

        Raises:
            SettingsError: it is a folder, which holds one file per dataset, and there are several
                datasets.
        """
        settings = self._state.settings
        if settings.cassette is None:
            return None
        path = settings.rootdir / settings.cassette
        if path.suffix == ".jsonl" and not path.is_dir():
            return path
        names = sorted(datasets)
        if len(names) != 1:
            raise SettingsError(
                f"--evals-cassette {settings.cassette} is a folder, which holds one cassette a "
                f"dataset, but this session has {len(names)} datasets ({', '.join(names)}); run "
                "them one by one, or name one file for all"
            )
        return path / f"{names[0]}.jsonl"

    def _open_cassette(self, path: Path, *, merge: bool) -> "CassetteStore":
        """Open a cassette.

        Args:
            path: its file.
            merge: whether this process merges what all processes of the session recorded.

        Raises:
            StoreError: it cannot be read, or it is to be replayed and is missing.
        """
        from pytest_evals.responses.cassette import CassetteStore

        if self._state.settings.responses == "replay" and not path.is_file():
            raise StoreError(
                f"there is no cassette at {path}; a run without "
                f"{self._state.settings.spelling('responses', 'replay')} records it"
            )

        return CassetteStore(
            path,
            redact=self._state.redactor.redact_json,
            journals=self._state.settings.store_path.parent / "journals",
            merge=merge,
            write=self._state.settings.responses != "replay",
        )
