"""UserLoop: the one event loop for user code, and LentLoop: its form for code that is not async.

Clients keep connections that belong to one event loop. A sync function that drives a loop
(``asyncio.run``, ``agent.run_sync``) would have another one in each thread or call, and a client
that it shares would fail there. So all of them are lent one loop, which runs in its own thread: the
function's thread waits, and the coroutines of several calls run concurrently.
"""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

_CLOSED = "Event loop is closed"


class Turns:
    """Lets calls run together, until one shows that they must run one at a time."""

    def __init__(self) -> None:
        self.is_single = False
        """Whether calls run one at a time. The next one begins when all before it have ended."""
        self._active = 0
        self._change = asyncio.Condition()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for a block."""
        async with self._change:
            await self._change.wait_for(lambda: not (self.is_single and self._active))
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
            async with self._change:
                self._change.notify_all()


class UserLoop:
    """An event loop for coroutines of user code, on a separate thread.

    If user code blocks the loop, the engine's timeouts still fire, and the next coroutine gets a
    new loop.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.current_thread()
        self._lock = threading.Lock()
        self.is_closed = False

    async def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine of user code and await its result."""
        loop = self.running()
        context = contextvars.copy_context()
        context.run(_LOAN.set, Loan(self))

        async def call() -> Any:
            try:
                with _NEW_LOOPS.lent():
                    return await make()
            except KeyboardInterrupt as error:
                raise as_runtime_error(error) from error

        future: Future[Any] = Future()

        def begin() -> None:
            _pass_on(loop.create_task(call(), context=context), future)

        loop.call_soon_threadsafe(begin)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self.leave_if_stuck(loop)
            raise

    def running(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; start one if there is none.

        Raises:
            RuntimeError: it was closed.
        """
        with self._lock:
            if self.is_closed:
                raise RuntimeError(_CLOSED)
            if self._loop is None:
                loop = self._loop = _NEW_LOOPS.make()
                self._thread = threading.Thread(
                    target=self._serve, args=(loop,), name="evals-user-loop", daemon=True
                )
                self._thread.start()
            return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run a loop until it is closed or left, whether or not user code stops it or exits."""
        asyncio.set_event_loop(loop)
        try:
            while self._loop is loop:
                with suppress(SystemExit, KeyboardInterrupt):  # the task has it too
                    loop.run_forever()
            _end_tasks(loop)
        finally:
            loop.close()

    def leave_if_stuck(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon a loop that does not respond within 50 ms."""
        if self._loop is not loop:
            return
        alive = threading.Event()
        loop.call_soon_threadsafe(alive.set)
        if not alive.wait(0.05):
            self._leave(loop)

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a loop stop when it can."""
        with self._lock:
            if self._loop is not loop:
                return
            self._loop = None
        with suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(loop.stop)

    def close(self) -> None:
        """Stop the loop."""
        self.is_closed = True
        if self._loop is not None:
            self._leave(self._loop)
            self._thread.join(1.0)


class Loan:
    """A call that may drive the loop: what it began can be cancelled."""

    def __init__(self, owner: UserLoop) -> None:
        self._owner = owner
        self._pending: set[Future[Any]] = set()

    def run(self, call: Callable[[], Any]) -> Any:
        """Run a callable in this thread, with the loop as the one that it gets and makes."""
        token = _LOAN.set(self)
        asyncio.set_event_loop(_lent(self))
        try:
            with _NEW_LOOPS.lent():
                return call()
        finally:
            asyncio.set_event_loop(None)
            _LOAN.reset(token)

    def running(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; a loan that outlives its owner has a loop of its own."""
        if self._owner.is_closed:
            self._owner = UserLoop()
        return self._owner.running()

    def wait(self, loop: asyncio.AbstractEventLoop, begin: Callable[[Future[Any]], None]) -> Any:
        """Wait for a future that is begun on the loop's thread."""
        future: Future[Any] = Future()
        self._pending.add(future)
        try:
            loop.call_soon_threadsafe(begin, future)
            return future.result()
        except CancelledError:
            raise asyncio.CancelledError from None
        finally:
            self._pending.discard(future)

    def cancel(self) -> None:
        """Cancel what the call waits for; no one waits for the call."""
        if self._pending:
            loop = self.running()
            for future in list(self._pending):
                future.cancel()
            self._owner.leave_if_stuck(loop)


_LOAN: contextvars.ContextVar[Loan | None] = contextvars.ContextVar("evals_loan", default=None)


if TYPE_CHECKING:
    _Base = object  # it does not see the methods that are forwarded
else:
    _Base = asyncio.AbstractEventLoop


