"""What the providers' tests share: a context with real parts, and a way to ask once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.engine.threads import DaemonPool, UserLoop
from pytest_evals.exchange import Request, Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.registry import Registry
from tests._servers import Loopback, NoModelError, llama_server


class Bench:
    """Makes providers and asks them, each time on a fresh event loop with a fresh pool."""

    def __init__(self, rootdir: Path) -> None:
        self.rootdir = rootdir
        self.folder: Path | None = None
        self.environ: dict[str, str] = {"PATH": "/usr/bin:/bin"}
        self._pool = DaemonPool(4, "test-target")
        self._user_loop = UserLoop()

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
        self._user_loop.close()

    def context(self, http: Any = None) -> ProviderContext:
        """Make a context."""
        return ProviderContext(
            rootdir=self.rootdir,
            environ=self.environ,
            http=http,
            run_sync=self._pool.run,
            run_async=self._user_loop.run,
            folder=self.folder,
        )

    def provider(self, provider: str, http: Any = None, **keys: Any) -> Any:
        """Make a provider; keys that are not a Model's are its options."""
        own = {k: keys.pop(k) for k in list(keys) if k not in Model.model_fields}
        model = Model(id=keys.pop("id", "m"), provider=provider, options=own, **keys)
        kind = Registry.builtin().provider(provider)
        assert kind is not None
        return kind(model, self.context(http))

    def ask(self, provider: str, request: Request | str = "hi", **keys: Any) -> Response:
        """Ask once."""
        return asyncio.run(self._ask(provider, request, keys))

    async def _ask(self, provider: str, request: Request | str, keys: dict[str, Any]) -> Response:
        http = HttpClientPool()
        try:
            asked = self.provider(provider, http, **keys)
            question = question_of(request) if isinstance(request, str) else request
            return await asked.complete(question)
        finally:
            await http.aclose()

    def refusal(self, provider: str, request: Request | str = "hi", **keys: Any) -> AnswerError:
        """Ask once, and return the error it must end with."""
        with pytest.raises(AnswerError) as caught:
            self.ask(provider, request, **keys)
        return caught.value


def question_of(text: str, **keys: Any) -> Request:
    """Make the request of a text."""
    messages = keys.pop("messages", (Message(role="user", content=text),))
    return Request(messages=messages, input=text, **keys)


@pytest.fixture
def question() -> Callable[..., Request]:
    """Make requests."""
    return question_of


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Ask providers."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server that says what it is told."""
    with Loopback().running() as running:
        yield running


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the small real model."""
    try:
        with llama_server(tmp_path_factory.mktemp("llama") / "log.txt") as url:
            yield url
    except NoModelError as error:
        pytest.skip(f"the small real model: {error}")
