"""LayeredResponseStore: one store before another."""

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.cassette import CassetteStore
from pytest_evals.responses.layered import LayeredResponseStore
from pytest_evals.responses.memory import MemoryResponseStore
from pytest_evals.responses.sqlite import SqliteResponseStore


class FullStore(MemoryResponseStore):
    """A store that can keep nothing and cannot be closed."""

    def put(self, answer: StoredAnswer) -> None:
        """Fail."""
        raise StoreError("full")

    def close(self) -> None:
        """Fail."""
        raise StoreError("stuck")


def test_the_front_is_filled_from_the_back(make_answer) -> None:
    """What only the back has is copied, so that a cassette becomes complete."""
    front, back = MemoryResponseStore(), MemoryResponseStore()
    back.put(make_answer("k"))
    assert LayeredResponseStore(front, back).get("k") == make_answer("k")
    assert front.get("k") == make_answer("k")


def test_the_front_is_left_alone_without_fill(make_answer) -> None:
    """A front that is only replayed is not written to."""
    front, back = MemoryResponseStore(), MemoryResponseStore()
    back.put(make_answer("k"))
    assert LayeredResponseStore(front, back, fill=False).get("k") == make_answer("k")
    assert front.get("k") is None


def test_the_front_comes_first(make_answer) -> None:
    """Where both know a Key the front's answer counts."""
    front, back = MemoryResponseStore(), MemoryResponseStore()
    front.put(make_answer("k", "front"))
    back.put(make_answer("k", "back"))
    store = LayeredResponseStore(front, back)
    assert store.get("k") == make_answer("k", "front")
    assert store.nearest("a", "m", "answer", 0, 0) == make_answer("k", "front")


@pytest.mark.parametrize("full_first", [True, False])
def test_one_fault_does_not_cost_the_other_layer(make_answer, full_first) -> None:
    """An answer that one layer cannot keep is kept by the other, and the error is raised."""
    good = MemoryResponseStore()
    layers = (FullStore(), good) if full_first else (good, FullStore())
    store = LayeredResponseStore(*layers)
    with pytest.raises(StoreError, match=r"^full$"):
        store.put(make_answer("k"))
    assert good.get("k") == make_answer("k")
    with pytest.raises(StoreError, match=r"^stuck$"):
        store.close()
    with pytest.raises(StoreError, match="closed"):
        good.get("k")


def test_all_errors_are_told(make_answer) -> None:
    """Where both layers fail, both say so."""
    with pytest.raises(StoreError, match=r"^full; full$"):
        LayeredResponseStore(FullStore(), FullStore()).put(make_answer("k"))


def test_half_a_character_is_an_error_that_says_so(make_answer, tmp_path) -> None:
    """A server may send a lone surrogate, which no file can hold: no traceback of a library."""
    store = LayeredResponseStore(
        CassetteStore(tmp_path / "d.jsonl"), SqliteResponseStore(tmp_path / "evals.sqlite")
    )
    with pytest.raises(StoreError, match=r"to 'a' could not be stored: .*; .* not recorded: "):
        store.put(make_answer("k", "\ud800"))
    store.close()
