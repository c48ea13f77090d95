"""Provider: who can answer. The Protocol, and what a provider is given to work with.

A provider is one class in one file. It turns a neutral `Request` into a call and what comes back
into a `Response`, or raises `AnswerError`. It does not retry, limit, store, count or price: the
engine does that for all of them.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.model import Model

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class HttpClients(Protocol):
    """Lends HTTP clients, so that connections are kept and every call is subject to one policy."""

    def client(self) -> "AbstractAsyncContextManager[httpx.AsyncClient]":
        """Lend a client for one call; it is given back when the block ends."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider is given besides its model."""

    rootdir: Path
    """Where user code is imported from and relative paths begin."""
    environ: Mapping[str, str]
    """The environment: keys are read from it at the moment of the call, and kept nowhere."""
    http: HttpClients
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a blocking callable off the event loop and awaits its result."""
    run_async: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
    """Runs a coroutine of user code on an event loop of its own, so that one which blocks cannot
    stop the engine's clock; awaits its result."""
    folder: Path | None = None
    """The dataset's folder, where files are looked for after the rootdir; given to `local`
    providers for each dataset apart."""


class Provider(Protocol):
    """Who can answer."""

    name: ClassVar[str]
    """Its name in datasets."""
    Options: ClassVar[type[Frozen]]
    """The keys of a model that only this provider knows; validated when a dataset is collected."""
    opaque: ClassVar[bool]
    """True where the answer is the behaviour of code that can change unseen (python, http,
    command): stored answers are then not used again unless the model says ``stored: true``."""
    recorded: ClassVar[bool]
    """True where answers stand in the dataset and nothing is called (script)."""

    local: ClassVar[bool]
    """True where it finds files in the dataset's folder (python, command)."""

    def __init__(self, model: Model, context: ProviderContext) -> None:
        """Make the provider of one model; no call, no key and no connection yet."""
        ...

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the names of the environment variables that a call will need."""
        ...

    def host(self) -> str | None:
        """Return the server's address, for limits that models on it share; None without one."""
        ...

    def prepare(self) -> None:
        """Check what can be checked before the first call (a target imports, a program exists).

        Raises:
            AnswerError: it will not work, with what was searched and what to do.
        """
        ...

    def identity(self, request: Request) -> Json:
        """Return everything that is sent, as JSON without secrets: it becomes the Key."""
        ...

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises:
            AnswerError: no answer, with its type.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what is held."""
        ...
