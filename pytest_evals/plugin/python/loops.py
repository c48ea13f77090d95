"""The event loop on which coroutines of user code run in pytest's own thread."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_evals.plugin.compat import thread_event_loop

_made: list[asyncio.AbstractEventLoop] = []
"""The loop for tests without one, made once: connections opened on it stay usable."""


def run_in_thread(make: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine to its end, on the loop set for this thread, else on one of ours.

    pytest-asyncio and anyio (with asyncio) set theirs while the fixtures of a test are made.
    """

    async def call() -> Any:
        return await make()

    return _loop().run_until_complete(call())


def close() -> None:
    """Close the loop, if one was made."""
    for loop in _made:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    _made.clear()


def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop to use."""
    current = thread_event_loop()
    if current is not None and not current.is_closed() and not current.is_running():
        return current
    if not _made:
        _made.append(asyncio.new_event_loop())
    return _made[0]
