"""Interception: calls that SDKs make by httpx in this process go by way of the log of their trial.

While it is installed, the transports of httpx (and of httpx2, which newer SDKs use) first look
whether the code they are called by is being recorded. Everything else goes on as it did. Threads
that recorded code starts belong to its trial.
"""

import asyncio
import contextvars
import functools
import importlib
import queue
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

from pytest_evals.providers.http_calls import (
    HttpAnswer,
    HttpCall,
    answer_headers,
    is_text,
)
from pytest_evals.providers.recording import CallLog, current

_LIBRARIES = ("httpx", "httpx2")
_LATER = "httpx_aiohttp"
"""How modules are called that bring a transport for aiohttp; SDKs bring copies of their own."""
Stray = Callable[[str, str], HttpAnswer | None]
"""Looks at a call (method and address) of no trial; an answer stands in the place of sending it."""

_lock = threading.Lock()
_users: list[Stray] = []
_undo: dict[tuple[type, str], Any] = {}


def install(stray: Stray) -> None:
    """Put the log in the way of httpx. As many `remove` take it away again.

    Args:
        stray: is asked about calls of no trial, as threads make them that were there before.
    """
    with _lock:
        _users.append(stray)
        if len(_users) > 1:
            return
        for name in _LIBRARIES:
            if find_spec(name) is not None:
                library = importlib.import_module(name)
                _replace(library.HTTPTransport, "handle_request", _sync(library))
                _replace(library.AsyncHTTPTransport, "handle_async_request", _async(library))
        _replace(threading.Thread, "start", _start)
        _replace(ThreadPoolExecutor, "submit", _submit)


def look_again() -> None:
    """Put the log in the way of transports that were imported since."""
    with _lock:
        names = [name for name in list(sys.modules) if name.endswith(_LATER)] if _users else []
        for name in names:
            transport = getattr(sys.modules[name], "AiohttpTransport", None)
            if transport is not None and (transport, "handle_async_request") not in _undo:
                library = next(
                    sys.modules[base.__module__.partition(".")[0]]
                    for base in transport.__mro__
                    if base.__module__.partition(".")[0] in _LIBRARIES
                )
                _replace(transport, "handle_async_request", _async(library))


def remove(stray: Stray) -> None:
    """Take the log out of the way, with the last `remove`."""
    with _lock:
        _users.remove(stray)
        if not _users:
            for (owner, name), original in _undo.items():
                setattr(owner, name, original)
            _undo.clear()


