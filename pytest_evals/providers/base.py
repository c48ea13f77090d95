"""Provider: the Protocol of everything that can answer a request, and its context.

A provider is one class in one file. It turns a neutral `Request` into a call and the result into a
`Response`, or raises `AnswerError`. The engine retries, limits, stores, counts and prices calls.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.model import Model

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONTEXT = "context"
"""The part of an identity with what a target is told besides the request, and with the names of
secrets. Version 1 did not have it: a stored response without it is used for its own case and model
only."""


class HttpClients(Protocol):
    """Lends HTTP clients, which share connections and one policy for all calls."""

    def client(self) -> "AbstractAsyncContextManager[httpx.AsyncClient]":
        """Lend a client for one call, until the block ends."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """The environment of a provider, besides its model."""

    rootdir: Path
    """The base of relative paths, and the folder that user code is imported from."""
    environ: Mapping[str, str]
    """Environment variables. API keys are read from it for each call and not stored."""
    http: HttpClients
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a blocking callable in a thread and awaits its result."""
    run_async: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
    """Runs a coroutine of user code on a separate event loop and awaits its result. Blocking user
    code then does not stop the engine's loop."""
    folder: Path | None = None
    """The dataset's folder, which is searched for files after the rootdir. Only `local` providers
    have it; they are created once for each dataset."""

    @property
    def folder_name(self) -> str:
        """The dataset's folder relative to the rootdir, for a Key; it names no folder above."""
        return "." if self.folder is None else Path(relpath(self.folder, self.rootdir)).as_posix()


class Provider(Protocol):
    """Answers requests for one model."""

    name: ClassVar[str]
    """The provider's name in datasets."""
    Options: ClassVar[type[Frozen]]
    """The provider's own options of a model; validated when a dataset is collected."""
    opaque: ClassVar[bool]
    """True if the response depends on code that can change unnoticed (python, http, command).
    Stored responses are then reused only if the model has ``stored: true``."""
    recorded: ClassVar[bool]
    """True if responses are in the dataset and nothing is called (script)."""
    local: ClassVar[bool]
    """True if it searches the dataset's folder for files (python, command)."""

    def __init__(self, model: Model, context: ProviderContext) -> None:
        """Create the provider of one model, without a call, a key or a connection."""
        ...

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the names of the environment variables that a call requires."""
        ...

    def host(self) -> str | None:
        """Return the server's address, for limits that its models share; None without a server."""
        ...

    def prepare(self) -> None:
        """Check the configuration before the first call (a target imports, a program exists).

        Raises:
            AnswerError: calls would fail; says why and what to do.
        """
        ...

    def identity(self, request: Request) -> Json:
        """Return everything that is sent, as JSON without secrets; the Key is its digest.

        The names of variables with secrets are a part of it, under ``context``.
        """
        ...

    async def complete(self, request: Request) -> Response:
        """Call the model once.

        Raises:
            AnswerError: no response; its type says why.
        """
        ...

    async def aclose(self) -> None:
        """Release all resources."""
        ...
