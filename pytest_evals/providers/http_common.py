"""Send one HTTP call and read its reply, for all providers that call servers.

A call is sent once: no redirect is followed, nothing is retried. The reply is read up to a limit.
"""

import asyncio
from collections.abc import AsyncIterable
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, cast

from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.version import __version__
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.http_messages import Call, Reply
from pytest_evals.providers.unpacking import TooLargeError, Unpacker, UnpackingError

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 32 * 1024 * 1024
"""The largest response body that is read, decompressed."""
TRANSPORT_ONLY = "transport_only"
"""The extension of a request that needs its transport and none of the features of httpx's client:
cookies, redirects, authentication."""
CONNECT_S = 15.0
"""Seconds within which a connection must open."""


async def send(context: ProviderContext, call: Call) -> Reply:
    """Send a call and read the whole reply, whatever its status.

    Raises:
        AnswerError: ``connection``, ``timeout`` (also of a reply that stalls), or ``malformed``
            (truncated, not HTTP, wrongly compressed, too large).
    """
    import httpx

    request = _request(call)
    started = monotonic()
    try:
        async with context.http.client() as client:
            response = await client.send(request, stream=True)
            try:
                body = await _read(response, call)
            finally:
                await response.aclose()
    except httpx.TimeoutException as error:
        missing = "no connection" if isinstance(error, httpx.ConnectTimeout) else "no answer"
        raise AnswerError("timeout", f"{call.endpoint} gave {missing} in time") from None
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise AnswerError(
            "malformed",
            f"{call.endpoint} gave a reply that cannot be read: {error}",
            transient=True,
        ) from None
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.ProxyError) as error:
        raise AnswerError("invalid_request", f"{call.endpoint} cannot be called: {error}") from None
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise AnswerError("connection", f"{call.endpoint} cannot be reached: {reason}") from None
    headers = Headers(response.headers.multi_items())
    return Reply(response.status_code, headers, body, monotonic() - started, call.endpoint)


def _request(call: Call) -> "httpx.Request":
    """Build httpx's request.

    Raises:
        AnswerError: of type ``invalid_request``: an invalid address.
    """
    import httpx

    limit = call.timeout_s
    connect = min(limit or CONNECT_S, CONNECT_S)
    try:
        url = _parse_url(call.url)
        if call.query:
            url = url.copy_merge_params(dict(call.query))
        headers = {
            "host": url.netloc.decode("ascii"),
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "user-agent": f"pytest-evals/{__version__}",
        }
        headers.update((name.lower(), value) for name, value in call.headers.items())
        if call.body or call.method in _WITH_BODY:
            headers["content-length"] = str(len(call.body))
        return httpx.Request(
            call.method,
            url,
            headers=headers,
            stream=httpx.ByteStream(call.body),
            extensions={
                "timeout": {"connect": connect, "read": limit, "write": limit, "pool": None},
                TRANSPORT_ONLY: True,
            },
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise AnswerError("invalid_request", f"{call.endpoint} cannot be called: {error}") from None


_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a content length even without a body."""


@lru_cache(maxsize=256)
def _parse_url(url: str) -> "httpx.URL":
    """Parse an address; most calls share one."""
    import httpx

    return httpx.URL(url)


async def _read(response: "httpx.Response", call: Call) -> bytes:
    """Read a body up to the limit; a compressed one is cut off while it unpacks."""
    named = response.headers.get_list("content-encoding", split_commas=True)
    body = bytearray()
    try:
        unpacker = Unpacker(named, MAX_BODY_BYTES) if named else None
        async for part in cast("AsyncIterable[bytes]", response.stream):
            for piece in (part,) if unpacker is None else unpacker.feed(part):
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise TooLargeError
                if unpacker is not None and len(piece) > len(part):
                    await asyncio.sleep(0)  # other calls go on while much is unpacked
        if unpacker is not None:
            unpacker.finish()
    except TooLargeError:
        raise AnswerError(
            "malformed",
            f"{call.endpoint} answered with more than {MAX_BODY_BYTES // 1024**2} MB; "
            "the rest was not read",
            status=response.status_code,
        ) from None
    except UnpackingError as error:
        raise AnswerError(
            "malformed",
            f"{call.endpoint} gave a reply that cannot be read: {error}",
            transient=True,
        ) from None
    return bytes(body)
