"""litellm: every provider that LiteLLM knows, by its own names. Needs the extra ``litellm``.

LiteLLM is imported when a session first uses such a model (it takes seconds), and fetches nothing
then. It asks once: retries, limits, storing and counting are the engine's, as for any provider.
"""

import json
import os
import re
import sys
from importlib import import_module
from time import monotonic
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from pytest_evals.exchange import Request, Response, Usage
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.error_mapping import fault
from pytest_evals.providers.http_common import Reply, check_params, check_url, secret
from pytest_evals.providers.openai import read_response, written_message, written_tool

_OURS = frozenset(
    {
        *("messages", "model", "stream", "tools", "response_format", "api_key", "api_base"),
        *("base_url", "timeout", "num_retries", "max_retries", "mock_response", "fallbacks"),
    }
)
"""What parameters cannot replace."""

_KINDS: tuple[tuple[str, ErrorType, bool], ...] = (
    ("ContextWindowExceededError", "context_overflow", False),
    ("ContentPolicyViolationError", "content_filtered", False),
    ("Timeout", "timeout", True),
    ("BadGatewayError", "overloaded", True),
    ("APIResponseValidationError", "malformed", True),
    ("UnsupportedParamsError", "invalid_request", False),
    ("UnprocessableEntityError", "invalid_request", False),
)
"""LiteLLM's errors that say more than their status, the finer before the coarser."""
_WRAPPED = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout)(?::\s*| - )")
_NO_CONNECTION = re.compile(r"connection error|cannot connect|connection refused", re.IGNORECASE)
_NO_KEY = re.compile(
    r"missing credentials|missing .{0,40}api key|api_key client option", re.IGNORECASE
)
_MALFORMED = re.compile(
    r"line \d+ column \d+ \(char \d+\)|JSONDecodeError"  # the messages of Python's json module
    r"|'choices' that is not|no 'choices'|empty or invalid response",  # before 1.110, and since
    re.IGNORECASE,
)


class LiteLLMOptions(Frozen):
    """Where LiteLLM is to ask, and what else it is told."""

    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """The server's address, where it is not the provider's own."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the environment variable with the key. By default LiteLLM looks for the
    provider's own (``MISTRAL_API_KEY``, ...)."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of LiteLLM's ``acompletion`` that are no sampling parameters
    (``{api_version: "2025-01-01"}``, ``{vertex_project: my-project}``); never a secret."""


