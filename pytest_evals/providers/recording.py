"""Recording the calls to model APIs that user code makes.

The engine puts a `CallLog` into the context of each call of user code, where `intercept` and
`loopback` read it. This module selects the calls to record; it does not store them.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.model import Model

if TYPE_CHECKING:
    import asyncio

    from pytest_evals.providers.http_calls import HttpAnswer, HttpCall

KNOWN_ENV: Mapping[str, str] = {
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
}
"""The variables with the address of an API that SDKs read, and the default addresses."""


def _address(value: str) -> str:
    """Reject an invalid API address."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected the beginning of an address, such as https://api.openai.com/v1")
    return value.rstrip("/")


def _listed(value: object) -> object:
    """Convert one address to a list."""
    return (value,) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
"""A prefix of the addresses of an API."""
RecordHttp = Annotated[bool | tuple[Address, ...], BeforeValidator(_listed)]
"""Whether to record calls to model APIs, or the address prefixes to record."""
RecordEnv = dict[str, Address]
"""Environment variables with the address of an API, and the real address."""


class RecordOptions(Frozen):
    """Which calls of an application are recorded."""

    http: RecordHttp = False
    env: RecordEnv = Field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> "RecordOptions | None":
        """Read a model's ``record_http`` and ``record_env``; None if nothing is recorded."""
        http, env = model.options.get("record_http", False), model.options.get("record_env") or {}
        if not http and not env:
            return None
        return cls.model_validate({"http": http or True, "env": env})

    def wants(self, method: str, url: str) -> bool:
        """Return whether to record a call.

        True selects POST calls to the endpoints of model APIs; addresses select all calls below.
        """
        if self.http is True:
            from pytest_evals.providers.http_calls import ENDPOINTS

            path = urlsplit(url).path.rstrip("/")
            return method.upper() == "POST" and path.endswith(ENDPOINTS)
        prefixes = self.http or ()
        return any(
            url == prefix or url.startswith((f"{prefix}/", f"{prefix}?")) for prefix in prefixes
        )


Send = Callable[[], "Awaitable[HttpAnswer]"]
"""Sends a call to the real server, once."""


class CallLog(Protocol):
    """Records the calls that user code makes for one response."""

    @property
    def loop(self) -> "asyncio.AbstractEventLoop":
        """The event loop on which `ask` runs."""
        ...

    def wants(self, method: str, url: str) -> bool:
        """Return whether to record a call."""
        ...

    def miss(self, method: str, url: str, client: str) -> None:
        """Note a call that should be recorded, of a client that cannot be.

        Raises:
            ConnectionRefusedError: in a replay, where it would be made.
        """
        ...

    async def ask(self, call: "HttpCall", send: Send) -> "HttpAnswer":
        """Return the stored answer to a call; otherwise send it and store the answer.

        Raises:
            Exception: the one that `send` raised.
        """
        ...

    async def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the variables that redirect a program with this environment to the recorder."""
        ...


_log: ContextVar[CallLog | None] = ContextVar("evals_calls", default=None)


def current() -> CallLog | None:
    """Return the log of this context; None if its calls are not recorded."""
    return _log.get()


def enter(log: CallLog | None) -> Any:
    """Record the calls of this context in a log; return the token for `leave`."""
    return _log.set(log)


def leave(token: Any) -> None:
    """Restore the log of before `enter`."""
    _log.reset(token)


async def environ_here(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of a program, with recorded calls redirected."""
    log = _log.get()
    return environ if log is None else {**environ, **await log.environ(environ)}
