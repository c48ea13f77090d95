"""Threads and loops for user code."""

import asyncio
import threading
import time

import pytest

from pytest_evals.engine.threads import DaemonPool, UserLoop


def test_results_and_exceptions_come_back():
    """A callable's end is its caller's, whichever it is."""

    async def scenario():
        pool = DaemonPool(2, "test-pool")
        assert await pool.run(lambda: 42) == 42
        with pytest.raises(KeyError):
            await pool.run(lambda: {}["x"])
        pool.close()

    asyncio.run(scenario())


def test_at_most_so_many_run_at_once():
    """The pool's size bounds its threads."""

    async def scenario() -> int:
        pool = DaemonPool(3, "test-size")
        now = peak = 0
        lock = threading.Lock()

        def call() -> None:
            nonlocal now, peak
            with lock:
                now += 1
                peak = max(peak, now)
            time.sleep(0.01)
            with lock:
                now -= 1

        await asyncio.gather(*(pool.run(call) for _ in range(20)))
        pool.close()
        return peak

    assert asyncio.run(scenario()) == 3


def test_a_hung_call_does_not_take_its_thread_along():
    """After a timeout the pool of one serves the next call."""

    async def scenario() -> str:
        pool = DaemonPool(1, "test-hang")
        release = threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.run(lambda: release.wait(5))
        async with asyncio.timeout(1):
            answer = await pool.run(lambda: "next")
        release.set()
        pool.close()
        return answer

    assert asyncio.run(scenario()) == "next"


def test_a_user_coroutine_that_blocks_its_loop_does_not_stop_the_callers_clock():
    """The timeout fires although the coroutine never awaits; the next one gets a fresh loop."""

    async def blocks() -> None:
        time.sleep(0.6)  # noqa: ASYNC251 - what a careless target does

    async def fine() -> str:
        await asyncio.sleep(0)
        return "fine"

    async def scenario() -> float:
        loop = UserLoop()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await loop.run(blocks)
        waited = time.monotonic() - began
        assert await loop.run(fine) == "fine"
        loop.close()
        return waited

    assert asyncio.run(scenario()) < 0.5


def test_a_user_coroutine_is_cancelled_when_its_caller_gives_up():
    """Its finally blocks run."""
    ended = threading.Event()

    async def waits() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    async def scenario() -> None:
        loop = UserLoop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await loop.run(waits)
        assert await asyncio.to_thread(ended.wait, 1)
        loop.close()

    asyncio.run(scenario())


def test_what_a_user_coroutine_leaves_running_is_ended_with_the_loop():
    """A library's own worker is cancelled, not dropped while it waits."""
    ended = []

    async def worker() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def leaves() -> None:
        leaves.task = asyncio.create_task(worker())
        await asyncio.sleep(0)

    async def scenario() -> None:
        loop = UserLoop()
        await loop.run(leaves)
        loop.close()

    asyncio.run(scenario())
    assert ["cancelled"] == ended
