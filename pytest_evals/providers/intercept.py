"""Interception: the calls that SDKs make with httpx in this process are recorded by trial.

While installed, the transports of httpx (and of httpx2, which newer SDKs use) first check whether
the calling code is recorded. Other calls are unchanged. Threads that recorded code starts belong to
its trial.
"""

import asyncio
import contextvars
import functools
import http.client
import importlib
import queue
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
_AIOHTTP = "aiohttp"
_is_sending: contextvars.ContextVar[bool] = contextvars.ContextVar("evals_sending", default=False)
"""Whether a call is being sent that is recorded: its own transport may use another client."""
Stray = Callable[[str, str], HttpAnswer | None]
"""Checks a call (method and address) outside of trials; an answer replaces sending it."""

_lock = threading.Lock()
_users: list[Stray] = []
_undo: dict[tuple[type, str], Any] = {}


def install(stray: Stray) -> None:
    """Patch httpx; each call needs one call of `remove`.

    Args:
        stray: checks calls outside of trials, such as those of threads that existed before.
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
        if find_spec(_AIOHTTP) is not None:  # the code may import it in its first call
            importlib.import_module(_AIOHTTP)
        _replace(http.client.HTTPConnection, "putrequest", _putrequest)
        _replace(threading.Thread, "start", _start)
        _replace(ThreadPoolExecutor, "submit", _submit)


def look_again() -> None:
    """Patch what was imported since `install`: transports over aiohttp, and aiohttp itself."""
    with _lock:
        if not _users:
            return
        for name in _LIBRARIES:
            library = sys.modules.get(name)
            for transport in _aiohttp_transports(library):
                if (transport, "handle_async_request") not in _undo:
                    _replace(transport, "handle_async_request", _async(library))
        session = getattr(sys.modules.get("aiohttp"), "ClientSession", None)
        if session is not None and (session, "_request") not in _undo:
            _replace(session, "_request", _aiohttp_request)


def _aiohttp_transports(library: Any) -> Iterator[type]:
    """Yield the transports of httpx that send by aiohttp; SDKs have their own."""
    classes = [] if library is None else library.AsyncBaseTransport.__subclasses__()
    while classes:
        transport = classes.pop()
        classes += transport.__subclasses__()
        is_aiohttp = _AIOHTTP in f"{transport.__module__}.{transport.__name__}".lower()
        if is_aiohttp and "handle_async_request" in vars(transport):
            yield transport


def remove(stray: Stray) -> None:
    """Restore httpx with the last `remove`."""
    with _lock:
        _users.remove(stray)
        if not _users:
            for (owner, name), original in _undo.items():
                setattr(owner, name, original)
            _undo.clear()


def _replace(owner: type, name: str, make: Callable[[Any], Any]) -> None:
    """Replace a method with its wrapper."""
    original = getattr(owner, name)
    _undo[owner, name] = original
    setattr(owner, name, functools.wraps(original)(make(original)))


@contextmanager
def _sending_recorded() -> Iterator[None]:
    """Send a recorded call in a block."""
    token = _is_sending.set(True)
    try:
        yield
    finally:
        _is_sending.reset(token)


def _check_unrecorded(method: str, url: str, client: str) -> None:
    """Tell the log of a call that is not recorded, as its client is none of httpx's.

    Raises:
        ConnectionRefusedError: in a replay.
    """
    log = current()
    if log is not None and not _is_sending.get() and log.wants(method, url):
        log.miss(method, url, client)


def _putrequest(original: Any) -> Any:
    """Wrap `http.client`, which urllib, requests and urllib3 use."""

    def putrequest(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        if current() is not None:
            scheme = "https" if self.default_port == 443 else "http"
            address = url if "://" in url else f"{scheme}://{self.host}:{self.port}{url}"
            _check_unrecorded(method, address, "http.client (urllib, requests)")
        return original(self, method, url, *args, **options)

    return putrequest


def _aiohttp_request(original: Any) -> Any:
    """Wrap aiohttp."""

    async def request(self: Any, method: str, url: Any, *args: Any, **options: Any) -> Any:
        if current() is not None:
            _check_unrecorded(method, str(self._build_url(url)), "aiohttp")
        return await original(self, method, url, *args, **options)

    return request


def _stray(request: Any) -> HttpAnswer | None:
    """Check a call outside of trials. Those of the main thread are the tests' own."""
    if threading.current_thread() is threading.main_thread():
        return None
    answers = (stray(request.method, str(request.url)) for stray in tuple(_users))
    return next((answer for answer in answers if answer is not None), None)


def _start(original: Any) -> Any:
    """Wrap `Thread.start`: the thread belongs to the trial whose code starts it."""

    def start(self: threading.Thread) -> None:
        if current() is not None:
            context, run = contextvars.copy_context(), self.run
            self.run = lambda: context.run(run)  # type: ignore[method-assign]
        original(self)

    return start


def _submit(original: Any) -> Any:
    """Wrap `submit` of an executor: the job belongs to the trial whose code submits it."""

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        if current() is not None:
            fn = functools.partial(contextvars.copy_context().run, fn)
        return original(self, fn, *args, **kwargs)

    return submit


