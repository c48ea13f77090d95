"""One HTTP call and its reply: what all providers that call servers share.

A call is sent once: no redirect is followed, nothing is retried. The reply is read up to a limit.
"""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Self, cast

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.version import __version__
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.error_mapping import map_error
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.parsing import parse_json, quote

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 32 * 1024 * 1024
"""The largest response body that is read, decompressed."""
TRANSPORT_ONLY = "transport_only"
"""The extension of a request that needs its transport and none of the features of httpx's client:
cookies, redirects, authentication."""
CONNECT_S = 15.0
"""Seconds within which a connection must open."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call, to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    endpoint: str
    """The model and its address, for messages; holds no secret."""
    timeout_s: float | None = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one HTTP call, read to its end."""

    status: int
    headers: Headers
    body: bytes
    latency_s: float
    """Seconds from sending to the last byte."""
    endpoint: str
    """The model and its address, for messages."""

    def raise_for_status(self, key: str | None = None) -> Self:
        """Return the reply if its status is a success.

        Args:
            key: the environment variable with the API key, if one was sent; for the message.

        Raises:
            AnswerError: of the type that the status and the body mean.
        """
        if 200 <= self.status < 300:
            return self
        raise self.error(key)

    def error(self, key: str | None = None, error: object = None) -> AnswerError:
        """Return the error that the reply describes.

        Args:
            key: the environment variable with the API key, if one was sent; for the message.
            error: the error inside the body, if it is known.
        """
        return map_error(
            self.status, self.headers, self.body, endpoint=self.endpoint, key=key, error=error
        )

    def json(self) -> Json:
        """Parse the body as JSON.

        Raises:
            AnswerError: of type ``malformed``. It is transient: such a reply comes more often from
                a server in trouble than from a wrong configuration.
        """
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise self.malformed(f"with what is not JSON ({error})") from None

    def malformed(self, problem: str, *, transient: bool = True) -> AnswerError:
        """Return the error for a reply that cannot be parsed.

        Args:
            problem: what is wrong with it; follows "answered 200" in the message.
            transient: whether a retry may help.
        """
        text = self.body[:2000].decode("utf-8", "replace")
        content_type = self.headers.get("content-type", "no content type")
        return AnswerError(
            "malformed",
            f"{self.endpoint} answered {self.status} {problem}: {content_type}, {quote(text)}",
            status=self.status,
            transient=transient,
            detail=text,
        )


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
    """Read a body up to the limit."""
    body = bytearray()
    compressed = any(name.lower() == b"content-encoding" for name, _ in response.headers.raw)
    parts = response.aiter_bytes() if compressed else cast("AsyncIterable[bytes]", response.stream)
    async for part in parts:
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise AnswerError(
                "malformed",
                f"{call.endpoint} answered with more than {MAX_BODY_BYTES // 1024**2} MB; "
                "the rest was not read",
                status=response.status_code,
            )
    return bytes(body)
