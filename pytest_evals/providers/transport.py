"""HttpClientPool: lends the HTTP client that sends every call of a session.

No redirect is followed, no cookie is kept and no ``.netrc`` is read. A server receives only what a
provider sends, and one trial cannot change another. The proxies of ``HTTP_PROXY``,
``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are used, but never for this machine itself. The
pool belongs to the event loop that first uses it.
"""

import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any

import httpx

from pytest_evals.providers.h11_transport import H11Transport
from pytest_evals.providers.http_common import TRANSPORT_ONLY


class HttpClientPool:
    """Lends HTTP clients to providers (see `HttpClients`).

    Args:
        transport: sends the requests; None is the network. Tests pass one that refuses.
    """

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = TransportClient(
            transport=Routes() if transport is None else transport,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a client for one call."""
        yield self._client

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


class TransportClient(httpx.AsyncClient):
    """A client that passes requests marked `TRANSPORT_ONLY` to its transport and does no more.

    The features of httpx's client (cookies, redirects, authentication, elapsed times) are not used
    by providers and cost more time than the transport. Other requests are sent as httpx sends them.

    Args:
        transport: sends the requests.
        options: of httpx's client.
    """

    def __init__(self, *, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._sender = transport

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request; the caller reads and closes the body of one marked `TRANSPORT_ONLY`."""
        if TRANSPORT_ONLY not in request.extensions or self.is_closed:
            return await super().send(request, **options)
        response = await self._sender.handle_async_request(request)
        response.request = request
        return response


class Routes(httpx.AsyncBaseTransport):
    """Sends each request directly, or through the proxy that the environment sets for it."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        self._direct = H11Transport(self._context)
        self._proxied: dict[str, ProxyTransport] = {}
        self._routes: dict[tuple[str, str, int | None], httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host:
            raise httpx.UnsupportedProtocol(f"not an http or https address: {url}")
        origin = (url.scheme, url.host, url.port)
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = self._route(url)
        return await route.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        for transport in self._proxied.values():
            await transport.aclose()

    def _route(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        """Choose the transport for a server."""
        proxy = proxy_for(url)
        if proxy is None:
            return self._direct
        if proxy not in self._proxied:
            self._proxied[proxy] = ProxyTransport(proxy, self._context())
        return self._proxied[proxy]

    def _context(self) -> ssl.SSLContext:
        """Create the TLS context once: it takes tens of milliseconds."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls


class ProxyTransport(httpx.AsyncBaseTransport):
    """Sends requests through a proxy, on one httpx transport for each call in flight.

    The time that httpx's pool takes grows with its connections, so each transport holds one.

    Args:
        proxy: the proxy's address.
        tls: the TLS context for the servers.
    """

    def __init__(self, proxy: str, tls: ssl.SSLContext) -> None:
        self._proxy = proxy
        self._tls = tls
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        transport = self._free.pop() if self._free else self._create()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            self._free.append(transport)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _ProxiedBody(response.stream, self._free, transport)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._all:
            await transport.aclose()

    def _create(self) -> httpx.AsyncHTTPTransport:
        """Create one more transport.

        Raises:
            httpx.ProxyError: the proxy cannot be used (a SOCKS proxy without its package).
        """
        try:
            transport = httpx.AsyncHTTPTransport(
                proxy=self._proxy, verify=self._tls, trust_env=False
            )
        except (ImportError, ValueError) as error:
            raise httpx.ProxyError(f"the proxy of the environment: {error}") from error
        self._all.append(transport)
        return transport


class _ProxiedBody(httpx.AsyncByteStream):
    """A body that returns its transport when it is closed."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        free: list[httpx.AsyncHTTPTransport],
        transport: httpx.AsyncHTTPTransport,
    ) -> None:
        self._stream = stream
        self._free = free
        self._transport: httpx.AsyncHTTPTransport | None = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        """Close the body, then return the transport, once."""
        transport, self._transport = self._transport, None
        try:
            await self._stream.aclose()
        finally:
            if transport is not None:
                self._free.append(transport)


def proxy_for(url: httpx.URL) -> str | None:
    """Return the proxy that the environment sets for an address; None if it sets none.

    This machine (``localhost``, ``127.0.0.0/8``, ``::1``) is always reached directly.
    """
    if _is_loopback(url.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
