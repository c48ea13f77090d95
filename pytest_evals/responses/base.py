"""ResponseStore: the responses of models, by Key."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field

from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import Frozen, Json


class StoredAnswer(Frozen):
    """One response as it is stored."""

    key: str
    """sha256 of everything that can change the response."""
    case: str
    """Id of the case that first asked for it: for people and for STALE, not part of the Key."""
    model: str
    """Id of the Model that was called."""
    role: str = "answer"
    """``answer``, or ``judge:<name>`` for a judge's response."""
    sample: int = 0
    turn: int = 0
    parts: dict[str, str] = Field(default_factory=dict)
    """Digests of the parts of the Key (model, prompt, params, tools, ...), to name what changed."""
    identity: Json = None
    """The request as it was sent, if it is stored."""
    response: Response
    cost_usd: float | None = None
    chain: str = ""
    """For a response of user code, which may have changed: identifies the runs that may reuse it.
    Not part of the Key."""


class ResponseStore(Protocol):
    """Stores responses. It is thread-safe, and several processes may share one.

    A store with a method ``put_all(answers)`` receives batches: the responses that arrived while it
    was writing. If that raises `StoreError`, each of them is put individually.
    """

    def get(self, key: str) -> StoredAnswer | None:
        """Return the response with a Key; None if there is none."""
        ...

    def put(self, answer: StoredAnswer) -> None:
        """Store a response before returning; replace an older one with the same Key.

        Raises:
            StoreError: it could not be stored.
        """
        ...

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return the last response to the same question id under any Key, to explain STALE."""
        ...

    def close(self) -> None:
        """Write pending responses and close the file."""
        ...


def put_all(store: ResponseStore, answers: Sequence[StoredAnswer]) -> None:
    """Store responses: as a batch if the store has `put_all`, otherwise one by one.

    Raises:
        StoreError: at least one could not be stored.
    """
    put_batch = getattr(store, "put_all", None)
    if put_batch is not None:
        put_batch(answers)
        return
    for answer in answers:
        store.put(answer)


class AnswerStore(ResponseStore, Protocol):
    """A `ResponseStore` of a plugin, created from an address."""

    def __init__(self, address: str, *, write: bool) -> None:
        """Open it.

        Args:
            address: the text after its scheme in ``--evals-shared``.
            write: whether responses may be stored.

        Raises:
            StoreError: it cannot be opened.
        """
        ...
