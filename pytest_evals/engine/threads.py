"""Threads for user code: daemons, so that a hung call never keeps the process alive.

`DaemonPool` runs blocking callables. `UserLoop` runs coroutines of user code on a separate event
loop, so that one which blocks cannot stop the engine's timeouts.
"""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

_Job = tuple["Future[Any]", Callable[[], Any]]


class DaemonPool:
    """Runs callables on daemon threads, at most `size` at once; threads start when needed.

    `concurrent.futures` joins its threads at interpreter exit, where one hung target would hang the
    session. These threads are abandoned instead.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
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
        future = self.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
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
                    future.set_exception(_as_runtime_error(error))
                except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
                    future.set_exception(error)
            del job, future, call
            with self._lock:
                self._idle += 1


class UserLoop:
    """An event loop for coroutines of user code, on a separate thread.

    If user code blocks the loop, the engine's timeouts still fire, and the next coroutine gets a
    new loop.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.current_thread()

    async def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine of user code and await its result."""
        loop = self._running()
        context = contextvars.copy_context()

        async def call() -> Any:
            try:
                return await make()
            except KeyboardInterrupt as error:
                raise _as_runtime_error(error) from error

        future: Future[Any] = Future()

        def begin() -> None:
            task = loop.create_task(call(), context=context)
            task.add_done_callback(lambda done: _copy(done, future))
            future.add_done_callback(
                lambda f: loop.call_soon_threadsafe(task.cancel) if f.cancelled() else None
            )

        loop.call_soon_threadsafe(begin)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self._leave_if_stuck(loop)
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; start one if there is none."""
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()

            def serve() -> None:
                asyncio.set_event_loop(loop)
                try:
                    loop.run_forever()
                    _end_tasks(loop)
                finally:
                    loop.close()

            self._thread = threading.Thread(target=serve, name="evals-user-loop", daemon=True)
            self._thread.start()
        return self._loop

    def _leave_if_stuck(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon a loop that does not respond within 50 ms."""
        if self._loop is not loop:
            return
        alive = threading.Event()
        loop.call_soon_threadsafe(alive.set)
        if not alive.wait(0.05) and self._loop is loop:
            loop.call_soon_threadsafe(loop.stop)
            self._loop = None

    def close(self) -> None:
        """Stop the loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(1.0)
            self._loop = None


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that user code left on a loop, such as the worker of a library."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=0.5))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _as_runtime_error(error: KeyboardInterrupt) -> RuntimeError:
    """Turn a KeyboardInterrupt that user code raised into an error: no key was pressed.

    Unchanged, it would end the event loop of all trials.
    """
    error_of_code = RuntimeError(f"the code raised KeyboardInterrupt ({error})")
    return error_of_code.with_traceback(error.__traceback__)


def _copy(task: "asyncio.Task[Any]", future: "Future[Any]") -> None:
    """Copy the result of a task to the future that another loop awaits."""
    if future.cancelled():
        return
    if task.cancelled():
        future.cancel()
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())
