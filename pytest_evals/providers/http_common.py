"""One HTTP exchange: what the providers that call servers share.

A call is sent once; nothing is followed, nothing is tried again. What comes back is read up to a
cap. Secrets are read from the environment at the moment of the call and kept nowhere.
"""

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pydantic import Field

from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.version import __version__
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.parsing import parse_json, shown

if TYPE_CHECKING:
    import httpx

MOST_BODY_BYTES = 32 * 1024 * 1024
"""The most a response may be, unpacked."""
STRAIGHT = "straight"
"""The extension that marks a request as one that needs its transport and nothing else of httpx's
client: no cookies, no redirects, no sign-in."""
CONNECT_S = 15.0
"""The most seconds that opening a connection may take."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class EnvValue(Frozen):
    """A value that is read from the environment at the moment of the call and never stored."""

    env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the variable."""
    prefix: str = ""
    """What stands before its value, such as ``"Bearer "``."""

    def read(self, environ: Mapping[str, str]) -> str:
        """Return the value.

        Raises:
            AnswerError: of type ``unauthorized``: the variable is not set.
        """
        return self.prefix + secret(self.env, environ)


Value = str | EnvValue
"""A header, query or environment value: as it stands, or from the environment."""


def secret(name: str, environ: Mapping[str, str]) -> str:
    """Return a key from the environment.

    Raises:
        AnswerError: of type ``unauthorized``: the variable is not set, or cannot be sent.
    """
    value = environ.get(name, "").strip()
    if not value:
        raise AnswerError("unauthorized", f"the environment variable {name} is not set")
    if not value.isprintable() or not value.isascii():
        raise AnswerError(
            "unauthorized",
            f"the environment variable {name} holds characters that no key has; set it again",
        )
    return value


def names_in(*tables: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the environment variables that tables of values name."""
    return tuple(v.env for table in tables for v in table.values() if isinstance(v, EnvValue))


def open_values(table: Mapping[str, Value]) -> dict[str, str]:
    """Return the values that are no secret."""
    return {name: value for name, value in table.items() if isinstance(value, str)}


def read_values(table: Mapping[str, Value], environ: Mapping[str, str]) -> dict[str, str]:
    """Return all values, the secret ones too, for the moment of the call."""
    return {
        name: value.read(environ) if isinstance(value, EnvValue) else value
        for name, value in table.items()
    }


def check_headers(headers: Mapping[str, Value]) -> Mapping[str, Value]:
    """Refuse headers that cannot be sent, for a validator.

    Raises:
        ValueError: a name or a value that no header can have.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            raise ValueError(f"the header {name!r} holds a line break")
    return headers


def check_url(url: str) -> str:
    """Refuse what is not an address of a server, for a validator; trailing slashes are dropped.

    Raises:
        ValueError: it is no http or https address, or holds a password.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("an address of a server begins with http:// or https://") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError("an address of a server begins with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("an address holds no user and no password; use headers: {name: {env: …}}")
    return url.rstrip("/")


def check_params(params: Mapping[str, Any], ours: Iterable[str]) -> None:
    """Refuse parameters that would change the question or the shape of the answer.

    Raises:
        AnswerError: of type ``invalid_request``.
    """
    for name in sorted(set(ours) & params.keys()):
        raise AnswerError(
            "invalid_request",
            f"`params` holds {name!r}, which is not a parameter: the messages come from the case, "
            "`model` and `tools` have keys of their own, and answers are not streamed",
        )
    if params.get("n", 1) != 1:
        raise AnswerError(
            "invalid_request",
            "`params` holds 'n': only the first choice would count; use `samples` for several "
            "answers",
        )


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    asked: str
    """Who is asked where, for messages: no secret."""
    timeout_s: float | None = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: "httpx.Headers"
    body: bytes
    latency_s: float
    """Seconds from sending to the last byte."""
    asked: str

    @property
    def ok(self) -> bool:
        """Whether it is an answer and no error."""
        return 200 <= self.status < 300

    def json(self) -> Json:
        """Read the body as JSON.

        Raises:
            AnswerError: of type ``malformed``, and transient: a server that answers so has a bad
                moment more often than a bad configuration.
        """
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise self.malformed(f"with what is not JSON ({error})") from None

    def malformed(self, found: str) -> AnswerError:
        """Make the error of a reply that cannot be read.

        Args:
            found: what is wrong with it, to stand behind "answered".
        """
        text = self.body[:2000].decode("utf-8", "replace")
        kind = self.headers.get("content-type", "no content type")
        return AnswerError(
            "malformed",
            f"{self.asked} answered {self.status} {found}: {kind}, {shown(text)}",
            status=self.status,
            transient=True,
            detail=text,
        )


async def exchange(context: ProviderContext, call: Call) -> Reply:
    """Send a call and read the whole reply, whatever its status.

    Raises:
        AnswerError: ``connection``, ``timeout`` (also of a reply that stalls), or ``malformed``
            (cut off, not HTTP, wrongly packed, over the cap).
    """
    import httpx

    request = _request(call)
    began = monotonic()
    try:
        async with context.http.client() as client:
            response = await client.send(request, stream=True)
            try:
                body = await _read(response, call)
            finally:
                await response.aclose()
    except httpx.TimeoutException as error:
        what = "no connection" if isinstance(error, httpx.ConnectTimeout) else "no answer"
        raise AnswerError("timeout", f"{call.asked} gave {what} in time") from None
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise AnswerError(
            "malformed", f"{call.asked} gave a reply that cannot be read: {error}", transient=True
        ) from None
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.ProxyError) as error:
        raise AnswerError("invalid_request", f"{call.asked} cannot be asked: {error}") from None
    except httpx.TransportError as error:
        words = str(error) or type(error).__name__
        raise AnswerError("connection", f"{call.asked} cannot be reached: {words}") from None
    return Reply(response.status_code, response.headers, body, monotonic() - began, call.asked)


def _request(call: Call) -> "httpx.Request":
    """Make httpx's request.

    Raises:
        AnswerError: of type ``invalid_request``: an address that is none.
    """
    import httpx

    limit = call.timeout_s
    connect = min(limit or CONNECT_S, CONNECT_S)
    try:
        url = _address(call.url)
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
                STRAIGHT: True,
            },
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise AnswerError("invalid_request", f"{call.asked} cannot be asked: {error}") from None


_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose requests say how long they are even where that is nothing."""


@lru_cache(maxsize=256)
def _address(url: str) -> "httpx.URL":
    """Parse an address once: most calls go to one."""
    import httpx

    return httpx.URL(url)


async def _read(response: "httpx.Response", call: Call) -> bytes:
    """Read a body up to the cap."""
    body = bytearray()
    packed = any(name.lower() == b"content-encoding" for name, _ in response.headers.raw)
    parts = response.aiter_bytes() if packed else cast("AsyncIterable[bytes]", response.stream)
    async for part in parts:
        body += part
        if len(body) > MOST_BODY_BYTES:
            raise AnswerError(
                "malformed",
                f"{call.asked} answered with more than {MOST_BODY_BYTES // 1024**2} MB; "
                "the rest was not read",
                status=response.status_code,
            )
    return bytes(body)
