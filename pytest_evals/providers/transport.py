"""HttpClientPool: lends the one HTTP client through which every call of a session goes.

Its policy: no redirect is followed, no cookie is kept, no ``.netrc`` is read, so that nothing but
what a provider sends reaches a server and one trial cannot change another. Proxies named by
``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are used, but never for this machine
itself. The pool belongs to the event loop that first uses it.
"""

import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any

import httpx

from pytest_evals.providers.direct import DirectTransport
from pytest_evals.providers.http_common import STRAIGHT


class HttpClientPool:
    """Lends HTTP clients to providers (see `HttpClients`).

    Args:
        transport: how requests travel; None is the network. Tests put in one that refuses.
    """

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = StraightClient(
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


class StraightClient(httpx.AsyncClient):
    """A client that hands a request marked as `STRAIGHT` to its transport and does nothing else.

    What httpx's client does around a request (cookies, redirects, sign-in, elapsed times) is not
    used here, and costs more than the transport. Any other request is sent as httpx sends it.

    Args:
        transport: how requests travel.
        options: httpx's own.
    """

    def __init__(self, *, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._way = transport

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request; the body of one that is sent straight is still to be read and closed."""
        if STRAIGHT not in request.extensions or self.is_closed:
            return await super().send(request, **options)
        response = await self._way.handle_async_request(request)
        response.request = request
        return response


class Routes(httpx.AsyncBaseTransport):
    """Sends each request directly, or through the proxy that the environment names for it."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        self._direct = DirectTransport(self._context)
        self._proxied: dict[str, ProxyTransport] = {}
        self._chosen: dict[tuple[str, str, int | None], httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request on its way."""
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host:
            raise httpx.UnsupportedProtocol(f"not an http or https address: {url}")
        place = (url.scheme, url.host, url.port)
        route = self._chosen.get(place)
        if route is None:
            route = self._chosen[place] = self._route(url)
        return await route.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        for transport in self._proxied.values():
            await transport.aclose()

    def _route(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        """Choose the way to a server."""
        proxy = proxy_for(url)
        if proxy is None:
            return self._direct
        if proxy not in self._proxied:
            self._proxied[proxy] = ProxyTransport(proxy, self._context())
        return self._proxied[proxy]

    def _context(self) -> ssl.SSLContext:
        """Make the TLS context once: it costs tens of milliseconds."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls


class ProxyTransport(httpx.AsyncBaseTransport):
    """Sends requests through a proxy, on one httpx transport for each call under way.

    httpx's own pool costs time in proportion to its connections, so each transport here holds one.

    Args:
        proxy: the proxy's address.
        tls: the TLS context for the servers behind it.
    """

    def __init__(self, proxy: str, tls: ssl.SSLContext) -> None:
        self._proxy = proxy
        self._tls = tls
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        transport = self._free.pop() if self._free else self._new()
        try:
            response = await transport.handle_async_request(request)
        except BaseException:
            self._free.append(transport)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Returning(response.stream, self._free, transport)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._all:
            await transport.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        """Make one more transport.

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


class _Returning(httpx.AsyncByteStream):
    """A body that gives its transport back when it is closed."""

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
        """Close the body, then give the transport back, once."""
        transport, self._transport = self._transport, None
        try:
            await self._stream.aclose()
        finally:
            if transport is not None:
                self._free.append(transport)


def proxy_for(url: httpx.URL) -> str | None:
    """Return the proxy that the environment names for an address; None for none.

    This machine itself (``localhost``, ``127.0.0.0/8``, ``::1``) is always reached directly.
    """
    if _is_loopback(url.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(f"{url.host}:{url.port}" if url.port else url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
