"""LayeredResponseStore: one store in front of another, such as a cassette before the local store.

Each is a `ResponseStore` that knows nothing of the other. Wrap again for more layers.
"""

from collections.abc import Sequence

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all


class LayeredResponseStore:
    """A `ResponseStore` over two others.

    Args:
        front: is read first.
        back: is read second. Responses are stored in both.
        fill: whether a response that only the back has is copied into the front.
    """

    def __init__(self, front: ResponseStore, back: ResponseStore, *, fill: bool = True) -> None:
        self.front = front
        self.back = back
        self._fill = fill

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key from the front, otherwise from the back."""
        answer = self.front.get(key)
        if answer is None:
            answer = self.back.get(key)
            if answer is not None and self._fill:
                self.front.put(answer)
        return answer

    def put(self, answer: StoredAnswer) -> None:
        """Store a response in both, also if one of them fails."""
        self.put_all((answer,))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Store responses in both, also if one of them fails."""
        errors: list[StoreError] = []
        for store in (self.back, self.front):
            try:
                put_all(store, answers)
            except StoreError as error:
                errors.append(error)
        _raise(errors)

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response to a question id from the front, otherwise from the back."""
        return self.front.nearest(case, model, role, sample, turn) or self.back.nearest(
            case, model, role, sample, turn
        )

    def close(self) -> None:
        """Close both, also if one of them fails."""
        errors: list[StoreError] = []
        for store in (self.front, self.back):
            try:
                store.close()
            except StoreError as error:
                errors.append(error)
        _raise(errors)


def _raise(errors: list[StoreError]) -> None:
    """Raise one error for all errors."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise StoreError("; ".join(str(error) for error in errors)) from errors[0]
