"""http: any endpoint that returns JSON or text."""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError, TemplateError
from pytest_evals.ground.templates import evaluate, is_template, render, unknown_variables
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.http_common import send
from pytest_evals.providers.http_messages import Call, Reply
from pytest_evals.providers.option_types import (
    EnvValue,
    HeaderTable,
    Value,
    check_url,
    env_names,
    literal_values,
    secret_names,
)
from pytest_evals.providers.parsing import (
    amount,
    parse_json,
    quote,
    to_json,
    to_text,
    tool_calls_of,
    traced,
    usage_of,
)
from pytest_evals.providers.rate_limit_headers import rate_limit

ANSWER_KEYS = ("answer", "text", "output", "response", "content", "message", "result", "completion")
"""Keys of the response text if `answer` is not set: the first with a text counts."""
_BODYLESS = frozenset({"GET", "HEAD", "DELETE"})


def _check_templates(value: Json) -> Json:
    """Reject templates with a syntax error anywhere in a value."""
    for text in _texts(value):
        try:
            unknown_variables(text, ())
        except TemplateError as error:
            raise ValueError(str(error)) from None
    return value


def _texts(value: Json) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _check_path(path: str) -> str:
    """Reject an invalid JMESPath expression."""
    import jmespath

    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"not a JMESPath expression ({reason})") from None
    return path


Path = Annotated[str, AfterValidator(_check_path)]
"""A JMESPath expression, such as ``data.choices[0].text``."""


class HttpOptions(Frozen):
    """Options of the `http` provider.

    ``url``, ``query``, ``headers`` and every text in ``body`` are Jinja2 templates. Their variables
    are ``input``, the case's variables by name and together as ``variables``, ``messages`` (role
    and content), ``params``, ``case_id``, ``model``, ``sample`` and ``turn``. A text with a single
    expression (``"{{ messages }}"``) becomes its value as JSON: a list stays a list, a number a
    number. Any other template becomes text.
    """

    url: str = Field(min_length=1)
    """The address of the endpoint."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """GET, POST, PUT, PATCH or DELETE."""
    headers: HeaderTable = Field(default_factory=dict)
    """Headers: ``{name: text}``, or ``{name: {env: VARIABLE, prefix: "Bearer "}}`` for a secret."""
    query: dict[str, Value] = Field(default_factory=dict)
    """Query parameters of the address; secrets as in `headers`."""
    body: Any = None
    """The body: a mapping or list is sent as JSON, a text unchanged. By default ``{"input": ...}``,
    and nothing with GET and DELETE."""
    answer: Path | None = None
    """The path of the response text. By default the text of an object is the first of answer, text,
    output, response, content, message, result and completion that is a text, otherwise the whole
    object. Any other body is the text itself."""
    error: Path | None = None
    """The path of an error: a value there means that the call failed."""
    usage: dict[
        Literal[
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
        ],
        Path,
    ] = Field(default_factory=dict)
    """The paths of token counts, by name: input_tokens, output_tokens, cached_tokens,
    cache_write_tokens, reasoning_tokens."""
    cost: Path | None = None
    """The path of the cost in USD."""
    tool_calls: Path | None = None
    """The path of a list of tool calls: names, or mappings with name, arguments, result."""
    trace: Path | None = None
    """The path of a trace: OTLP/JSON (an object with ``resourceSpans``) or a list of spans."""
    traceparent: bool = False
    """Whether to send a W3C ``traceparent`` header with each call. The response's metadata has its
    trace id as ``trace_id``, which identifies the trace in your backend."""
    metadata: dict[str, Path] = Field(default_factory=dict)
    """Paths of values that are added to the response's metadata, by name."""

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        """Reject an invalid address, unless a template renders its host."""
        host = (value.partition("://")[2] or value).partition("/")[0]
        if not is_template(host):
            check_url(value)
        return value

    @model_validator(mode="after")
    def _templates(self) -> "HttpOptions":
        """Reject templates with a syntax error."""
        _check_templates(
            [self.url, self.body, literal_values(self.headers), literal_values(self.query)]
        )
        return self


