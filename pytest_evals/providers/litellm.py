"""litellm: every provider that LiteLLM supports, by LiteLLM's names. Needs the extra ``litellm``.

LiteLLM is imported when a session first uses such a model: the import takes seconds. It sends each
call once. Retries, limits, storing and counting are the engine's, as for every provider.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from time import monotonic
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.exchange import Request, Response, Usage
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.chat import ChatOptions, ChatProvider, check_params
from pytest_evals.providers.error_mapping import map_error
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.http_messages import Reply
from pytest_evals.providers.openai_format import error_in, failure_of, parse_body, write_body
from pytest_evals.providers.option_types import (
    BaseUrl,
    EnvName,
    env_names,
    literal_values,
    read_secret,
    read_values,
    secret_names,
)

_ERRORS: tuple[tuple[str, ErrorType, bool], ...] = (
    ("ContextWindowExceededError", "context_overflow", False),
    ("ContentPolicyViolationError", "content_filtered", False),
    ("Timeout", "timeout", True),
    ("BadGatewayError", "overloaded", True),
    ("APIResponseValidationError", "malformed", True),
    ("UnsupportedParamsError", "invalid_request", False),
    ("UnprocessableEntityError", "invalid_request", False),
)
"""LiteLLM's errors that say more than their status: name, our type, and whether to retry."""
_ERROR_PREFIX = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout)(?::\s*| - )")
_NO_CONNECTION = re.compile(r"connection error|cannot connect|connection refused", re.IGNORECASE)
_NO_KEY = re.compile(
    r"missing credentials|missing .{0,40}api key|api_key client option", re.IGNORECASE
)
_MALFORMED = re.compile(
    r"line \d+ column \d+ \(char \d+\)|JSONDecodeError"  # the messages of Python's json module
    r"|'choices' that is not|no 'choices'|empty or invalid response",  # before 1.110, and since
    re.IGNORECASE,
)


class LiteLLMOptions(ChatOptions):
    """Options of the `litellm` provider."""

    base_url: BaseUrl | None = None
    """The server's address, if it is not the provider's own."""
    api_key_env: EnvName | None = None
    """Name of the environment variable with the API key. By default LiteLLM reads the provider's
    own (``MISTRAL_API_KEY``, ...)."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of LiteLLM's ``acompletion`` that are not sampling parameters
    (``{api_version: "2025-01-01"}``, ``{vertex_project: my-project}``); never a secret."""