class LiteLLMProvider:
    """Asks by LiteLLM, which knows a hundred providers: ``litellm:mistral/mistral-small-latest``.

    Needs ``pip install 'pytest-evals-matrix[litellm]'``. The model's name is LiteLLM's
    (``provider/model``), and so are the environment variables with the keys; ``params`` are those
    of ``acompletion``. Its own retries are off. What it says an answer costs counts where the model
    has no ``price``.
    """

    name: ClassVar[str] = "litellm"
    Options: ClassVar[type[Frozen]] = LiteLLMOptions
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False
    example: ClassVar[str] = (
        "{id: mistral, provider: litellm, model: mistral/mistral-small-latest, "
        "params: {temperature: 0}}"
    )

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        self._options = LiteLLMOptions.model_validate(model.options)
        at = f" at {self._options.base_url}" if self._options.base_url else ""
        self._asked = f"{model.model or model.id!r}{at} by LiteLLM"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Name the key: the one that is given, else the one that LiteLLM misses."""
        options = LiteLLMOptions.model_validate(model.options)
        if options.api_key_env is not None:
            return (options.api_key_env,)
        if options.base_url is not None or not model.model:
            return ()
        try:
            found = _litellm().validate_environment(model.model)
        except AnswerError:
            return ()  # `prepare` tells it
        missing = found.get("missing_keys") or ()
        return tuple(name for name in missing if name.endswith("_API_KEY"))

    def host(self) -> str | None:
        """Return the server's address, where it is given."""
        return self._options.base_url

    def prepare(self) -> None:
        """Check the package, the model's name and the parameters.

        Raises:
            AnswerError: of type ``invalid_request``.
        """
        if not self._model.model:
            raise AnswerError(
                "invalid_request", "no model is named; write litellm:PROVIDER/NAME, or a `model`"
            )
        check_params(self._model.params, _OURS)
        for name in sorted(_OURS & self._options.arguments.keys()):
            raise AnswerError("invalid_request", f"`arguments` cannot hold {name!r}")
        litellm = _litellm()
        try:
            litellm.get_llm_provider(self._model.model, api_base=self._options.base_url)
        except Exception:  # noqa: BLE001 - whatever it raises, it does not know the name
            raise AnswerError(
                "invalid_request",
                f"LiteLLM knows no provider for {self._model.model!r}; write PROVIDER/NAME as its "
                "own pages do",
            ) from None

    def identity(self, request: Request) -> Json:
        """Return what LiteLLM is given, without secrets."""
        return {
            "base_url": self._options.base_url,
            "arguments": self._options.arguments,
            "body": self._body(request),
        }

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises:
            AnswerError: no answer, with its type.
        """
        given = {**self._options.arguments, **self._body(request)}
        if self._options.api_key_env is not None:
            given["api_key"] = secret(self._options.api_key_env, self._context.environ)
        if request.tools:  # functions alone: without this LiteLLM wants a package for MCP
            given["_skip_mcp_handler"] = True
        if self._options.base_url is not None:
            given["api_base"] = self._options.base_url
        litellm = _litellm()
        began = monotonic()
        try:
            # On the loop for user code: LiteLLM blocks here and there (tokens of clouds, counting).
            found = await self._context.run_async(
                lambda: litellm.acompletion(
                    **given, timeout=request.timeout_s, num_retries=0, max_retries=0
                )
            )
        except Exception as error:  # noqa: BLE001 - LiteLLM raises what its providers raise
            raise self._error(litellm, error) from None
        return self._response(found, monotonic() - began)

    async def aclose(self) -> None:
        """Nothing: the connections are LiteLLM's."""

    def _body(self, request: Request) -> dict[str, Any]:
        """Return what is asked."""
        check_params(request.params, _OURS)
        body: dict[str, Any] = {"model": self._model.model}
        body["messages"] = [written_message(message) for message in request.messages]
        body.update(request.params)
        if request.tools:
            body["tools"] = [written_tool(tool) for tool in request.tools]
        if request.response_format is not None:
            body["response_format"] = request.response_format
        return body

    def _response(self, found: Any, latency_s: float) -> Response:
        """Read an answer, which has OpenAI's shape whoever gave it.

        Raises:
            AnswerError: of type ``malformed``.
        """
        import httpx

        body = json.dumps(found.model_dump(), default=str).encode()
        reply = Reply(200, httpx.Headers(), body, latency_s, self._asked)
        response = read_response(reply, self._options.api_key_env)
        # Where the server does not count, LiteLLM says zero.
        counted = bool(response.usage.total_tokens)
        cost = getattr(found, "_hidden_params", {}).get("response_cost") if counted else None
        return response.model_copy(
            update={
                "usage": response.usage if counted else Usage(),
                "cost_usd": float(cost) if isinstance(cost, int | float) and cost >= 0 else None,
            }
        )

    def _error(self, litellm: Any, error: Exception) -> AnswerError:
        """Make our error of LiteLLM's."""
        import httpx

        said = str(getattr(error, "message", None) or error)
        while (shorter := _WRAPPED.sub("", said)) != said:
            said = shorter
        status = getattr(error, "status_code", None)
        if not isinstance(status, int) or status < 400:
            return AnswerError("provider", f"{self._asked} failed: {type(error).__name__}: {said}")
        for name, kind, transient in _KINDS:
            known = getattr(litellm, name, None)
            if known is not None and isinstance(error, known):
                told = f"{self._asked} answered {status}: {said}"
                return AnswerError(kind, told, status=status, transient=transient)
        if status >= 500 and (found := _not_the_server(self._asked, said)) is not None:
            return found
        headers = httpx.Headers(dict(getattr(error, "litellm_response_headers", None) or {}))
        body = json.dumps({"error": {"message": said}}).encode()
        key = self._options.api_key_env
        return fault(status, headers, body, asked=self._asked, key=key)


def _not_the_server(asked: str, said: str) -> AnswerError | None:
    """Tell apart what LiteLLM calls a server's error, and no server has said."""
    if _NO_KEY.search(said):
        return AnswerError("unauthorized", f"{asked} needs a key: {said}")
    if _NO_CONNECTION.search(said):
        return AnswerError("connection", f"{asked} cannot be reached: {said}")
    if _MALFORMED.search(said):
        told = f"{asked} gave a reply that cannot be read: {said}"
        return AnswerError("malformed", told, transient=True)
    return None


def _litellm() -> Any:
    """Import LiteLLM, with its own list of prices and without its words on the terminal.

    Raises:
        AnswerError: of type ``invalid_request``: it is not installed.
    """
    litellm: Any = sys.modules.get("litellm")
    if litellm is not None:  # no second look: warnings are not to be turned off in threads
        litellm.suppress_debug_info = True
        return litellm
    import warnings

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of its own imports are not the user's
            litellm = import_module("litellm")
            litellm.ModelResponse()  # made once, so that pydantic's warnings of it come here too
    except ImportError as error:
        raise AnswerError(
            "invalid_request",
            f"LiteLLM cannot be imported ({error}); pip install 'pytest-evals-matrix[litellm]'",
        ) from None
    litellm.suppress_debug_info = True
    return litellm
