"""NamedStore: a store that a plugin brings; whatever it raises is told with its name."""

from collections.abc import Callable, Sequence
from typing import Any

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all


class NamedStore:
    """A `ResponseStore` over another.

    Args:
        name: what messages call it, with its plugin.
        make: opens it.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, name: str, make: Callable[[], ResponseStore]) -> None:
        self._name = name
        self._store: ResponseStore = self._named("be opened", make)

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key."""
        found = self._named("be read", lambda: self._store.get(key))
        return self._answer(found)

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer."""
        self._named("keep an answer", lambda: self._store.put(answer))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Keep several answers."""
        self._named("keep answers", lambda: put_all(self._store, answers))

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return what is stored for the same place."""
        found = self._named("be read", lambda: self._store.nearest(case, model, role, sample, turn))
        return self._answer(found)

    def close(self) -> None:
        """Close it."""
        self._named("be closed", self._store.close)

    def _answer(self, found: Any) -> StoredAnswer | None:
        """Refuse what is no stored answer."""
        if found is None or isinstance(found, StoredAnswer):
            return found
        raise StoreError(
            f"{self._name} returned {type(found).__name__}, expected a StoredAnswer or None"
        )

    def _named(self, what: str, call: Callable[[], Any]) -> Any:
        """Call; name the store where that fails."""
        try:
            return call()
        except Exception as error:
            words = str(error) if isinstance(error, StoreError) else _words(error)
            raise StoreError(f"{self._name} could not {what}: {words}") from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
