"""NamedStore: wraps the store of a plugin, and names it in every error."""

from collections.abc import Callable, Sequence
from typing import Any

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all


class NamedStore:
    """A `ResponseStore` over another.

    Args:
        name: of the store and its plugin, for messages.
        make: opens the store.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, name: str, make: Callable[[], ResponseStore]) -> None:
        self._name = name
        self._store: ResponseStore = self._call("be opened", make)

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key."""
        return self._checked(self._call("be read", lambda: self._store.get(key)))

    def put(self, answer: StoredAnswer) -> None:
        """Store a response."""
        self._call("store a response", lambda: self._store.put(answer))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Store several responses."""
        self._call("store responses", lambda: put_all(self._store, answers))

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response to a question id."""
        return self._checked(
            self._call("be read", lambda: self._store.nearest(case, model, role, sample, turn))
        )

    def close(self) -> None:
        """Close the store."""
        self._call("be closed", self._store.close)

    def _checked(self, value: Any) -> StoredAnswer | None:
        """Reject a value that is no stored response."""
        if value is None or isinstance(value, StoredAnswer):
            return value
        raise StoreError(
            f"{self._name} returned {type(value).__name__}, expected a StoredAnswer or None"
        )

    def _call(self, action: str, call: Callable[[], Any]) -> Any:
        """Call the store; name it if that fails.

        Args:
            action: follows "could not" in the message.
            call: calls the store.
        """
        try:
            return call()
        except Exception as error:
            is_ours = isinstance(error, StoreError)
            reason = str(error) if is_ours else f"{type(error).__name__}: {error}"
            raise StoreError(f"{self._name} could not {action}: {reason}") from error
