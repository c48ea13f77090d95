"""Threads for user code: daemons, so that a hung call never keeps the process alive."""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pytest_evals.ground.user_loop import Loan, UserLoop, as_runtime_error

_Job = tuple["Future[Any]", Callable[[], Any]]


class DaemonPool:
    """Runs callables on daemon threads, at most `size` at once; threads start when needed.

    `concurrent.futures` joins its threads at interpreter exit, where one hung target would hang the
    session. These threads are abandoned instead.

    Args:
        size: maximum number of threads.
        name: the name of each thread.
        user_loop: the event loop for callables that drive one; None: each makes its own.
    """

    def __init__(self, size: int, name: str, user_loop: UserLoop | None = None) -> None:
        self._size = size
        self._name = name
        self._user_loop = user_loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0

    def submit(self, call: Callable[[], Any]) -> "Future[Any]":
        """Run a callable with the caller's context variables; return its future."""
        future: Future[Any] = Future()
        context = contextvars.copy_context()
        with self._lock:
            grow = self._idle <= 0 and self._threads < self._size
            if grow:
                self._threads += 1
            else:
                self._idle -= 1
        self._jobs.put((future, lambda: context.run(call)))
        if grow:
            self._start()
        return future

    def _start(self) -> None:
        """Start a thread that is already counted."""
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run a callable and await its result; a cancelled wait abandons the thread."""
        loan = None if self._user_loop is None else Loan(self._user_loop)
        future = self.submit(call if loan is None else lambda: loan.run(call))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if loan is not None:
                loan.cancel()
            if not future.cancel() and not future.done():
                self._abandon(future)
            raise

    def _abandon(self, future: "Future[Any]") -> None:
        """Replace a hung thread by a new one if work waits for it."""
        with self._lock:
            self._threads -= 1
            replace = self._idle < 0  # a job waits for a thread
            self._threads += replace
            self._idle += replace
        if replace:
            self._start()
        future.add_done_callback(lambda _: self._returned())

    def _returned(self) -> None:
        """Count an abandoned thread that returned later."""
        with self._lock:
            self._threads += 1

    def close(self) -> None:
        """Let idle threads end."""
        with self._lock:
            threads = self._threads
        for _ in range(threads):
            self._jobs.put(None)

    def _work(self) -> None:
        """Run jobs until the pool is closed."""
        while True:
            job = self._jobs.get()
            if job is None:
                return
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except KeyboardInterrupt as error:
                    future.set_exception(as_runtime_error(error))
                except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
                    future.set_exception(error)
            del job, future, call
            with self._lock:
                self._idle += 1
