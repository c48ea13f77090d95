"""The event loop on which coroutines of user code run in pytest's own thread."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

_own: list[asyncio.AbstractEventLoop] = []
"""The loop for tests that have none, made once: what an agent opened on it is good next time."""


def run_here(make: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine to its end, on the loop that is set for this thread, else on one of ours.

    pytest-asyncio and anyio (with asyncio) set theirs while the fixtures of a test are made.
    """

    async def call() -> Any:
        return await make()

    return _loop().run_until_complete(call())


def close() -> None:
    """Close the loop, where one was made."""
    for loop in _own:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    _own.clear()


def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop to use."""
    current = _current()
    if current is not None and not current.is_closed() and not current.is_running():
        return current
    if not _own:
        _own.append(asyncio.new_event_loop())
    return _own[0]


def _current() -> asyncio.AbstractEventLoop | None:
    """Return the loop that is set for this thread; None where there is none, and none is made."""
    if sys.version_info >= (3, 14):
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
    policy = asyncio.get_event_loop_policy()
    loop: asyncio.AbstractEventLoop | None = getattr(getattr(policy, "_local", None), "_loop", None)
    return loop
