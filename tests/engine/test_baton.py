"""Baton: a host and an event loop take turns, and neither can stop the other for good."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_evals.engine.baton import Baton


@pytest.fixture
def baton() -> Baton:
    """Return a baton."""
    return Baton()


@pytest.fixture
def loop(baton: Baton) -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop that takes turns, on a thread of its own."""
    loop = baton.event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not thread.is_alive()
    loop.close()


def within(loop: asyncio.AbstractEventLoop, seconds: float) -> bool:
    """Whether an event loop does something in so many seconds."""
    done = threading.Event()
    loop.call_soon_threadsafe(done.set)
    return done.wait(seconds)


def test_a_host_that_never_gives_it_back_only_slows_the_loop(
    baton: Baton, loop: asyncio.AbstractEventLoop
) -> None:
    """The loop goes on without the baton after a while."""
    baton.take()
    assert all(within(loop, 10) for _ in range(3))
    baton.give()
    assert within(loop, 10)


def test_a_loop_that_blocks_only_slows_the_host(
    baton: Baton, loop: asyncio.AbstractEventLoop
) -> None:
    """The host goes on without the baton after a while, and gives back nothing it has not."""
    begun, end = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        end.wait(10)

    loop.call_soon_threadsafe(block)
    assert begun.wait(10)
    baton.take()
    assert not baton.held
    baton.give()
    end.set()
    assert within(loop, 10)


def test_the_host_waits_for_the_end_of_a_stretch(
    baton: Baton, loop: asyncio.AbstractEventLoop
) -> None:
    """What the loop is at ends before the host goes on."""
    ended = 0
    begun = threading.Event()

    def stretch() -> None:
        nonlocal ended
        begun.set()
        time.sleep(0.005)
        ended += 1

    held = 0
    for number in range(1, 101):
        begun.clear()
        loop.call_soon_threadsafe(stretch)
        assert begun.wait(10)
        baton.take()
        if baton.held:  # else the machine was too slow for it
            held += 1
            assert ended == number
        baton.give()
        if held == 3:
            return
        assert within(loop, 10)
    pytest.fail("the host never had the baton")


def test_taking_and_giving_twice(baton: Baton) -> None:
    """Each is said as often as one likes."""
    for _ in range(2):
        baton.take()
        baton.take()
        assert baton.held
        baton.give()
        baton.give()
        assert not baton.held


def test_a_closed_loop_gives_it_back(baton: Baton) -> None:
    """The host of a loop that ended has it at once, and a second loop can take turns again."""
    for _ in range(2):
        loop = baton.event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        baton.take()
        assert baton.held
        baton.give()


def test_giving_what_was_given_stops_nobody(baton: Baton, loop: asyncio.AbstractEventLoop) -> None:
    """Two threads of a host that both give it back at once leave the loop running."""
    baton.take()
    baton.give_for_loop()
    baton.give()
    assert all(within(loop, 10) for _ in range(3))