def _replace(owner: type, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a method by what is made of it."""
    original = getattr(owner, name)
    _undo[owner, name] = original
    setattr(owner, name, functools.wraps(original)(make(original)))


def _stray(request: Any) -> HttpAnswer | None:
    """Ask about a call of no trial. The main thread runs tests, not what is under test."""
    if threading.current_thread() is threading.main_thread():
        return None
    answers = (stray(request.method, str(request.url)) for stray in tuple(_users))
    return next((answer for answer in answers if answer is not None), None)


def _start(original: Any) -> Any:
    """Make the start of a thread that belongs to the trial whose code starts it."""

    def start(self: threading.Thread) -> None:
        if current() is not None:
            context, run = contextvars.copy_context(), self.run
            self.run = lambda: context.run(run)  # type: ignore[method-assign]
        original(self)

    return start


def _submit(original: Any) -> Any:
    """Make the submission of a job that belongs to the trial whose code submits it."""

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if current() is not None:
            fn = functools.partial(contextvars.copy_context().run, fn)
        return original(self, fn, *args, **kwargs)

    return submit


def _sync(library: Any) -> Callable[[Any], Any]:
    """Make what stands in the place of a transport's ``handle_request``."""

    def make(original: Any) -> Any:
        def handle_request(self: Any, request: Any) -> Any:
            log = current()
            if log is None and (refused := _stray(request)) is not None:
                return _response(library, refused, [])
            if log is None or not log.wants(request.method, str(request.url)):
                return original(self, request)
            body = request.read()
            own: list[Any] = []

            def send() -> HttpAnswer:
                response = original(self, request)
                answer = _head(response)
                if answer.unkept is not None:
                    own.append(response)
                    return answer
                try:
                    return HttpAnswer(answer.status, answer.headers, response.read())
                finally:
                    response.close()

            answer = ask_from_thread(log, _call(request, body), send)
            return _response(library, answer, own)

        return handle_request

    return make


def _async(library: Any) -> Callable[[Any], Any]:
    """Make what stands in the place of a transport's ``handle_async_request``."""

    def make(original: Any) -> Any:
        async def handle_async_request(self: Any, request: Any) -> Any:
            log = current()
            if log is None and (refused := _stray(request)) is not None:
                return _response(library, refused, [])
            if log is None or not log.wants(request.method, str(request.url)):
                return await original(self, request)
            body = await request.aread()
            own: list[Any] = []

            async def send() -> HttpAnswer:
                response = await original(self, request)
                answer = _head(response)
                if answer.unkept is not None:
                    own.append(response)
                    return answer
                try:
                    return HttpAnswer(answer.status, answer.headers, await response.aread())
                finally:
                    await response.aclose()

            answer = await ask_from_loop(log, _call(request, body), send)
            return _response(library, answer, own)

        return handle_async_request

    return make


def _call(request: Any, body: bytes) -> HttpCall:
    """Describe a request of httpx."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpCall(request.method, str(request.url), headers, body)


def _head(response: Any) -> HttpAnswer:
    """Describe a response of httpx before its body is read, and say if it will not be."""
    kind = response.headers.get("content-type", "")
    ok = response.status_code < 400
    unkept = (
        f"{kind.partition(';')[0]} is handed on as it comes" if not is_text(kind) and ok else None
    )
    headers = answer_headers(iter(response.headers.multi_items()))
    return HttpAnswer(response.status_code, headers, unkept=unkept)


def _response(library: Any, answer: HttpAnswer, own: list[Any]) -> Any:
    """Make httpx's response of an answer; one that was not read is the server's own."""
    if answer.unkept is not None and own:
        return own[0]

    class Parts(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        """The body, in pieces."""

        def __iter__(self) -> Iterator[bytes]:
            yield from answer.parts()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for part in answer.parts():
                yield part

    return library.Response(answer.status, headers=list(answer.headers), stream=Parts())


class _Errand:
    """A call that is really to be sent: done where the user's code runs, awaited by the log."""

    def __init__(self) -> None:
        self.done: Future[HttpAnswer] = Future()

    def give(self, answer: HttpAnswer) -> None:
        """Hand over what came back."""
        if not self.done.cancelled():
            self.done.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Hand over why nothing came back."""
        if not self.done.cancelled():
            self.done.set_exception(error)


def _ask(
    log: CallLog, call: HttpCall, tell: Callable[["_Errand | None"], None]
) -> "Future[HttpAnswer]":
    """Let the log answer a call; `tell` is given the errand, if there is one, and None at the end.

    It is called on another thread.
    """

    async def send() -> HttpAnswer:
        errand = _Errand()
        tell(errand)
        return await asyncio.wrap_future(errand.done)

    future = asyncio.run_coroutine_threadsafe(log.ask(call, send), log.loop)
    future.add_done_callback(lambda _: tell(None))
    return future


def ask_from_thread(log: CallLog, call: HttpCall, send: Callable[[], HttpAnswer]) -> HttpAnswer:
    """Let the log answer a call of code that blocks; what must be sent is sent on this thread."""
    inbox: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
    future = _ask(log, call, inbox.put)
    try:
        while (errand := inbox.get()) is not None:
            try:
                errand.give(send())
            except Exception as error:  # noqa: BLE001 - the log hands it back to this very thread
                errand.fail(error)
        return future.result()
    finally:
        future.cancel()


async def ask_from_loop(
    log: CallLog, call: HttpCall, send: Callable[[], Awaitable[HttpAnswer]]
) -> HttpAnswer:
    """Let the log answer a call of a coroutine; what must be sent is sent on this loop."""
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        told = "`record_http` knows coroutines of asyncio alone; this code runs under another loop"
        raise RuntimeError(told) from None
    inbox: asyncio.Queue[_Errand | None] = asyncio.Queue()

    def tell(errand: _Errand | None) -> None:
        if not here.is_closed():
            here.call_soon_threadsafe(inbox.put_nowait, errand)

    future = _ask(log, call, tell)
    try:
        while (errand := await inbox.get()) is not None:
            try:
                errand.give(await send())
            except Exception as error:  # noqa: BLE001 - the log hands it back to this very code
                errand.fail(error)
        return future.result()
    finally:
        future.cancel()
