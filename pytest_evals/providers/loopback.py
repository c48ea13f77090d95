"""Loopback: a server on this machine that records the calls of programs to model APIs.

It serves calls that cannot be intercepted in this process: of programs, other languages and other
HTTP clients. Environment variables with the address of an API redirect them here. Each run of a
program has a separate address, which identifies its calls. Code in this process shares one address,
so it runs one trial at a time. Calls are forwarded with the application's API key, which is not
stored.
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
"""Seconds within which a connection to an API must open."""
_READ_BYTES = 64 * 1024
_HOP_HEADERS = frozenset(
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
"""Headers of a single connection, which are not forwarded."""
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_SHARED = "here"
"""The token of the address for code in this process."""


@dataclass(slots=True)
class _Client:
    """The log of the calls to one address, and their real APIs."""

    log: CallLog | None
    upstreams: dict[str, str]
    """Address prefixes of APIs, by the variable that had them."""


class Loopback:
    """Records calls and forwards them.

    Args:
        http: forwards the calls.
    """

    def __init__(self, http: HttpClients) -> None:
        self._http = http
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._clients: dict[str, _Client] = {}
        self._before: dict[str, str | None] = {}
        self._users = 0

    @property
    def url(self) -> str:
        """Its address; the port is bound on the first use."""
        if self._socket is None:
            self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def owns(self, url: str) -> bool:
        """Return whether an address belongs to this server."""
        return self._socket is not None and url.startswith(f"{self.url}/")

    def open(self, log: CallLog, upstreams: Mapping[str, str]) -> str:
        """Open an address for one log.

        Args:
            log: records the calls.
            upstreams: the addresses of the APIs, by variable.

        Returns:
            The token that identifies the address.
        """
        token = secrets.token_hex(8)
        self._clients[token] = _Client(log, dict(upstreams))
        return token

    def shut(self, token: str) -> None:
        """Close an address."""
        self._clients.pop(token, None)

    def environ(self, token: str, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that redirect to an address, bypassing proxies.

        Args:
            token: identifies the address.
            environ: the current variables.
        """
        variables = {name: f"{self.url}/{token}/{name}" for name in self._clients[token].upstreams}
        if any(name.lower() in _PROXIES for name in environ):
            for name in ("NO_PROXY", "no_proxy"):
                before = environ.get(name, "")
                variables[name] = f"{before},127.0.0.1" if before else "127.0.0.1"
        return variables

    def redirect_environ(self, upstreams: Mapping[str, str]) -> None:
        """Redirect code in this process; each call needs one call of `restore_environ`.

        Raises:
            AnswerError: of type ``target``: two models have different addresses for a variable.
        """
        client = self._clients.setdefault(_SHARED, _Client(None, {}))
        for name, upstream in upstreams.items():
            if client.upstreams.setdefault(name, upstream) != upstream:
                raise AnswerError(
                    "target",
                    f"`record_env` of another model says {name} is {client.upstreams[name]}, this "
                    f"one {upstream}; one process has one environment, so they must agree",
                )
        self._users += 1
        for name, url in self.environ(_SHARED, os.environ).items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = url

    def restore_environ(self) -> None:
        """Restore the variables with the last call."""
        self._users -= 1
        if self._users:
            return
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()

    def set_log(self, log: CallLog | None) -> None:
        """Set the log of the calls of code in this process; None rejects them."""
        self._clients[_SHARED].log = log

    async def serve(self) -> None:
        """Start serving, once."""
        if self._starting is None:
            # connections must not inherit the context of the first trial
            self._starting = asyncio.get_running_loop().create_task(
                self._serve(), context=contextvars.Context()
            )
        await asyncio.shield(self._starting)

    async def _serve(self) -> None:
        """Start serving."""
        assert self.url
        assert self._socket is not None
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def aclose(self) -> None:
        """Stop serving and close all connections."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await asyncio.sleep(0)  # aborted transports close their sockets in the next step

    def release(self) -> None:
        """Close the socket if serving has not started."""
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
        except asyncio.CancelledError:  # its trial or the session has ended
            connection.has_replied = False
        finally:
            self._connections.discard(task)
            if connection.has_replied:
                with suppress(OSError):
                    writer.close()
                    await writer.wait_closed()
            writer.transport.abort()

    async def _answer(self, call: HttpCall) -> HttpAnswer:
        """Answer a call by the log of its address."""
        token, _, rest = call.url.removeprefix("/").partition("/")
        variable, slash, rest = rest.partition("/")
        client = self._clients.get(token)
        upstream = None if client is None else client.upstreams.get(variable)
        if client is None or upstream is None or client.log is None:
            return _problem(410, "this address belonged to a trial that has ended")
        log, url = client.log, upstream.rstrip("/") + slash + rest
        forwarded = HttpCall(call.method, url, call.headers, call.body)

        async def send() -> HttpAnswer:
            return await self._send(forwarded)

        try:
            if log.wants(forwarded.method, forwarded.url):
                return await log.ask(forwarded, send)
            return await send()
        except httpx.HTTPError as error:
            return _problem(502, f"{type(error).__name__}: {error}")

    async def _send(self, call: HttpCall) -> HttpAnswer:
        """Forward a call."""
        headers = {name: value for name, value in call.headers.items() if name not in _HOP_HEADERS}
        async with self._http.client() as client:
            request = client.build_request(
                call.method,
                call.url,
                headers=headers,
                content=call.body,
                timeout=httpx.Timeout(None, connect=CONNECT_S),
            )
            response = await client.send(request)
        content_type = response.headers.get("content-type", "")
        return HttpAnswer(
            response.status_code,
            answer_headers(iter(response.headers.multi_items())),
            response.content,
            not_stored=None
            if is_text(content_type)
            else f"{content_type.partition(';')[0]} is passed on only",
        )


def _problem(status: int, message: str) -> HttpAnswer:
    """Return an error answer of this server."""
    body = httpx.Response(status, json={"error": {"type": "pytest_evals", "message": message}})
    return HttpAnswer(status, body=body.content)


class _Connection:
    """A connection of an application."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self.has_replied = False
        """Whether the answer to the last request was written."""

    async def request(self) -> HttpCall | None:
        """Read the next whole request; None if the connection has ended."""
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
        """Write an answer; an event stream is written by event."""
        streamed = answer.type == "text/event-stream"
        length = (
            ("transfer-encoding", "chunked")
            if streamed
            else ("content-length", str(len(answer.body)))
        )
        headers = [pair for pair in answer.headers if pair[0].lower() not in {"date", "keep-alive"}]
        head = h11.Response(status_code=answer.status, headers=[*headers, length])
        self._writer.write(self._http.send(head) or b"")
        for part in answer.parts():
            self._writer.write(self._http.send(h11.Data(data=part)) or b"")
            await self._writer.drain()
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        await self._writer.drain()
        self.has_replied = True

    def next(self) -> None:
        """Start the next exchange.

        Raises:
            h11.ProtocolError: the connection is not persistent.
        """
        self._http.start_next_cycle()
        self.has_replied = False
