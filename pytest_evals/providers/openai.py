"""openai: any server with OpenAI's chat completions."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.model import Model
from pytest_evals.providers.chat import ChatOptions, ChatProvider
from pytest_evals.providers.openai_format import error_in, parse_body, write_body
from pytest_evals.providers.option_types import BaseUrl, EnvName, Value, env_names, literal_values


class OpenAIOptions(ChatOptions):
    """Options of the `openai` provider."""

    base_url: BaseUrl | None = None
    """The address before ``/chat/completions``, such as ``http://127.0.0.1:8000/v1``; by default
    OpenAI's own."""
    api_key_env: EnvName | None = None
    """Name of the environment variable with the API key. By default ``OPENAI_API_KEY`` for OpenAI's
    own server, and no key for any other server."""
    query: dict[str, Value] = Field(default_factory=dict)
    """Query parameters of the address (``{api-version: "2025-01-01"}``)."""
    organization: str | None = None
    """Sent as ``OpenAI-Organization``."""
    project: str | None = None
    """Sent as ``OpenAI-Project``."""


class OpenAIProvider(ChatProvider):
    """Calls any server with OpenAI's chat completions API.

    OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, Azure and others have it.

    ``params`` go into the body unchanged (``temperature``, ``max_tokens``, ``seed``, ...). Tools
    are sent as functions. The response is the first choice, never streamed. A response that a
    content filter stopped is an error (``content_filtered``), with status 400 or 200. The API key
    is sent to the server that it belongs to only: with another ``base_url`` none is sent unless
    ``api_key_env`` names one.
    """

    name: ClassVar[str] = "openai"
    Options: ClassVar[type[Frozen]] = OpenAIOptions
    server: ClassVar[str | None] = "https://api.openai.com/v1"
    key_env: ClassVar[str | None] = "OPENAI_API_KEY"
    example: ClassVar[str] = (
        "{id: local, provider: openai, base_url: http://127.0.0.1:8000/v1, model: qwen3, "
        "params: {temperature: 0}}"
    )
    options: OpenAIOptions

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body of a chat completion."""
        return write_body(self.model.model, request)

    def parse(self, data: Mapping[str, Any]) -> Response:
        """Return the first choice."""
        return parse_body(data)

    def error_in(self, data: Mapping[str, Any]) -> object:
        """Return the error of a body or of its first choice."""
        return error_in(data)

    def api_headers(self) -> dict[str, str]:
        """Return the headers with the organization and the project."""
        headers = {
            "openai-organization": self.options.organization,
            "openai-project": self.options.project,
        }
        return {name: value for name, value in headers.items() if value is not None}

    def query(self) -> Mapping[str, Value]:
        """Return the query parameters of the address."""
        return self.options.query

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the variables with the API key, in headers and in the query."""
        options = OpenAIOptions.model_validate(model.options)
        return super().required_env(model) + env_names(options.query)

    def identity(self, request: Request) -> Json:
        """Return the address with its query, the headers and the body, without secrets."""
        identity = super().identity(request)
        assert isinstance(identity, dict)
        return {**identity, "query": literal_values(self.options.query)}
