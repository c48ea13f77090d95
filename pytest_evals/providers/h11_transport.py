"""H11Transport: an HTTP/1.1 transport for httpx on asyncio, for many concurrent calls.

The time that httpx's own pool takes for a request grows with its connections. This transport has
httpx's interface and supports what calls to models need: HTTP/1.1, TLS and persistent connections.
h11 implements the protocol. A transport belongs to one event loop, uses no proxy and does not limit
connections: the engine limits the calls.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from time import monotonic
from typing import Any

import h11
import httpx

IDLE_S = 4.0
"""Seconds that an idle connection is kept. Common servers close it after 5 s."""
MAX_HEAD_BYTES = 256 * 1024
"""Maximum size of the headers of a response, or of one line of its chunked body."""
_READ_BYTES = 64 * 1024
_Origin = tuple[str, str, int]


class H11Transport(httpx.AsyncBaseTransport):
    """Sends requests over its own connections.

    A connection is reused after its response was read to the end. A cancelled or failed call closes
    its connection.

    Args:
        tls: creates the TLS context, for the first call to an ``https`` address.
    """

    def __init__(self, tls: Callable[[], ssl.SSLContext] = httpx.create_ssl_context) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._busy: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response with an unread body.

        Raises:
            httpx.TransportError: no connection, a timeout, or a reply that is not HTTP.
        """
        timeouts = request.extensions.get("timeout", {})
        connection = self._reused(_origin(request.url))
        if connection is None:
            connection = await self._connected(_origin(request.url), timeouts.get("connect"))
        self._busy.add(connection)
        try:
            with _as_httpx_errors(request):
                await connection.send(request, timeouts.get("write"))
                head = await connection.head(timeouts.get("read"))
        except BaseException:
            self._drop(connection)
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(self, connection, request, timeouts.get("read")),
            extensions={"http_version": b"HTTP/" + head.http_version},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        connections = [*self._busy, *(c for idle in self._idle.values() for c in idle)]
        self._busy.clear()
        self._idle.clear()
        for connection in connections:
            connection.close()
        for connection in connections:
            await connection.closed()

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection if its exchange is complete, otherwise close it."""
        if connection not in self._busy:
            return
        if not connection.start_over():
            self._drop(connection)
            return
        self._busy.discard(connection)
        self._idle.setdefault(connection.origin, []).append(connection)

    def _reused(self, origin: _Origin) -> "_Connection | None":
        """Return the most recently used connection; close those that are too old."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.close()
        return None

    def _drop(self, connection: "_Connection") -> None:
        """Close a connection whose exchange is not complete."""
        self._busy.discard(connection)
        connection.close()

    async def _connected(self, origin: _Origin, limit_s: float | None) -> "_Connection":
        """Open a connection."""
        scheme, host, port = origin
        context = self._context() if scheme == "https" else None
        try:
            async with asyncio.timeout(limit_s):
                reader, writer = await _open(host, port, context)
        except TimeoutError:
            within = "" if limit_s is None else f" within {limit_s:g} s"
            raise httpx.ConnectTimeout(f"no connection{within}") from None
        except (OSError, ssl.CertificateError, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            if "Connect call failed" in reason:
                reason = "connection refused (is the server running?)"
            raise httpx.ConnectError(reason) from error
        return _Connection(origin, reader, writer)

    def _context(self) -> ssl.SSLContext:
        """Create the TLS context once: it takes tens of milliseconds."""
        if self._tls is None:
            self._tls = self._make_tls()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class _CountingReader(asyncio.StreamReader):
    """A reader that counts what it received."""

    received = 0
    """Bytes."""

    def feed_data(self, data: Any) -> None:
        """Take bytes from the socket."""
        self.received += len(data)
        super().feed_data(data)


async def _open(
    host: str, port: int, context: ssl.SSLContext | None
) -> tuple[_CountingReader, asyncio.StreamWriter]:
    """Open a connection, as `asyncio.open_connection` does, with a reader that counts."""
    loop = asyncio.get_running_loop()
    reader = _CountingReader(limit=MAX_HEAD_BYTES, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(
        lambda: protocol, host, port, ssl=context, server_hostname=host if context else None
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Connection:
    """A connection to a server, for consecutive exchanges."""

    def __init__(
        self, origin: _Origin, reader: _CountingReader, writer: asyncio.StreamWriter
    ) -> None:
        self.origin = origin
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._idle_since = 0.0
        self._taken = 0

    async def send(self, request: httpx.Request, limit_s: float | None) -> None:
        """Write a request; the headers and the first part of the body are one write."""
        head = _head(request.method, request.url.raw_path, tuple(request.headers.raw))
        data = self._http.send(head) or b""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for part in request.stream:
            self._writer.write(data + (self._http.send(h11.Data(data=part)) or b""))
            data = b""
            if self._writer.transport.get_write_buffer_size():
                async with asyncio.timeout(limit_s):
                    await self._writer.drain()
        data += self._http.send(h11.EndOfMessage()) or b""
        if data:
            self._writer.write(data)

    async def head(self, limit_s: float | None) -> h11.Response:
        """Read the headers of the response."""
        while True:
            event = await self._event(limit_s)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise httpx.RemoteProtocolError("the server did not answer with a response")

    async def body(self, limit_s: float | None) -> AsyncIterator[bytes]:
        """Yield the parts of the body."""
        while True:
            event = await self._event(limit_s)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.PAUSED):
                return

    async def _event(self, limit_s: float | None) -> "h11.Event | type[h11.PAUSED]":
        """Return the next event of the protocol."""
        while True:
            event = self._http.next_event()
            if event is h11.PAUSED or isinstance(event, h11.Event):
                return event
            async with asyncio.timeout(limit_s):
                data = await self._reader.read(_READ_BYTES)
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise httpx.ReadError("the server closed the connection without a reply")
            self._taken += len(data)
            self._http.receive_data(data)

    def start_over(self) -> bool:
        """Prepare for the next exchange; return False if there can be none."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        if self._http.trailing_data[0] or self._has_unread():
            return False
        self._http.start_next_cycle()
        self._idle_since = monotonic()
        return True

    def usable(self) -> bool:
        """Return whether the connection can be reused."""
        return (
            monotonic() - self._idle_since < IDLE_S
            and not self._has_unread()
            and not self._reader.at_eof()
            and not self._writer.is_closing()
            and self._reader.exception() is None
        )

    def _has_unread(self) -> bool:
        """Whether bytes came that no request asked for: they are no answer to the next one."""
        return self._reader.received != self._taken

    def close(self) -> None:
        """Close at once and discard unwritten data."""
        self._writer.transport.abort()

    async def closed(self) -> None:
        """Wait until it is closed."""
        with suppress(OSError):
            await self._writer.wait_closed()


class _Body(httpx.AsyncByteStream):
    """The body of a response; returns its connection when it is closed."""

    def __init__(
        self,
        transport: H11Transport,
        connection: _Connection,
        request: httpx.Request,
        limit_s: float | None,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._request = request
        self._limit_s = limit_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors(self._request):
            async for part in self._connection.body(self._limit_s):
                yield part

    async def aclose(self) -> None:
        """Return the connection."""
        self._transport.give_back(self._connection)


@contextmanager
def _as_httpx_errors(request: httpx.Request) -> Iterator[None]:
    """Convert errors of sockets and of the protocol to httpx's errors."""
    try:
        yield
    except httpx.TransportError:
        raise
    except TimeoutError:
        raise httpx.ReadTimeout("the server sent nothing in time", request=request) from None
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error), request=request) from error
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error), request=request) from error
    except OSError as error:
        text = str(error) or type(error).__name__
        raise httpx.ReadError(text, request=request) from error


@lru_cache(maxsize=256)
def _head(method: str, target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> h11.Request:
    """Create the head of a request, cached: the requests of a model often have equal heads."""
    return h11.Request(method=method, target=target, headers=list(headers))


def _origin(url: httpx.URL) -> _Origin:
    """Return the scheme, host and port of a URL."""
    port = url.port or (443 if url.scheme == "https" else 80)
    return url.scheme, url.host, port
