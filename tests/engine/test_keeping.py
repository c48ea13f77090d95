"""AnswerWriter: answers that come together are kept together, and nobody is told too early."""

import asyncio
import threading

import pytest

from pytest_evals.engine.answer_writer import AnswerWriter
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer


def answer(key: str) -> StoredAnswer:
    """Return an answer."""
    return StoredAnswer(key=key, case=key, model="m", response=Response(text=key))


class Store:
    """Keeps answers in batches; it can be held up, and can refuse."""

    def __init__(self, *, bad: str = "") -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Event()
        self.bad = bad

    def put(self, one: StoredAnswer) -> None:
        """Keep one answer."""
        self.busy.set()
        self.go.wait(10)
        if one.key == self.bad:
            raise StoreError(f"{one.key} is refused")
        self.batches.append([one.key])

    def put_all(self, answers: list[StoredAnswer]) -> None:
        """Keep several answers."""
        if any(one.key == self.bad for one in answers):
            raise StoreError("the batch is refused")
        self.batches.append([one.key for one in answers])


async def behind(store: Store, keeper: AnswerWriter, *keys: str) -> list[BaseException | None]:
    """Bring a first answer, and others while the store is busy with it; return what they raised."""
    store.go.clear()
    first = asyncio.ensure_future(keeper.write(answer("first")))
    assert await asyncio.to_thread(store.busy.wait, 10)
    others = [asyncio.ensure_future(keeper.write(answer(key))) for key in keys]
    await asyncio.sleep(0)
    assert not any(task.done() for task in (first, *others))
    store.go.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_what_comes_meanwhile_is_kept_at_once():
    """While one answer is written the next ones gather, and all of them are one batch."""
    store = Store()

    async def scenario():
        keeper = AnswerWriter(store)
        told = await behind(store, keeper, "a", "b", "c")
        keeper.close()
        return told

    assert [None] * 4 == asyncio.run(scenario())
    assert [["first"], ["a", "b", "c"]] == store.batches


def test_each_is_told_its_own_error():
    """Where a batch is refused, each answer is put by itself: only the bad one is lost."""
    store = Store(bad="b")

    async def scenario():
        keeper = AnswerWriter(store)
        told = await behind(store, keeper, "a", "b", "c")
        keeper.close()
        return told

    told = asyncio.run(scenario())
    assert ["None", "None", "b is refused", "None"] == [str(one) for one in told]
    assert isinstance(told[2], StoreError)
    assert [["first"], ["a"], ["c"]] == store.batches


def test_a_store_that_takes_one_at_a_time():
    """A plugin's store needs no `put_all`."""
    store = Store()
    store.put_all = None  # type: ignore[assignment]

    async def scenario():
        keeper = AnswerWriter(store)
        await behind(store, keeper, "a", "b")
        keeper.close()

    asyncio.run(scenario())
    assert [["first"], ["a"], ["b"]] == store.batches


def test_who_stops_waiting_does_not_stop_the_writing():
    """An answer that was paid for is kept though its trial was cancelled; `finish` waits for it."""
    store = Store()

    async def scenario():
        keeper = AnswerWriter(store)
        store.go.clear()
        tasks = [asyncio.ensure_future(keeper.write(answer(key))) for key in ("a", "b")]
        assert await asyncio.to_thread(store.busy.wait, 10)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*tasks, return_exceptions=True)
        )
        store.go.set()
        await keeper.finish()
        kept = [key for batch in store.batches for key in batch]
        keeper.close()
        return kept

    assert ["a", "b"] == asyncio.run(scenario())


def test_any_fault_of_a_batch_is_told_too():
    """What is no `StoreError` leaves nobody waiting: each answer is put by itself."""
    store = Store()

    def broken(answers):
        raise ZeroDivisionError

    store.put_all = broken

    async def scenario():
        keeper = AnswerWriter(store)
        told = await behind(store, keeper, "a", "b")
        keeper.close()
        return told

    assert [None] * 3 == asyncio.run(scenario())
    assert [["first"], ["a"], ["b"]] == store.batches


def test_any_fault_of_a_store_reaches_who_asked():
    """What is no `StoreError` is not swallowed either."""

    class Broken:
        def put(self, one):
            raise ZeroDivisionError(one.key)

    async def scenario():
        keeper = AnswerWriter(Broken())
        with pytest.raises(ZeroDivisionError, match="a"):
            await keeper.write(answer("a"))
        keeper.close()

    asyncio.run(scenario())
