"""The limiter: how many calls at once, how many a minute, and what pushback does."""

import asyncio
from time import monotonic

import pytest

from pytest_evals.engine.limits import Limiter


def run(coroutine):
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


async def _peak(limiter: Limiter, calls: int, seconds: float = 0.005) -> int:
    """Make so many calls at once and return how many overlapped."""
    now = peak = 0

    async def call() -> None:
        nonlocal now, peak
        async with limiter.slot():
            now += 1
            peak = max(peak, now)
            await asyncio.sleep(seconds)
            now -= 1

    await asyncio.gather(*(call() for _ in range(calls)))
    return peak


@pytest.mark.parametrize("most", [1, 3, 10])
def test_at_most_so_many_calls_run_at_once(most):
    """The limit is reached and never passed."""
    assert run(_peak(Limiter(most), 30)) == most


def test_pushback_halves_the_limit_once_for_all_calls_under_way():
    """Ten refusals of calls that began together are one message, not ten."""

    async def scenario() -> float:
        limiter = Limiter(16)
        began = monotonic()
        for _ in range(10):
            limiter.pushed_back(began, None)
        return limiter.limit

    assert run(scenario()) == 8


def test_a_later_pushback_halves_again_and_one_call_is_always_allowed():
    """The limit never falls below one."""

    async def scenario() -> float:
        limiter = Limiter(4)
        for _ in range(6):
            limiter.pushed_back(monotonic(), None)
        return limiter.limit

    assert run(scenario()) == 1


def test_successes_bring_the_limit_back_slowly():
    """One round of successes adds about one."""
    limiter = Limiter(16)
    limiter.limit = 4
    for _ in range(4):
        limiter.succeeded()
    assert 4.8 < limiter.limit <= 5
    for _ in range(1000):
        limiter.succeeded()
    assert limiter.limit == 16


def test_a_halved_limit_holds_back_calls():
    """After pushback fewer calls overlap."""

    async def scenario() -> int:
        limiter = Limiter(8)
        limiter.pushed_back(monotonic(), None)
        return await _peak(limiter, 20)

    assert run(scenario()) == 4


def test_a_pause_lets_nothing_through_until_it_is_over():
    """Retry-After holds every call of the model."""

    async def scenario() -> float:
        limiter = Limiter(4)
        limiter.pause(0.1)
        began = monotonic()
        async with limiter.slot():
            return monotonic() - began

    assert run(scenario()) >= 0.095


def test_requests_per_minute_space_the_calls():
    """1,200 a minute is one every 50 ms: four more than the first take 200 ms."""

    async def scenario() -> float:
        limiter = Limiter(10, requests_per_minute=1200)
        began = monotonic()
        await _peak(limiter, 5, 0)
        return monotonic() - began

    assert run(scenario()) >= 0.19


def test_tokens_per_minute_are_booked_as_estimated_and_corrected():
    """A call that used more than was booked delays the next by the difference."""

    async def scenario() -> float:
        limiter = Limiter(10, tokens_per_minute=60_000)
        async with limiter.slot(10):
            limiter.succeeded(150, 10)
        began = monotonic()
        async with limiter.slot(10):
            return monotonic() - began

    assert 0.1 <= run(scenario()) < 0.4


def test_a_cancelled_wait_leaves_its_place_to_others():
    """Whoever gives up waiting does not take a place with it."""

    async def scenario() -> int:
        limiter = Limiter(1)

        async def hold() -> None:
            async with limiter.slot():
                await asyncio.sleep(0.02)

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiter = asyncio.create_task(hold())
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(holder, waiter, return_exceptions=True)
        assert limiter.active == 0
        return await _peak(limiter, 3)

    assert run(scenario()) == 1