def _sync(library: Any) -> Callable[[Any], Any]:
    """Return the wrapper of a transport's ``handle_request``."""

    def make(original: Any) -> Any:
        def handle_request(self: Any, request: Any) -> Any:
            log = current()
            if log is None and (refused := _stray(request)) is not None:
                return _response(library, refused, [])
            if log is None or _is_sending.get() or not log.wants(request.method, str(request.url)):
                return original(self, request)
            body = request.read()
            unread: list[Any] = []

            def send() -> HttpAnswer:
                with _sending_recorded():
                    response = original(self, request)
                answer = _head(response)
                if answer.not_stored is not None:
                    unread.append(response)
                    return answer
                try:
                    return HttpAnswer(answer.status, answer.headers, response.read())
                finally:
                    response.close()

            answer = ask_from_thread(log, _call(request, body), send)
            return _response(library, answer, unread)

        return handle_request

    return make


def _async(library: Any) -> Callable[[Any], Any]:
    """Return the wrapper of a transport's ``handle_async_request``."""

    def make(original: Any) -> Any:
        async def handle_async_request(self: Any, request: Any) -> Any:
            log = current()
            if log is None and (refused := _stray(request)) is not None:
                return _response(library, refused, [])
            if log is None or _is_sending.get() or not log.wants(request.method, str(request.url)):
                return await original(self, request)
            body = await request.aread()
            unread: list[Any] = []

            async def send() -> HttpAnswer:
                with _sending_recorded():
                    response = await original(self, request)
                answer = _head(response)
                if answer.not_stored is not None:
                    unread.append(response)
                    return answer
                try:
                    return HttpAnswer(answer.status, answer.headers, await response.aread())
                finally:
                    await response.aclose()

            answer = await ask_from_loop(log, _call(request, body), send)
            return _response(library, answer, unread)

        return handle_async_request

    return make


def _call(request: Any, body: bytes) -> HttpCall:
    """Return the call of an httpx request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpCall(request.method, str(request.url), headers, body)


def _head(response: Any) -> HttpAnswer:
    """Return the answer of an httpx response without its body, and whether to store it."""
    content_type = response.headers.get("content-type", "")
    ok = response.status_code < 400
    not_stored = (
        f"{content_type.partition(';')[0]} is passed on as a stream"
        if not is_text(content_type) and ok
        else None
    )
    headers = answer_headers(iter(response.headers.multi_items()))
    return HttpAnswer(response.status_code, headers, not_stored=not_stored)


def _response(library: Any, answer: HttpAnswer, unread: list[Any]) -> Any:
    """Return the httpx response of an answer; an unread response is passed on."""
    if answer.not_stored is not None and unread:
        return unread[0]

    class Parts(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        """The body, in parts."""

        def __iter__(self) -> Iterator[bytes]:
            yield from answer.parts()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for part in answer.parts():
                yield part

    return library.Response(answer.status, headers=list(answer.headers), stream=Parts())


class _Sending:
    """A call to send where the user code runs, while the log awaits its answer."""

    def __init__(self) -> None:
        self.done: Future[HttpAnswer] = Future()

    def set_answer(self, answer: HttpAnswer) -> None:
        """Set the answer."""
        if not self.done.cancelled():
            self.done.set_result(answer)

    def set_error(self, error: BaseException) -> None:
        """Set the exception."""
        if not self.done.cancelled():
            self.done.set_exception(error)


def _ask(
    log: CallLog, call: HttpCall, notify: Callable[["_Sending | None"], None]
) -> "Future[HttpAnswer]":
    """Let the log answer a call.

    Args:
        log: answers the call on its event loop, in another thread.
        call: the call.
        notify: receives the call to send, if the log has no answer, and None at the end.
    """

    async def send() -> HttpAnswer:
        sending = _Sending()
        notify(sending)
        return await asyncio.wrap_future(sending.done)

    future = asyncio.run_coroutine_threadsafe(log.ask(call, send), log.loop)
    future.add_done_callback(lambda _: notify(None))
    return future


def ask_from_thread(log: CallLog, call: HttpCall, send: Callable[[], HttpAnswer]) -> HttpAnswer:
    """Let the log answer a call of blocking code; a call to send is sent on this thread."""
    inbox: queue.SimpleQueue[_Sending | None] = queue.SimpleQueue()
    future = _ask(log, call, inbox.put)
    try:
        while (sending := inbox.get()) is not None:
            try:
                sending.set_answer(send())
            except Exception as error:  # noqa: BLE001 - the log raises it in this thread
                sending.set_error(error)
        return future.result()
    finally:
        future.cancel()


async def ask_from_loop(
    log: CallLog, call: HttpCall, send: Callable[[], Awaitable[HttpAnswer]]
) -> HttpAnswer:
    """Let the log answer a call of a coroutine; a call to send is sent on this loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        message = "`record_http` supports asyncio only; this code runs under another event loop"
        raise RuntimeError(message) from None
    inbox: asyncio.Queue[_Sending | None] = asyncio.Queue()

    def notify(sending: _Sending | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(inbox.put_nowait, sending)

    future = _ask(log, call, notify)
    try:
        while (sending := await inbox.get()) is not None:
            try:
                sending.set_answer(await send())
            except Exception as error:  # noqa: BLE001 - the log raises it in this code
                sending.set_error(error)
        return future.result()
    finally:
        future.cancel()