class LentLoop(_Base):
    """The loop of user code, as code in another thread sees it: at rest until it drives it.

    Several stand for one loop. What closes or stops one does not touch the others.
    """

    def __init__(self, loan: Loan) -> None:
        self._loan = loan
        self._closed = False
        self._at_rest = threading.Event()
        self._at_rest.set()

    def run_until_complete(self, future: Any) -> Any:
        """Have the loop run a coroutine or future to its end, and wait for it."""
        loop = self._loop()
        if _running_loop() is not None:
            if asyncio.iscoroutine(future):
                future.close()
            raise RuntimeError("Cannot run the event loop while another loop is running")
        if asyncio.isfuture(future):
            loop = future.get_loop()
        context = contextvars.copy_context()

        def begin(result: Future[Any]) -> None:
            try:
                _pass_on(context.run(asyncio.ensure_future, future, loop=loop), result)
            except (TypeError, ValueError) as error:
                result.set_exception(error)

        return self._loan.wait(loop, begin)

    def run_forever(self) -> None:
        """Wait until `stop` is called: the loop runs anyway."""
        self._loop()
        self._at_rest.clear()
        self._at_rest.wait()

    def stop(self) -> None:
        """End `run_forever`."""
        self._at_rest.set()

    def is_running(self) -> bool:
        """Whether `run_forever` waits, or the caller is a coroutine on it."""
        return not self._at_rest.is_set() or _running_loop() is not None

    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close this one. The next that the call gets or makes is open."""
        self._closed = True
        if _LOAN.get() is self._loan and _running_loop() is None:
            asyncio.set_event_loop(_lent(self._loan))

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: those of other calls are among them."""

    async def shutdown_default_executor(self, _: float | None = None) -> None:
        """Do nothing: other calls use it."""

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        """Do nothing: the loop is shared."""

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
        """Start a coroutine on the loop, with the context of the caller."""
        if options.get("context") is None:
            options["context"] = contextvars.copy_context()
        task: asyncio.Task[Any] = self._do(lambda loop: loop.create_task(coro, **options))
        return task

    def call_soon(self, callback: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call on the loop."""
        return self._loop().call_soon_threadsafe(callback, *args, **options)

    call_soon_threadsafe = call_soon

    def _loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop behind it.

        Raises:
            RuntimeError: this one was closed.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        return self._loan.running()

    def _do(self, act: Callable[[asyncio.AbstractEventLoop], Any]) -> Any:
        """Do something with the loop on its thread, and return the result."""
        loop = self._loop()
        if _running_loop() is loop:
            return act(loop)

        def begin(result: Future[Any]) -> None:
            try:
                result.set_result(act(loop))
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                result.set_exception(error)

        return self._loan.wait(loop, begin)


def _lent(loan: Loan) -> asyncio.AbstractEventLoop:
    """Return the loop of a loan."""
    return cast("asyncio.AbstractEventLoop", LentLoop(loan))


def _forward(name: str) -> Callable[..., Any]:
    """Return a method that calls the method of the loop, on its thread."""

    def method(self: LentLoop, *args: Any, **options: Any) -> Any:
        return self._do(lambda loop: getattr(loop, name)(*args, **options))

    method.__name__ = name
    return method


for _name in vars(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(LentLoop):
        setattr(LentLoop, _name, _forward(_name))


class _NewLoops:
    """Makes `asyncio.new_event_loop` return a lent loop in a call that is lent one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._make = asyncio.new_event_loop

    def make(self) -> asyncio.AbstractEventLoop:
        """Return a new loop that is not lent."""
        with self._lock:
            make = self._make if self._users else asyncio.new_event_loop
        return make()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Replace the function for a block; blocks in several threads may overlap."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._make = asyncio.new_event_loop
                asyncio.new_event_loop = asyncio.events.new_event_loop = self._new
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    asyncio.new_event_loop = asyncio.events.new_event_loop = self._make

    def _new(self) -> asyncio.AbstractEventLoop:
        """Return a lent loop, or a new one where no call was lent any."""
        loan = _LOAN.get()
        return self._make() if loan is None else _lent(loan)


_NEW_LOOPS = _NewLoops()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that user code left on a loop, such as the worker of a library."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=0.5))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _pass_on(task: "asyncio.Future[Any]", future: "Future[Any]") -> None:
    """Copy the result of a task to a future of threads, and its cancellation back. On the loop."""
    loop = task.get_loop()
    task.add_done_callback(lambda done: _copy(done, future))

    def cancel(ended: "Future[Any]") -> None:
        if ended.cancelled():
            with suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(task.cancel)

    future.add_done_callback(cancel)


def _copy(task: "asyncio.Future[Any]", future: "Future[Any]") -> None:
    """Copy the result of a task to the future that another thread awaits."""
    error = None if task.cancelled() else task.exception()  # retrieved: asyncio logs the others
    if task.cancelled():
        future.cancel()
    elif not future.set_running_or_notify_cancel():
        return
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def as_runtime_error(error: KeyboardInterrupt) -> RuntimeError:
    """Turn a KeyboardInterrupt that user code raised into an error: no key was pressed.

    Unchanged, it would end the event loop of all trials.
    """
    error_of_code = RuntimeError(f"the code raised KeyboardInterrupt ({error})")
    return error_of_code.with_traceback(error.__traceback__)
