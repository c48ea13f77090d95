"""LayeredResponseStore: one store before another, such as a cassette before the local store.

Each is a `ResponseStore` and knows nothing of the other; more layers are made by wrapping again.
"""

from collections.abc import Sequence

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all


class LayeredResponseStore:
    """A `ResponseStore` over two others.

    Args:
        front: asked first.
        back: asked second. What is put goes into both.
        fill: whether an answer that only the back has is copied into the front, so that the front
            becomes complete.
    """

    def __init__(self, front: ResponseStore, back: ResponseStore, *, fill: bool = True) -> None:
        self.front = front
        self.back = back
        self._fill = fill

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key: the front's, else the back's."""
        answer = self.front.get(key)
        if answer is None:
            answer = self.back.get(key)
            if answer is not None and self._fill:
                self.front.put(answer)
        return answer

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer in both; what one of them cannot keep the other still does."""
        self.put_all((answer,))

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Keep answers in both; what one of them cannot keep the other still does."""
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
        """Return what is stored for the same place: in the front, else in the back."""
        return self.front.nearest(case, model, role, sample, turn) or self.back.nearest(
            case, model, role, sample, turn
        )

    def close(self) -> None:
        """Close both, the second also where the first one fails."""
        errors: list[StoreError] = []
        for store in (self.front, self.back):
            try:
                store.close()
            except StoreError as error:
                errors.append(error)
        _raise(errors)


def _raise(errors: list[StoreError]) -> None:
    """Raise what went wrong, all of it."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise StoreError("; ".join(str(error) for error in errors)) from errors[0]
