"""MemoryResponseStore: answers kept as long as the process lives; what tests and scripts use."""

import threading

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.question_id import Place, place_of


class MemoryResponseStore:
    """A `ResponseStore` without a file."""

    def __init__(self) -> None:
        self._answers: dict[str, StoredAnswer] = {}
        self._places: dict[Place, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key."""
        self._open()
        return self._answers.get(key)

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer; an older one of the same Key is replaced."""
        with self._lock:
            self._open()
            older = self._answers.get(answer.key)
            if older is not None:
                self._places[place_of(older)].pop(answer.key)
            self._answers[answer.key] = answer
            self._places.setdefault(place_of(answer), {})[answer.key] = None

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return what was stored last for the same place."""
        with self._lock:
            self._open()
            keys = self._places.get((case, model, role, sample, turn))
            return self._answers[next(reversed(keys))] if keys else None

    def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._answers.clear()
        self._places.clear()

    def _open(self) -> None:
        """Refuse work after the end."""
        if self._closed:
            raise StoreError("the stored answers (memory) are closed")
