"""AnswerWriter: answers that come together are stored together, and each trial gets its own error."""

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
        self.busy.set()
        self.go.wait(10)
        if any(one.key == self.bad for one in answers):
            raise StoreError("the batch is refused")
        self.batches.append([one.key for one in answers])


async def behind(store: Store, writer: AnswerWriter, *keys: str) -> list[BaseException | None]:
    """Bring a first answer, and others while the store is busy with it; return what they raised."""
    store.go.clear()
    first = asyncio.ensure_future(writer.write(answer("first")))
    assert await asyncio.to_thread(store.busy.wait, 10)
    others = [asyncio.ensure_future(writer.write(answer(key))) for key in keys]
    await asyncio.sleep(0)
    assert not any(task.done() for task in (first, *others))
    store.go.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_what_comes_meanwhile_is_kept_at_once():
    """While one answer is written the next ones gather, and all of them are one batch."""
    store = Store()

    async def scenario():
        writer = AnswerWriter(store)
        errors = await behind(store, writer, "a", "b", "c")
        writer.close()
        return errors

    assert [None] * 4 == asyncio.run(scenario())
    assert [["first"], ["a", "b", "c"]] == store.batches


def test_each_is_told_its_own_error():
    """Where a batch is refused, each answer is put by itself: only the bad one is lost."""
    store = Store(bad="b")

    async def scenario():
        writer = AnswerWriter(store)
        errors = await behind(store, writer, "a", "b", "c")
        writer.close()
        return errors

    errors = asyncio.run(scenario())
    assert ["None", "None", "b is refused", "None"] == [str(error) for error in errors]
    assert isinstance(errors[2], StoreError)
    assert [["first"], ["a"], ["c"]] == store.batches


def test_a_store_that_takes_one_at_a_time():
    """A plugin's store needs no `put_all`."""
    store = Store()
    store.put_all = None  # type: ignore[assignment]

    async def scenario():
        writer = AnswerWriter(store)
        await behind(store, writer, "a", "b")
        writer.close()

    asyncio.run(scenario())
    assert [["first"], ["a"], ["b"]] == store.batches


def test_who_stops_waiting_does_not_stop_the_writing():
    """An answer that was paid for is kept though its trial was cancelled; `finish` waits for it."""
    store = Store()

    async def scenario():
        writer = AnswerWriter(store)
        store.go.clear()
        tasks = [asyncio.ensure_future(writer.write(answer(key))) for key in ("a", "b")]
        assert await asyncio.to_thread(store.busy.wait, 10)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError)
            for one in await asyncio.gather(*tasks, return_exceptions=True)
        )
        store.go.set()
        await writer.finish()
        kept = [key for batch in store.batches for key in batch]
        writer.close()
        return kept

    assert ["a", "b"] == asyncio.run(scenario())


def test_any_fault_of_a_batch_is_told_too():
    """What is no `StoreError` leaves nobody waiting: each answer is put by itself."""
    store = Store()

    def broken(answers):
        raise ZeroDivisionError

    store.put_all = broken

    async def scenario():
        writer = AnswerWriter(store)
        errors = await behind(store, writer, "a", "b")
        writer.close()
        return errors

    assert [None] * 3 == asyncio.run(scenario())
    assert [["first"], ["a"], ["b"]] == store.batches


def test_any_fault_of_a_store_reaches_who_asked():
    """What is no `StoreError` is not swallowed either."""

    class Broken:
        def put(self, one):
            raise ZeroDivisionError(one.key)

    async def scenario():
        writer = AnswerWriter(Broken())
        with pytest.raises(ZeroDivisionError, match="a"):
            await writer.write(answer("a"))
        writer.close()

    asyncio.run(scenario())


def test_finishing_an_unused_writer_returns():
    """A session that stores nothing ends like any other, with or without a store."""

    async def scenario(store):
        writer = AnswerWriter(store)
        await asyncio.wait_for(writer.finish(), 10)
        writer.close()

    asyncio.run(scenario(None))
    asyncio.run(scenario(Store()))


def test_a_writer_that_stopped_lets_no_trial_wait():
    """A store that raises SystemExit ends the thread; later answers fail at once."""

    class Exits:
        def put(self, answer):
            raise SystemExit(3)

    async def scenario():
        writer = AnswerWriter(Exits())
        first = asyncio.ensure_future(writer.write(answer("a")))
        await asyncio.sleep(0)
        await asyncio.to_thread(writer._writer._thread.join, 10)
        with pytest.raises(StoreError, match="SystemExit"):
            await asyncio.wait_for(writer.write(answer("b")), 10)
        await asyncio.wait_for(writer.finish(), 10)
        first.cancel()
        writer.close()

    asyncio.run(scenario())
