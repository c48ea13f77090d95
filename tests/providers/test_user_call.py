"""UserCall: the result, the error and the duration of one call of user code."""

import asyncio
import threading
from time import sleep

import pytest

from pytest_evals.providers.user_call import UserCall


def in_thread(call):
    """Run a call outside the main thread."""
    thread = threading.Thread(target=call.run)
    thread.start()
    thread.join()
    return call


async def greet():
    """Say hello a little later."""
    await asyncio.sleep(0.02)
    return "hello"


def test_value_and_duration():
    """What it returned, and how long it ran."""
    call = UserCall(lambda: sleep(0.02) or "hi")
    call.run()
    assert ("hi", None) == (call.value, call.error)
    assert 0.02 <= call.duration_s < 5


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        SystemExit(3),
        StopIteration(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
    ],
)
def test_whatever_it_raises_is_kept_in_a_thread(error):
    """Nothing passes through the thread."""

    def function():
        raise error

    assert error is in_thread(UserCall(function)).error


def test_ctrl_c_in_the_main_thread_is_raised():
    """There somebody presses the keys."""

    def function():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        UserCall(function).run()


def test_an_awaitable_is_awaited_in_a_second_step():
    """A sync function that returns a coroutine; both steps count."""
    call = UserCall(greet)
    call.run()
    call.await_value()
    asyncio.run(call.run_async())
    assert "hello" == call.value
    assert 0.02 <= call.duration_s < 5


@pytest.mark.parametrize("function", [greet, lambda: "hello"])
def test_run_here_awaits_on_a_loop_of_its_own(function):
    """Sync and async functions alike."""
    call = UserCall(function)
    call.run_here()
    assert ("hello", None) == (call.value, call.error)


def test_code_that_cancels_itself_is_an_error_and_a_cancelled_call_is_cancelled():
    """The two are told apart by the task."""

    async def cancels_itself():
        raise asyncio.CancelledError

    call = UserCall(cancels_itself)
    asyncio.run(call.run_async())
    assert isinstance(call.error, asyncio.CancelledError)

    async def cancelled():
        hanging = UserCall(lambda: asyncio.sleep(60))
        task = asyncio.create_task(hanging.run_async())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return hanging

    assert asyncio.run(cancelled()).error is None
