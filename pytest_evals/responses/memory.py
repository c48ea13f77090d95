"""MemoryResponseStore: responses in memory, for tests and scripts."""

import threading

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.question_id import QuestionId, question_id


class MemoryResponseStore:
    """A `ResponseStore` without a file."""

    def __init__(self) -> None:
        self._answers: dict[str, StoredAnswer] = {}
        self._keys: dict[QuestionId, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key."""
        self._check_open()
        return self._answers.get(key)

    def put(self, answer: StoredAnswer) -> None:
        """Store a response; replace an older one with the same Key."""
        with self._lock:
            self._check_open()
            older = self._answers.get(answer.key)
            if older is not None:
                self._keys[question_id(older)].pop(answer.key)
            self._answers[answer.key] = answer
            self._keys.setdefault(question_id(answer), {})[answer.key] = None

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response that was stored for a question id."""
        with self._lock:
            self._check_open()
            keys = self._keys.get((case, model, role, sample, turn))
            return self._answers[next(reversed(keys))] if keys else None

    def close(self) -> None:
        """Delete everything."""
        self._closed = True
        self._answers.clear()
        self._keys.clear()

    def _check_open(self) -> None:
        """Raise an error if the store is closed."""
        if self._closed:
            raise StoreError("the response store (memory) is closed")