class LiteLLMProvider(ChatProvider):
    """Calls any model through LiteLLM: ``litellm:mistral/mistral-small-latest``.

    Needs ``pip install 'pytest-evals-matrix[litellm]'``. The model's name is LiteLLM's
    (``provider/model``), and so are the environment variables with API keys. ``params`` are those
    of ``acompletion``. LiteLLM's own retries are off. The cost that it reports counts if the model
    has no ``price``.
    """

    name: ClassVar[str] = "litellm"
    Options: ClassVar[type[Frozen]] = LiteLLMOptions
    reserved: ClassVar[frozenset[str]] = ChatProvider.reserved | {
        *("api_key", "api_base", "base_url", "extra_headers"),
        *("timeout", "num_retries", "max_retries", "mock_response", "fallbacks"),
    }
    example: ClassVar[str] = (
        "{id: mistral, provider: litellm, model: mistral/mistral-small-latest, "
        "params: {temperature: 0}}"
    )
    options: LiteLLMOptions

    def __init__(self, model: Model, context: ProviderContext) -> None:
        super().__init__(model, context)
        at = f" at {self.base_url}" if self.base_url else ""
        self.endpoint = f"{model.model or model.id!r}{at} by LiteLLM"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the variable with the API key: the configured one, else the one LiteLLM misses."""
        options = LiteLLMOptions.model_validate(model.options)
        in_headers = env_names(options.headers)
        if options.api_key_env is not None:
            return (options.api_key_env, *in_headers)
        if options.base_url is not None or not model.model:
            return in_headers
        try:
            report = _litellm().validate_environment(model.model)
        except AnswerError:
            return in_headers  # `prepare` reports it
        missing = report.get("missing_keys") or ()
        return (*(name for name in missing if name.endswith("_API_KEY")), *in_headers)

    def prepare(self) -> None:
        """Check the package, the model's name and the parameters.

        Raises:
            AnswerError: of type ``invalid_request``.
        """
        if not self.model.model:
            raise AnswerError(
                "invalid_request", "no model is named; write litellm:PROVIDER/NAME, or a `model`"
            )
        check_params(self.model.params, self.reserved)
        for name in sorted(self.reserved & self.options.arguments.keys()):
            raise AnswerError("invalid_request", f"`arguments` cannot hold {name!r}")
        litellm = _litellm()
        try:
            litellm.get_llm_provider(self.model.model, api_base=self.base_url)
        except Exception:  # noqa: BLE001 - whatever it raises, it does not know the name
            raise AnswerError(
                "invalid_request",
                f"LiteLLM knows no provider for {self.model.model!r}; write PROVIDER/NAME as its "
                "own pages do",
            ) from None

    def identity(self, request: Request) -> Json:
        """Return the arguments of the call, without secrets."""
        headers = literal_values(self.options.headers)
        return {
            "base_url": self.base_url,
            "arguments": self.options.arguments,
            "body": self.checked_body(request),
            **({"headers": headers} if headers else {}),
            **secret_names(self.options.api_key_env, headers=self.options.headers),
        }

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body of a chat completion; LiteLLM translates it for each API."""
        return write_body(self.model.model, request)

    def parse(self, data: Mapping[str, Any]) -> Response:
        """Return the first choice; LiteLLM gives every API's response OpenAI's form."""
        response = parse_body(_with_failure(data))
        # LiteLLM reports zero tokens if the server reports none.
        if not response.usage.total_tokens:
            return response.model_copy(update={"usage": Usage()})
        cost = data.get("response_cost")
        if not isinstance(cost, int | float) or cost < 0:
            return response
        return response.model_copy(update={"cost_usd": float(cost)})

    def error_in(self, data: Mapping[str, Any]) -> object:
        """Return the error of a body or of its first choice."""
        return error_in(data)

    async def send(self, request: Request, body: dict[str, Any]) -> Reply:
        """Call LiteLLM once and return its response as a reply in OpenAI's form.

        Raises:
            AnswerError: there is no response.
        """
        litellm = _litellm()
        arguments = {**self.options.arguments, **self._connection(request), **body}
        started = monotonic()
        try:
            # On the loop for user code: LiteLLM blocks at times (cloud tokens, token counting).
            response = await self.context.run_async(lambda: litellm.acompletion(**arguments))
        except Exception as error:  # noqa: BLE001 - LiteLLM raises what its providers raise
            raise self._map_error(litellm, error) from None
        latency_s = monotonic() - started
        data = response.model_dump()
        data["response_cost"] = getattr(response, "_hidden_params", {}).get("response_cost")
        content = json.dumps(data, default=str).encode()
        return Reply(200, Headers(), content, latency_s, self.endpoint)

    def _connection(self, request: Request) -> dict[str, Any]:
        """Return the arguments with the address, the credentials and the limits of a call."""
        options, environ = self.options, self.context.environ
        arguments: dict[str, Any] = {
            "timeout": request.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
        }
        if options.api_key_env is not None:
            arguments["api_key"] = read_secret(options.api_key_env, environ)
        if self.base_url is not None:
            arguments["api_base"] = self.base_url
        if options.headers:
            arguments["extra_headers"] = read_values(options.headers, environ)
        if request.tools:  # functions only: otherwise LiteLLM requires a package for MCP
            arguments["_skip_mcp_handler"] = True
        return arguments

    def _map_error(self, litellm: Any, error: Exception) -> AnswerError:
        """Return our error for one of LiteLLM's."""
        message = str(getattr(error, "message", None) or error)
        while (shorter := _ERROR_PREFIX.sub("", message)) != message:
            message = shorter
        status = getattr(error, "status_code", None)
        if not isinstance(status, int) or status < 400:
            reason = f"{type(error).__name__}: {message}"
            return AnswerError("provider", f"{self.endpoint} failed: {reason}")
        for name, type_, transient in _ERRORS:
            cls = getattr(litellm, name, None)
            if cls is not None and isinstance(error, cls):
                text = f"{self.endpoint} answered {status}: {message}"
                return AnswerError(type_, text, status=status, transient=transient)
        if status >= 500 and (local := _local_error(self.endpoint, message)) is not None:
            return local
        headers = Headers(dict(getattr(error, "litellm_response_headers", None) or {}).items())
        body = json.dumps({"error": {"message": message}}).encode()
        return map_error(status, headers, body, endpoint=self.endpoint, key=self.key)


def _local_error(endpoint: str, message: str) -> AnswerError | None:
    """Return the error that LiteLLM reports as a server's although no server sent it."""
    if _NO_KEY.search(message):
        return AnswerError("unauthorized", f"{endpoint} needs a key: {message}")
    if _NO_CONNECTION.search(message):
        return AnswerError("connection", f"{endpoint} cannot be reached: {message}")
    if _MALFORMED.search(message):
        text = f"{endpoint} gave a reply that cannot be read: {message}"
        return AnswerError("malformed", text, transient=True)
    return None


def _litellm() -> Any:
    """Import LiteLLM, with its own price list and without its output on the terminal.

    Raises:
        AnswerError: of type ``invalid_request``: it is not installed.
    """
    litellm: Any = sys.modules.get("litellm")
    if litellm is not None:  # imported before: threads must not turn warnings off
        litellm.suppress_debug_info = True
        return litellm
    import warnings

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it downloads them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of its own imports are not the user's
            litellm = import_module("litellm")
            litellm.ModelResponse()  # made once here, so that pydantic warns of it inside the block
    except ImportError as error:
        raise AnswerError(
            "invalid_request",
            f"LiteLLM cannot be imported ({error}); pip install 'pytest-evals-matrix[litellm]'",
        ) from None
    litellm.suppress_debug_info = True
    return litellm


def _with_failure(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a body whose first choice has the API's own finish reason, if that is a failure.

    LiteLLM 1.110 reports finish reasons that OpenAI does not have as ``stop``, ``error`` among
    them, and keeps the original beside it.
    """
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    fields = choice.get("provider_specific_fields") if isinstance(choice, dict) else None
    reason = fields.get("native_finish_reason") if isinstance(fields, dict) else None
    if not isinstance(choice, dict) or failure_of(reason) is None:
        return data
    return {**data, "choices": [{**choice, "finish_reason": reason}]}