class HttpProvider:
    """Calls any HTTP endpoint, such as the API of an application.

    The body is a template. JMESPath expressions are the paths of the text, the usage, the cost, the
    tool calls or an error in the response. The code behind the endpoint can change unnoticed, so
    stored responses are reused only if the model has ``stored: true``.
    """

    name: ClassVar[str] = "http"
    Options: ClassVar[type[Frozen]] = HttpOptions
    opaque: ClassVar[bool] = True
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False
    example: ClassVar[str] = (
        '{id: service, provider: http, url: "http://127.0.0.1:9000/ask", '
        'body: {q: "{{ input }}"}, answer: data.text}'
    )

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        self._options = HttpOptions.model_validate(model.options)
        self._address = self._options.url.partition("?")[0]
        self._endpoint = f"{model.id!r} at {self._address}"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Return the variables in headers and query."""
        options = HttpOptions.model_validate(model.options)
        return env_names(options.headers, options.query)

    def host(self) -> str | None:
        """Return the endpoint's address; None if it is a template."""
        return None if is_template(self._address) else self._address

    def prepare(self) -> None:
        """Do nothing: paths and templates were validated with the dataset."""

    def identity(self, request: Request) -> Json:
        """Return the rendered request without secrets.

        Raises:
            AnswerError: of type ``template``: a template fails for this case.
        """
        variables = _variables(request)
        return {
            "method": self._options.method,
            "url": self._rendered(self._options.url, variables),
            "query": self._table(literal_values(self._options.query), variables),
            "headers": self._table(literal_values(self._options.headers), variables),
            "body": self._body(request, variables),
            **secret_names(query=self._options.query, headers=self._options.headers),
        }

    async def complete(self, request: Request) -> Response:
        """Call the endpoint once.

        Raises:
            AnswerError: no response; its type says why.
        """
        options, variables = self._options, _variables(request)
        body = self._body(request, variables)
        content = b"" if body is None else to_text(body).encode("utf-8", "replace")
        if isinstance(body, dict | list):
            content = json.dumps(body).encode("ascii")
        content_type = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
        headers = self._table(options.headers, variables)
        if content and not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = content_type
        trace_id = secrets.token_hex(16) if options.traceparent else None
        if trace_id is not None:
            headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        call = Call(
            options.method,
            self._rendered(options.url, variables),
            headers,
            content,
            self._endpoint,
            request.timeout_s,
            self._table(options.query, variables),
        )
        reply = await send(self._context, call)
        response = self._response(self._checked(reply))
        if trace_id is None:
            return response
        metadata = {**response.metadata, "trace_id": trace_id}
        return response.model_copy(update={"metadata": metadata})

    async def aclose(self) -> None:
        """Do nothing: the session's client pool owns the connections."""

    def _checked(self, reply: Reply) -> Reply:
        """Return a reply with a status of success.

        Raises:
            AnswerError: another status.
        """
        try:
            return reply.raise_for_status(", ".join(self.required_env(self._model)) or None)
        except AnswerError as error:
            if error.type != "model_not_found":
                raise
            # A missing path says nothing about a model.
            raise AnswerError(
                "invalid_request", error.message, status=error.status, detail=error.detail
            ) from None

    def _rendered(self, text: str, variables: Mapping[str, Any]) -> str:
        """Render a template."""
        try:
            return render(text, variables)
        except TemplateError as error:
            raise AnswerError("template", f"{self._model.id!r}: {error}") from None

    def _table(self, table: Mapping[str, Value], variables: Mapping[str, Any]) -> dict[str, str]:
        """Render the templates of a table and read its secrets."""
        environ = self._context.environ
        return {
            name: value.read(environ)
            if isinstance(value, EnvValue)
            else _one_line(self._rendered(value, variables))
            for name, value in table.items()
        }

    def _body(self, request: Request, variables: Mapping[str, Any]) -> Json:
        """Return the body; None for none."""
        if self._options.body is not None:
            try:
                return _render_body(self._options.body, variables)
            except (TemplateError, ValueError) as error:
                raise AnswerError("template", f"{self._model.id!r}, body: {error}") from None
        return None if self._options.method in _BODYLESS else {"input": to_json(request.input)}

    def _response(self, reply: Reply) -> Response:
        """Read a reply with a status of success.

        Raises:
            AnswerError: ``malformed``: a path has no value; ``provider``: the body has an error.
        """
        body = self._read(reply)
        try:
            self._raise_error(reply, self._at(self._options.error, body))
            return self._from_paths(reply, body)
        except ValueError as error:
            text = reply.body[:2000].decode("utf-8", "replace")
            raise AnswerError(
                "malformed",
                f"{self._endpoint} answered, but {error}: {quote(text)}",
                status=reply.status,
                transient=False,
                detail=text,
            ) from None

    def _from_paths(self, reply: Reply, body: Json) -> Response:
        """Read the response from the paths of the options."""
        options = self._options
        text = _default_text(body) if options.answer is None else self._at(options.answer, body)
        if text is None:
            raise ValueError(f"`answer: {options.answer}` found nothing in it")
        limits = rate_limit(reply.headers)
        metadata = {name: self._at(path, body) for name, path in options.metadata.items()}
        counts = {name: self._at(path, body) for name, path in options.usage.items()}
        response = Response(
            text=to_text(text),
            tool_calls=tool_calls_of(self._at(options.tool_calls, body)),
            tool_calls_known=options.tool_calls is not None,
            usage=usage_of(counts),
            cost_usd=amount(self._at(options.cost, body), "cost"),
            latency_s=reply.latency_s,
            data=None if isinstance(body, str) else body,
            metadata={**metadata, "rate_limit": limits} if limits else metadata,
        )
        return traced(response, self._at(options.trace, body))

    def _read(self, reply: Reply) -> Json:
        """Read the body as JSON if it is or must be JSON, otherwise as text."""
        must_be_json = "json" in reply.headers.get("content-type", "") or any(
            (self._options.answer, self._options.error, self._options.usage)
        )
        if must_be_json:
            return reply.json()
        try:
            return parse_json(reply.body)
        except ValueError:
            return reply.body.decode("utf-8", "replace")

    def _at(self, path: str | None, body: Json) -> Json:
        """Return the value at a path; None if there is none.

        Raises:
            ValueError: the path cannot be applied to the body.
        """
        if path is None:
            return None
        import jmespath

        try:
            return jmespath.search(path, body)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"`{path}` does not fit the response ({error})") from None

    def _raise_error(self, reply: Reply, error: Json) -> None:
        """Raise the error that the body has."""
        if error is None or error is False or error in ("", [], {}):
            return
        message = error.get("message", error) if isinstance(error, dict) else error
        raise AnswerError(
            "provider",
            f"{self._endpoint} answered with an error: {quote(to_text(message))}",
            status=reply.status,
            detail=to_text(error),
        )


def _variables(request: Request) -> dict[str, Any]:
    """Return the variables of templates."""
    request_variables = {
        "input": request.input,
        "variables": request.variables,
        "messages": [m.model_dump(mode="json", exclude_defaults=True) for m in request.messages],
        "params": request.params,
        "case_id": request.case_id,
        "model": request.model_id,
        "sample": request.sample,
        "turn": request.turn,
    }
    return {**request.variables, **request_variables}


def _render_body(value: Json, variables: Mapping[str, Any]) -> Json:
    """Render the templates in a body."""
    if isinstance(value, str):
        return to_json(evaluate(value, variables))
    if isinstance(value, dict):
        return {
            render(key, variables): _render_body(item, variables) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_render_body(item, variables) for item in value]
    return value


def _one_line(text: str) -> str:
    """Replace line breaks, which headers and addresses cannot have."""
    return " ".join(text.splitlines())


def _default_text(body: Json) -> Json:
    """Return the text under a usual key, otherwise the whole body."""
    if isinstance(body, dict):
        for key in ANSWER_KEYS:
            if isinstance(body.get(key), str):
                return body[key]
    return body
