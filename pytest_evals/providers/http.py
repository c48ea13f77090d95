"""http: any endpoint that takes a question and gives JSON or text."""

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
from pytest_evals.providers.http_common import Call, Reply, send
from pytest_evals.providers.option_types import (
    EnvValue,
    HeaderTable,
    Value,
    check_url,
    env_names,
    literal_values,
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
"""Where an answer is looked for when `answer` does not say it: the first that holds a text."""
_BODYLESS = frozenset({"GET", "HEAD", "DELETE"})


def _check_templates(value: Json) -> Json:
    """Refuse a template whose syntax is wrong, wherever it stands."""
    for text in _texts(value):
        try:
            unknown_variables(text, ())
        except TemplateError as error:
            raise ValueError(str(error)) from None
    return value


def _texts(value: Json) -> Iterator[str]:
    """Yield every text inside a value."""
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
    """Refuse a JMESPath expression that does not compile."""
    import jmespath

    try:
        jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"not a JMESPath expression ({first})") from None
    return path


Path = Annotated[str, AfterValidator(_check_path)]
"""A JMESPath expression, such as ``data.choices[0].text``."""


class HttpOptions(Frozen):
    """What is sent where, and where the answer stands in what comes back.

    ``url``, ``query``, ``headers`` and every text in ``body`` are Jinja2 templates. They know
    ``input``, the case's variables by their names and together as ``variables``, ``messages``
    (role and content), ``params``, ``case_id``, ``model``, ``sample`` and ``turn``. A text that is
    nothing but one expression (``"{{ messages }}"``) becomes that value as JSON: a list stays a
    list, a number a number. Any other template becomes a text.
    """

    url: str = Field(min_length=1)
    """The endpoint's address."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """GET, POST, PUT, PATCH or DELETE."""
    headers: HeaderTable = Field(default_factory=dict)
    """Headers: ``{name: text}``, or ``{name: {env: VARIABLE, prefix: "Bearer "}}`` for a secret."""
    query: dict[str, Value] = Field(default_factory=dict)
    """What stands behind ``?`` in the address; secrets as in `headers`."""
    body: Any = None
    """What is sent: a mapping or list as JSON, a text as it is; by default ``{"input": ...}``, and
    nothing with GET and DELETE."""
    answer: Path | None = None
    """Where the answer stands in the JSON that comes back. By default a body that is no JSON object
    is the answer itself, and in an object the first of answer, text, output, response, content,
    message, result and completion that is a text, else all of it."""
    error: Path | None = None
    """Where an error stands: when something is found there, there is no answer."""
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
    """Where token counts stand, by name: input_tokens, output_tokens, cached_tokens,
    cache_write_tokens, reasoning_tokens."""
    cost: Path | None = None
    """Where the cost in USD stands."""
    tool_calls: Path | None = None
    """Where a list of tool calls stands: names, or mappings with name, arguments, result."""
    trace: Path | None = None
    """Where a trace stands: OTLP/JSON (an object with ``resourceSpans``) or a list of spans."""
    traceparent: bool = False
    """Whether each call has a W3C ``traceparent`` header of its own, sampled, whose trace id is
    kept in the answer's metadata as ``trace_id``: by it the trace is found in your backend."""
    metadata: dict[str, Path] = Field(default_factory=dict)
    """What else is kept, by the name it is kept under."""

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        """Refuse what is no address; a template decides its own host only in full."""
        host = (value.partition("://")[2] or value).partition("/")[0]
        if not is_template(host):
            check_url(value)
        return value

    @model_validator(mode="after")
    def _templates(self) -> "HttpOptions":
        """Refuse templates whose syntax is wrong."""
        _check_templates(
            [self.url, self.body, literal_values(self.headers), literal_values(self.query)]
        )
        return self


