"""Loopback: a server on this machine through which programs reach their model APIs, recorded.

What cannot be intercepted inside this process (programs, other languages, other HTTP clients) is
led here by the variables from which it reads where its API is. Each run of a program has an address
of its own, so its calls are told apart; code in this process has one, so it runs one at a time.
Calls travel on with the application's own key, which is kept nowhere.
"""

import asyncio
import contextvars
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import h11
import httpx

from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers.base import HttpClients
from pytest_evals.providers.http_calls import HttpAnswer, HttpCall, answer_headers, is_text
from pytest_evals.providers.recording import CallLog

CONNECT_S = 15.0
"""The most seconds that opening a connection to an API may take."""
_READ_BYTES = 64 * 1024
_HOP = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that speak of one connection only."""
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_SHARED = "here"
"""The name of the address that code in this process has."""


@dataclass(slots=True)
class _Desk:
    """Whose calls come by one address, and where they go on to."""

    log: CallLog | None
    upstreams: dict[str, str]
    """The beginning of an API's address, by the variable that held it."""


class Loopback:
    """Records the calls that come to it and sends them on.

    Args:
        http: sends them on.
    """

    def __init__(self, http: HttpClients) -> None:
        self._http = http
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._desks: dict[str, _Desk] = {}
        self._before: dict[str, str | None] = {}
        self._users = 0

    @property
    def url(self) -> str:
        """Its address; bound with the first question for it."""
        if self._socket is None:
            self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def owns(self, url: str) -> bool:
        """Whether an address is one of its own."""
        return self._socket is not None and url.startswith(f"{self.url}/")

    def open(self, log: CallLog, upstreams: Mapping[str, str]) -> str:
        """Open an address for one log.

        Args:
            log: records what comes.
            upstreams: where the APIs are, by the variables that hold their addresses.

        Returns:
            What tells the address apart.
        """
        token = secrets.token_hex(8)
        self._desks[token] = _Desk(log, dict(upstreams))
        return token

    def shut(self, token: str) -> None:
        """Close an address."""
        self._desks.pop(token, None)

    def environ(self, token: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that lead to an address, past any proxy.

        Args:
            token: tells the address apart.
            environ: the variables there are.
        """
        led = {name: f"{self.url}/{token}/{name}" for name in self._desks[token].upstreams}
        if any(name.lower() in _PROXIES for name in environ):
            for name in ("NO_PROXY", "no_proxy"):
                before = environ.get(name, "")
                led[name] = f"{before},127.0.0.1" if before else "127.0.0.1"
        return led

    def take_environ(self, upstreams: Mapping[str, str]) -> None:
        """Lead this process's own code here, until as many calls of `give_environ`.

        Raises:
            AnswerError: of type ``target``: a variable is to lead to two places.
        """
        desk = self._desks.setdefault(_SHARED, _Desk(None, {}))
        for name, upstream in upstreams.items():
            if desk.upstreams.setdefault(name, upstream) != upstream:
                raise AnswerError(
                    "target",
                    f"`record_env` of another model says {name} is {desk.upstreams[name]}, this "
                    f"one {upstream}; one process has one environment, so they must agree",
                )
        self._users += 1
        for name, url in self.environ(_SHARED, os.environ).items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = url

    def give_environ(self) -> None:
        """Put the variables back, with the last user."""
        self._users -= 1
        if self._users:
            return
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()

    def lead_environ(self, log: CallLog | None) -> None:
        """Say whose the calls of this process's own code are from now on; None for nobody's."""
        self._desks[_SHARED].log = log

    async def serve(self) -> None:
        """Begin to serve, once."""
        if self._starting is None:
            # connections must not inherit the trial that happens to come first
            self._starting = asyncio.get_running_loop().create_task(
                self._serve(), context=contextvars.Context()
            )
        await asyncio.shield(self._starting)

    async def _serve(self) -> None:
        """Begin to serve."""
        assert self.url
        assert self._socket is not None
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def aclose(self) -> None:
        """Stop serving, and end what is still connected."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await asyncio.sleep(0)  # transports that were aborted let go of their sockets now

    def release(self) -> None:
        """Let go of its address, where it did not come to serving."""
        if self._socket is not None and self._server is None:
            self._socket.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        connection = _Connection(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while (call := await connection.request()) is not None:
                await connection.reply(await self._answer(call))
                connection.next()
        except (OSError, h11.ProtocolError):
            pass
        except asyncio.CancelledError:  # its trial has ended, or the session: nobody waits for it
            connection.over = False
        finally:
            self._connections.discard(task)
            if connection.over:
                with suppress(OSError):
                    writer.close()
                    await writer.wait_closed()
            writer.transport.abort()

    async def _answer(self, call: HttpCall) -> HttpAnswer:
        """Find out whose a call is and answer it."""
        token, _, rest = call.url.removeprefix("/").partition("/")
        variable, slash, rest = rest.partition("/")
        desk = self._desks.get(token)
        upstream = None if desk is None else desk.upstreams.get(variable)
        if desk is None or upstream is None or desk.log is None:
            return _problem(410, "this address led to a trial that has ended")
        log, url = desk.log, upstream.rstrip("/") + slash + rest
        onward = HttpCall(call.method, url, call.headers, call.body)

        async def send() -> HttpAnswer:
            return await self._send(onward)

        try:
            if log.wants(onward.method, onward.url):
                return await log.ask(onward, send)
            return await send()
        except httpx.HTTPError as error:
            return _problem(502, f"{type(error).__name__}: {error}")

    async def _send(self, call: HttpCall) -> HttpAnswer:
        """Send a call on."""
        headers = {name: value for name, value in call.headers.items() if name not in _HOP}
        async with self._http.client() as client:
            request = client.build_request(
                call.method,
                call.url,
                headers=headers,
                content=call.body,
                timeout=httpx.Timeout(None, connect=CONNECT_S),
            )
            response = await client.send(request)
        kind = response.headers.get("content-type", "")
        return HttpAnswer(
            response.status_code,
            answer_headers(iter(response.headers.multi_items())),
            response.content,
            unkept=None if is_text(kind) else f"{kind.partition(';')[0]} is only handed on",
        )


def _problem(status: int, message: str) -> HttpAnswer:
    """Make an answer of our own."""
    body = httpx.Response(status, json={"error": {"type": "pytest_evals", "message": message}})
    return HttpAnswer(status, body=body.content)


class _Connection:
    """One connection of an application."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self.over = False
        """Whether an answer was written that is the last one here."""

    async def request(self) -> HttpCall | None:
        """Read the next request, whole; None where there is none any more."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._writer.write(self._http.send(go_on) or b"")
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in head.headers}
                method, target = head.method.decode(), head.target.decode("latin-1")
                return HttpCall(method, target, headers, bytes(body))
            else:
                return None

    async def reply(self, answer: HttpAnswer) -> None:
        """Write an answer, an event stream event by event."""
        streamed = answer.type == "text/event-stream"
        own = (
            ("transfer-encoding", "chunked")
            if streamed
            else ("content-length", str(len(answer.body)))
        )
        dated = [pair for pair in answer.headers if pair[0].lower() not in {"date", "keep-alive"}]
        head = h11.Response(status_code=answer.status, headers=[*dated, own])
        self._writer.write(self._http.send(head) or b"")
        for part in answer.parts():
            self._writer.write(self._http.send(h11.Data(data=part)) or b"")
            await self._writer.drain()
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        await self._writer.drain()
        self.over = True

    def next(self) -> None:
        """Begin the next exchange, where the connection is kept.

        Raises:
            h11.ProtocolError: it is not.
        """
        self._http.start_next_cycle()
        self.over = False
