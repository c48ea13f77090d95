"""Recording: how a provider that runs the user's own code lets its calls to model APIs be recorded.

The engine puts a `CallLog` into the context of each call of the user's code; what intercepts HTTP
(`intercept`, `loopback`) finds it there. This module knows which calls are meant, and not what
becomes of them.
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
"""The variables from which SDKs read where their API is, and where it is if they are not set."""


def _address(value: str) -> str:
    """Refuse what is no address of an API."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected the beginning of an address, such as https://api.openai.com/v1")
    return value.rstrip("/")


def _listed(value: object) -> object:
    """Take one address for a list of one."""
    return (value,) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
"""The beginning of an API's addresses."""
RecordHttp = Annotated[bool | tuple[Address, ...], BeforeValidator(_listed)]
"""Whether calls to model APIs are recorded, or the beginnings of the addresses that are."""
RecordEnv = dict[str, Address]
"""Environment variables that hold the address of an API, and where that API is."""


class RecordOptions(Frozen):
    """Which of an application's own calls are recorded."""

    http: RecordHttp = False
    env: RecordEnv = Field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> "RecordOptions | None":
        """Read a model's ``record_http`` and ``record_env``; None where nothing is recorded."""
        http, env = model.options.get("record_http", False), model.options.get("record_env") or {}
        if not http and not env:
            return None
        return cls.model_validate({"http": http or True, "env": env})

    def wants(self, method: str, url: str) -> bool:
        """Whether a call is recorded.

        With True those whose address ends as those of model APIs do; with addresses, whatever goes
        there.
        """
        if self.http is True:
            from pytest_evals.providers.http_calls import ENDPOINTS

            path = urlsplit(url).path.rstrip("/")
            return method.upper() == "POST" and path.endswith(ENDPOINTS)
        beginnings = self.http or ()
        return any(url == one or url.startswith((f"{one}/", f"{one}?")) for one in beginnings)


Send = Callable[[], "Awaitable[HttpAnswer]"]
"""Really sends a call, once."""


class CallLog(Protocol):
    """Who records the calls that the user's code makes for one answer."""

    @property
    def loop(self) -> "asyncio.AbstractEventLoop":
        """The event loop on which `ask` runs."""
        ...

    def wants(self, method: str, url: str) -> bool:
        """Whether a call is recorded."""
        ...

    async def ask(self, call: "HttpCall", send: Send) -> "HttpAnswer":
        """Return the stored answer to a call; else send it and store what comes back.

        Raises:
            Exception: what `send` raised.
        """
        ...

    async def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Return the variables that lead a program here, which would have this environment."""
        ...


_log: ContextVar[CallLog | None] = ContextVar("evals_calls", default=None)


def current() -> CallLog | None:
    """Return who records the calls of this context; None where nobody does."""
    return _log.get()


def enter(log: CallLog | None) -> Any:
    """Let a log record the calls of this context; returns what `leave` needs."""
    return _log.set(log)


def leave(token: Any) -> None:
    """Let the log of before record again."""
    _log.reset(token)


async def environ_here(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return a program's environment: calls that are recorded are led to where that is done."""
    log = _log.get()
    return environ if log is None else {**environ, **await log.environ(environ)}
