"""ChatProvider: the base of every provider that calls a chat API over HTTP.

A new provider is a subclass in one file: `body` writes the request, `parse` reads the response. The
base handles the address, the API key, headers, HTTP errors, rate limits and the Key.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.http_common import send
from pytest_evals.providers.http_messages import Call, Reply
from pytest_evals.providers.option_types import (
    BaseUrl,
    EnvName,
    HeaderTable,
    Value,
    env_names,
    literal_values,
    read_secret,
    read_values,
    secret_names,
)
from pytest_evals.providers.rate_limit_headers import rate_limit


class ChatOptions(Frozen):
    """Options of every chat provider."""

    base_url: BaseUrl | None = None
    """The address of the server; by default the provider's own server."""
    api_key_env: EnvName | None = None
    """Name of the environment variable with the API key. By default the provider's own variable for
    its own server, and no key for any other server."""
    headers: HeaderTable = Field(default_factory=dict)
    """Additional headers: ``{name: text}``, or ``{name: {env: VARIABLE, prefix: "Bearer "}}`` for a
    secret."""


class ChatProvider(ABC):
    """Calls a chat API: a JSON body is posted to one path, and a JSON object comes back.

    A subclass sets `name`, the class variables below that differ, and implements `body` and
    `parse`. Each call is sent once; the engine retries, limits, stores, counts and prices it. The
    API key is sent to the server that it belongs to only: with another ``base_url`` none is sent
    unless ``api_key_env`` names one.
    """

    name: ClassVar[str]
    """The provider's name in datasets."""
    Options: ClassVar[type[Frozen]] = ChatOptions
    """A subclass of `ChatOptions`, if the provider has options of its own."""
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False

    server: ClassVar[str | None] = None
    """The address of the provider's own server; None if ``base_url`` is required."""
    path: ClassVar[str] = "chat/completions"
    """The path of the endpoint, relative to the address."""
    key_env: ClassVar[str | None] = None
    """The environment variable with the API key of the provider's own server."""
    key_header: ClassVar[str] = "authorization"
    """The header that carries the API key."""
    key_prefix: ClassVar[str] = "Bearer "
    """Text before the API key in its header."""
    request_id_header: ClassVar[str] = "x-request-id"
    """The response header with the id of the request."""
    reserved: ClassVar[frozenset[str]] = frozenset(
        {"messages", "model", "stream", "tools", "response_format"}
    )
    """Parts of the body that ``params`` must not set."""

    options: ChatOptions
    """The options of the model, validated."""

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self.model = model
        self.context = context
        self.options = self._options_of(model)
        self.base_url = self.address(self.options)
        self.key = self._key_variable(self.options)
        self.endpoint = f"{model.model or model.id!r} at {self.base_url}"

    @abstractmethod
    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON body of a request.

        Everything in it becomes part of the Key, so it must be the same for the same request.
        """

    @abstractmethod
    def parse(self, data: Mapping[str, Any]) -> Response:
        """Return the response that a JSON object means.

        Latency, request id, rate limits and the model's name are added by the base.

        Raises:
            ValueError: the object has no response; the message follows "answered 200".
            AnswerError: the generation failed; the message follows "answered 200, but".
        """

    def error_in(self, data: Mapping[str, Any]) -> object:
        """Return the error inside a body with a status of success; None if it has none."""
        return data.get("error")

    def api_headers(self) -> dict[str, str]:
        """Return the headers that the API requires, without secrets; they are part of the Key."""
        return {}

    def query(self) -> Mapping[str, Value]:
        """Return the query parameters of the address."""
        return {}

    @classmethod
    def address(cls, options: ChatOptions) -> str | None:
        """Return the address of the server without the endpoint's path; None if it is missing."""
        address = options.base_url or cls.server
        return None if address is None else address.removesuffix(f"/{cls.path}")

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the variable with the API key and the variables in headers."""
        options = cls._options_of(model)
        key = cls._key_variable(options)
        return ((key,) if key else ()) + env_names(options.headers)

    def host(self) -> str | None:
        """Return the address of the server."""
        return self.base_url

    def prepare(self) -> None:
        """Check the address, the model's name and the parameters.

        Raises:
            AnswerError: of type ``invalid_request``.
        """
        if self.base_url is None:
            raise AnswerError("invalid_request", f"{self.name} needs the option `base_url`")
        if self.model.model is None and self.base_url == self.server:
            raise AnswerError(
                "invalid_request", f"no model is named; write {self.name}:NAME or give it a `model`"
            )
        check_params(self.model.params, self.reserved)

    def identity(self, request: Request) -> Json:
        """Return the address, the headers and the body, without secrets."""
        return {
            "base_url": self.base_url,
            "headers": {**literal_values(self.options.headers), **self.api_headers()},
            "body": self.checked_body(request),
            **secret_names(
                self.options.api_key_env,
                headers=self.options.headers,
                query=self.query(),
            ),
        }

    async def complete(self, request: Request) -> Response:
        """Call the model once.

        Raises:
            AnswerError: no response, with the reason's type.
        """
        reply = await self.send(request, self.checked_body(request))
        return self._read(reply.raise_for_status(self.key))

    async def send(self, request: Request, body: dict[str, Any]) -> Reply:
        """Send a body to the endpoint and return the reply, whatever its status.

        Raises:
            AnswerError: there is no reply.
        """
        environ = self.context.environ
        headers = {"content-type": "application/json", **self.api_headers()}
        if self.key is not None:
            headers[self.key_header] = self.key_prefix + read_secret(self.key, environ)
        headers.update(read_values(self.options.headers, environ))
        call = Call(
            "POST",
            f"{self.base_url}/{self.path}",
            headers,
            json.dumps(body).encode("ascii"),
            self.endpoint,
            request.timeout_s,
            read_values(self.query(), environ),
        )
        return await send(self.context, call)

    async def aclose(self) -> None:  # noqa: B027 - a default, not an abstract method
        """Do nothing: the session's client pool owns the connections."""

    def checked_body(self, request: Request) -> dict[str, Any]:
        """Return the body of a request whose parameters may be sent."""
        check_params(request.params, self.reserved)
        return self.body(request)

    def _read(self, reply: Reply) -> Response:
        """Read a reply with a status of success.

        Raises:
            AnswerError: of type ``malformed``, or what the error in the body means.
        """
        data = reply.json()
        if isinstance(data, list) and data and isinstance(data[0], dict) and data[0].get("error"):
            raise reply.error(self.key, data[0])
        if not isinstance(data, dict):
            raise reply.malformed("with JSON that is not an object")
        error = self.error_in(data)
        if isinstance(error, dict) and not any(error.values()):
            error = None  # some servers send an empty error with each response
        if error:
            raise reply.error(self.key, error)
        try:
            response = self.parse(data)
        except AnswerError as problem:
            raise AnswerError(
                problem.type,
                f"{self.endpoint} answered {reply.status}, but {problem.message}",
                status=reply.status,
                transient=problem.transient,
                detail=reply.body[:2000].decode("utf-8", "replace"),
            ) from None
        except (LookupError, TypeError, AttributeError) as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise reply.malformed(f"with an unexpected object ({reason})") from problem
        except ValueError as problem:
            raise reply.malformed(" ".join(str(problem).split())) from None
        model = data.get("model")
        from_headers = {
            "request_id": reply.headers.get(self.request_id_header),
            "rate_limit": rate_limit(reply.headers),
        }
        return response.model_copy(
            update={
                "latency_s": reply.latency_s,
                "model": response.model or (model if isinstance(model, str) else None),
                "metadata": {
                    **response.metadata,
                    **{name: value for name, value in from_headers.items() if value},
                },
            }
        )

    @classmethod
    def _options_of(cls, model: Model) -> ChatOptions:
        """Validate the options of a model."""
        options = cls.Options.model_validate(model.options)
        if not isinstance(options, ChatOptions):
            raise TypeError(f"{cls.__name__}.Options must be a subclass of ChatOptions")
        return options

    @classmethod
    def _key_variable(cls, options: ChatOptions) -> str | None:
        """Return the variable with the API key; None if no key is sent."""
        if options.api_key_env is not None:
            return options.api_key_env
        key_headers = {"authorization", cls.key_header}
        has_key = any(name.lower() in key_headers for name in options.headers)
        is_own_server = cls.address(options) == cls.server
        return cls.key_env if is_own_server and not has_key else None


def check_params(params: Mapping[str, Any], reserved: Iterable[str]) -> None:
    """Reject parameters that would change the messages or the form of the response.

    Raises:
        AnswerError: of type ``invalid_request``.
    """
    for name in sorted(set(reserved) & params.keys()):
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
