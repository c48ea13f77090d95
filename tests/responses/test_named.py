"""NamedStore: a plugin's store, named in what goes wrong, given several answers where it can."""

from collections.abc import Callable, Sequence

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.layered import LayeredResponseStore
from pytest_evals.responses.memory import MemoryResponseStore
from pytest_evals.responses.named import NamedStore


class Batches(MemoryResponseStore):
    """A plugin's store that takes several answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    def put_all(self, answers: Sequence[StoredAnswer]) -> None:
        """Keep several answers."""
        self.batches.append([one.key for one in answers])
        for one in answers:
            self.put(one)


def test_several_at_once(make_answer: Callable[..., StoredAnswer]) -> None:
    """What a plugin's store can do reaches it through its name and through the layers."""
    store, plain = Batches(), MemoryResponseStore()
    layers = LayeredResponseStore(
        NamedStore("plain", lambda: plain), NamedStore("batches", lambda: store)
    )
    layers.put_all([make_answer("a"), make_answer("b")])
    assert [["a", "b"]] == store.batches
    assert all(one.get(key) is not None for one in (store, plain) for key in "ab")


def test_what_goes_wrong_has_its_name(make_answer: Callable[..., StoredAnswer]) -> None:
    """Also of several at once."""

    class Broken(Batches):
        def put_all(self, answers: Sequence[StoredAnswer]) -> None:
            raise OSError("no route")

    store = NamedStore("bucket (plugin x)", Broken)
    with pytest.raises(
        StoreError, match=r"bucket \(plugin x\) could not store responses: .*no route"
    ):
        store.put_all([make_answer("a"), make_answer("b")])
