"""What the tests of recorded calls share: a server that counts, and pytest run on a dataset."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

import pytest_evals.engine.call_recording  # noqa: F401 - the same
from tests.plugin.conftest import evals, evals_process  # noqa: F401 - fixtures
from tests.recording._api import Api, serving

# SDKs load their parts when these are first used; what is loaded here stays
_client = openai.OpenAI(api_key="none")
_LOADED = (_client.chat.completions.with_raw_response, _client.audio.speech, _client.embeddings)
_LOADED += (_client.audio.transcriptions, anthropic.Anthropic(api_key="none").messages)

CANARY = "sk-canary-4f1d22c0b7aa9e31"


@pytest.fixture(autouse=True)
def _clients(clients_left_open):
    """Applications under test never close their clients."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Serve the APIs; applications find them by ``API_URL`` and have a key in ``API_SECRET``."""
    with serving() as api:
        monkeypatch.setenv("API_URL", api.url)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
        yield api


@pytest.fixture
def dataset(write) -> Callable[..., str]:
    """Write an application and a dataset that asks it; return the dataset's name."""

    def dataset(
        app: str,
        *,
        model: str = "record_http: true",
        cases: str = "[{id: a, input: one}]",
        **keys: Any,
    ) -> str:
        write("app.py", app)
        keys = {"scorers": [{"regex": "."}], **keys}
        more = "".join(f"{name}: {json.dumps(value)}\n" for name, value in keys.items())
        return write(
            "app.evals.yaml",
            "name: app\n"
            f'models: [{{id: app, provider: python, target: "app.py:answer", {model}}}]\n'
            f"cases: {cases}\n{more}",
        )

    return dataset


@pytest.fixture
def trials(evals, pytester: pytest.Pytester):  # noqa: F811 - the fixture
    """Run a dataset and return its trials, as the JSON report tells them."""

    def trials(*args: str, **outcomes: int) -> list[dict[str, Any]]:
        result = evals("--evals-json=out.json", *args)
        if outcomes:
            result.assert_outcomes(**outcomes)
        found: list[dict[str, Any]] = json.loads((pytester.path / "out.json").read_text())["trials"]
        return found

    return trials
