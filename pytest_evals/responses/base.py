"""ResponseStore: answers that were paid for, by Key."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import Field

from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import Frozen, Json


class StoredAnswer(Frozen):
    """One answer as it is kept."""

    key: str
    """sha256 of everything that can change the answer."""
    case: str
    """Whose question it first was: for people and for STALE, not part of the Key."""
    model: str
    """The Model's id when it was asked."""
    role: str = "answer"
    """``answer`` or ``judge:<name>``: judge answers are kept apart."""
    sample: int = 0
    turn: int = 0
    parts: dict[str, str] = Field(default_factory=dict)
    """Digests of the parts of the Key (model, prompt, params, tools, ...), to say what changed."""
    identity: Json = None
    """What was sent, where it is kept."""
    response: Response
    cost_usd: float | None = None
    chain: str = ""
    """Where code gave the answer that may have changed since: the mark of the runs that may use it
    again. Not part of the Key."""


class ResponseStore(Protocol):
    """Stores answers. Safe to use from several threads; several processes may share one.

    One that also has ``put_all(answers)`` is given several at once, those that came while it was
    writing; where that raises `StoreError`, each of them is put again by itself.
    """

    def get(self, key: str) -> StoredAnswer | None:
        """Return the answer to a Key."""
        ...

    def put(self, answer: StoredAnswer) -> None:
        """Keep an answer before returning; an older one of the same Key is replaced.

        Raises:
            StoreError: it could not be kept.
        """
        ...

    def nearest(
        self, case: str, model: str, role: str, sample: int, turn: int
    ) -> StoredAnswer | None:
        """Return what is stored for the same place under another Key, to explain STALE."""
        ...

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        ...


def put_all(store: ResponseStore, answers: Sequence[StoredAnswer]) -> None:
    """Keep answers: together where a store has `put_all`, else one after the other.

    Raises:
        StoreError: not all of them could be kept.
    """
    together = getattr(store, "put_all", None)
    if together is not None:
        together(answers)
        return
    for answer in answers:
        store.put(answer)


class AnswerStore(ResponseStore, Protocol):
    """A `ResponseStore` that a plugin brings, made of an address."""

    def __init__(self, address: str, *, write: bool) -> None:
        """Open it.

        Args:
            address: what stands behind its scheme in ``--evals-shared``.
            write: whether answers may be put into it.

        Raises:
            StoreError: it cannot be opened.
        """
        ...
