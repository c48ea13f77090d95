"""Pending: a background call of a test's, and the two ways to finish it: waiting and awaiting.

A handle writes a method once, as a function that begins the call; `waiting` and `awaiting` make
the sync and the async method of it, with the same parameters.
"""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pytest_evals.plugin.python.running_test import RunningTest, await_future

P = ParamSpec("P")
H = TypeVar("H", bound="Handle")
T = TypeVar("T")


class Handle:
    """What a test is given of its trial: calls of the engine, on behalf of the test."""

    def __init__(self, test: RunningTest) -> None:
        self._test = test


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """A call in the background."""

    future: "Future[Any]"
    finish: Callable[[Any], T]
    """Records the result with the trial, and returns or raises what the test receives."""


def waiting(begin: Callable[Concatenate[H, P], Pending[T]]) -> Callable[Concatenate[H, P], T]:
    """Return the sync method: it waits for the call that `begin` begins."""

    @wraps(begin)
    def method(self: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        pending = begin(self, *args, **kwargs)
        return pending.finish(self._test.wait(pending.future))

    return method


def awaiting(
    begin: Callable[Concatenate[H, P], Pending[T]],
) -> Callable[Concatenate[H, P], Coroutine[Any, Any, T]]:
    """Return the async method: it leaves the test's event loop free; several may run at once."""

    @wraps(begin)
    async def method(self: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        pending = begin(self, *args, **kwargs)
        return pending.finish(await await_future(pending.future))

    return method
