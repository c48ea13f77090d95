"""UserCall: one call of user code, sync or async, with its result, error and duration.

It runs in whichever thread or event loop calls it. An exception is stored, not raised: an exit or a
StopIteration would end the loop or the thread.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from threading import current_thread, main_thread
from time import monotonic
from typing import Any

from pytest_evals.ground.watchdog import user_code

_RAISED = (Exception, SystemExit, KeyboardInterrupt)
"""Exceptions of user code outside the main thread, where no one presses Ctrl-C."""


@dataclass(slots=True)
class UserCall:
    """One call of user code."""

    function: Callable[[], Any]
    value: Any = None
    """What it returned."""
    error: BaseException | None = None
    """What it raised."""
    duration_s: float = 0.0
    """Seconds that it ran, without waiting for a thread."""

    def run(self) -> None:
        """Call the function."""
        started = monotonic()
        try:
            with user_code():
                self.value = self.function()
        except (*_RAISED, asyncio.CancelledError) as error:
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                raise  # in the thread of a test: Ctrl-C
            self.error = error
        finally:
            self.duration_s += monotonic() - started

    async def run_async(self) -> None:
        """Call the function and await its result."""
        started = monotonic()
        try:
            with user_code():
                value = self.function()
                self.value = await value if inspect.isawaitable(value) else value
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.error = error
        except _RAISED as error:
            self.error = error
        finally:
            self.duration_s += monotonic() - started

    def await_value(self) -> None:
        """Let `run_async` await the value, for a sync function that returned an awaitable."""
        awaitable: Awaitable[Any] = self.value
        self.function = lambda: awaitable

    def run_here(self) -> None:
        """Call the function in this thread, and await its result on a new event loop."""
        self.run()
        if self.error is None and inspect.isawaitable(self.value):
            self.await_value()
            asyncio.run(self.run_async())