class HttpProvider:
    """Asks any HTTP endpoint: an application's own API, with its own body and its own answer.

    The body is templated, and JMESPath expressions say where the answer, the usage, the cost, the
    tool calls or an error stand. What answers is code that can change unseen, so stored answers are
    not used again unless the model says ``stored: true``.
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
        self._asked = f"{model.id!r} at {self._address}"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Name the variables in headers and query."""
        options = HttpOptions.model_validate(model.options)
        return env_names(options.headers, options.query)

    def host(self) -> str | None:
        """Return the endpoint's address; None where a template decides it."""
        return None if is_template(self._address) else self._address

    def prepare(self) -> None:
        """Nothing needs checking: paths and templates were checked with the dataset."""

    def identity(self, request: Request) -> Json:
        """Return what is sent, rendered, without secrets.

        Raises:
            AnswerError: of type ``template``: something does not render for this case.
        """
        known = _variables(request)
        return {
            "method": self._options.method,
            "url": self._rendered(self._options.url, known),
            "query": self._table(literal_values(self._options.query), known),
            "headers": self._table(literal_values(self._options.headers), known),
            "body": self._body(request, known),
        }

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises:
            AnswerError: no answer, with its type.
        """
        options, known = self._options, _variables(request)
        body = self._body(request, known)
        raw = b"" if body is None else to_text(body).encode("utf-8", "replace")
        if isinstance(body, dict | list):
            raw = json.dumps(body).encode("ascii")
        kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
        headers = self._table(options.headers, known)
        if raw and not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = kind
        trace_id = secrets.token_hex(16) if options.traceparent else None
        if trace_id is not None:
            headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        call = Call(
            options.method,
            self._rendered(options.url, known),
            headers,
            raw,
            self._asked,
            request.timeout_s,
            self._table(options.query, known),
        )
        reply = await send(self._context, call)
        response = self._response(self._checked(reply))
        if trace_id is None:
            return response
        kept = {**response.metadata, "trace_id": trace_id}
        return response.model_copy(update={"metadata": kept})

    async def aclose(self) -> None:
        """Nothing is held: the connections are the pool's."""

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

    def _rendered(self, text: str, known: Mapping[str, Any]) -> str:
        """Render a template."""
        try:
            return render(text, known)
        except TemplateError as error:
            raise AnswerError("template", f"{self._model.id!r}: {error}") from None

    def _table(self, table: Mapping[str, Value], known: Mapping[str, Any]) -> dict[str, str]:
        """Render a table's templates, and read its secrets."""
        environ = self._context.environ
        return {
            name: value.read(environ)
            if isinstance(value, EnvValue)
            else _one_line(self._rendered(value, known))
            for name, value in table.items()
        }

    def _body(self, request: Request, known: Mapping[str, Any]) -> Json:
        """Return what is sent; None where nothing is."""
        if self._options.body is not None:
            try:
                return _filled(self._options.body, known)
            except (TemplateError, ValueError) as error:
                raise AnswerError("template", f"{self._model.id!r}, body: {error}") from None
        return None if self._options.method in _BODYLESS else {"input": to_json(request.input)}

    def _response(self, reply: Reply) -> Response:
        """Read the answer.

        Raises:
            AnswerError: ``malformed``: nothing is where the options say; ``provider``: an error is.
        """
        body = self._read(reply)
        try:
            self._raise_error(reply, self._at(self._options.error, body))
            return self._named(reply, body)
        except ValueError as error:
            text = reply.body[:2000].decode("utf-8", "replace")
            raise AnswerError(
                "malformed",
                f"{self._asked} answered, but {error}: {quote(text)}",
                status=reply.status,
                transient=False,
                detail=text,
            ) from None

    def _named(self, reply: Reply, body: Json) -> Response:
        """Take the answer and its kin from where the options say they stand."""
        options = self._options
        answer = _usual(body) if options.answer is None else self._at(options.answer, body)
        if answer is None:
            raise ValueError(f"`answer: {options.answer}` found nothing in it")
        state = rate_limit(reply.headers)
        kept = {name: self._at(path, body) for name, path in options.metadata.items()}
        counts = {name: self._at(path, body) for name, path in options.usage.items()}
        response = Response(
            text=to_text(answer),
            tool_calls=tool_calls_of(self._at(options.tool_calls, body)),
            usage=usage_of(counts),
            cost_usd=amount(self._at(options.cost, body), "cost"),
            latency_s=reply.latency_s,
            data=None if isinstance(body, str) else body,
            metadata={**kept, "rate_limit": state} if state else kept,
        )
        return traced(response, self._at(options.trace, body))

    def _read(self, reply: Reply) -> Json:
        """Read the body: JSON where it is JSON or must be, else text."""
        kind = reply.headers.get("content-type", "")
        must = "json" in kind or any(
            (self._options.answer, self._options.error, self._options.usage)
        )
        if must:
            return reply.json()
        try:
            return parse_json(reply.body)
        except ValueError:
            return reply.body.decode("utf-8", "replace")

    def _at(self, path: str | None, body: Json) -> Json:
        """Return what stands at a path; None for nothing.

        Raises:
            ValueError: the path does not fit what came back.
        """
        if path is None:
            return None
        import jmespath

        try:
            return jmespath.search(path, body)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"`{path}` does not fit what came back ({error})") from None

    def _raise_error(self, reply: Reply, error: Json) -> None:
        """Raise what stands where an error is looked for."""
        if error is None or error is False or error in ("", [], {}):
            return
        said = error.get("message", error) if isinstance(error, dict) else error
        raise AnswerError(
            "provider",
            f"{self._asked} answered with an error: {quote(to_text(said))}",
            status=reply.status,
            detail=to_text(error),
        )


def _variables(request: Request) -> dict[str, Any]:
    """Return what templates know."""
    own = {
        "input": request.input,
        "variables": request.variables,
        "messages": [m.model_dump(mode="json", exclude_defaults=True) for m in request.messages],
        "params": request.params,
        "case_id": request.case_id,
        "model": request.model_id,
        "sample": request.sample,
        "turn": request.turn,
    }
    return {**request.variables, **own}


def _filled(value: Json, known: Mapping[str, Any]) -> Json:
    """Fill the templates in a body."""
    if isinstance(value, str):
        return to_json(evaluate(value, known))
    if isinstance(value, dict):
        return {render(key, known): _filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    return value


def _one_line(text: str) -> str:
    """Take line breaks out of what becomes a header or a part of an address."""
    return " ".join(text.splitlines())


def _usual(body: Json) -> Json:
    """Return the answer from where it usually stands."""
    if isinstance(body, dict):
        for key in ANSWER_KEYS:
            if isinstance(body.get(key), str):
                return body[key]
    return body
