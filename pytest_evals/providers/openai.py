"""openai: any server that speaks OpenAI's chat completions."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from pytest_evals.exchange import Request, Response, Usage
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message, ToolCall
from pytest_evals.model import Model
from pytest_evals.providers.base import ProviderContext
from pytest_evals.providers.error_mapping import fault
from pytest_evals.providers.http_common import (
    Call,
    Reply,
    Value,
    check_headers,
    check_params,
    check_url,
    exchange,
    names_in,
    open_values,
    read_values,
    secret,
)
from pytest_evals.providers.parsing import arguments_of, count, shown
from pytest_evals.providers.rate_limit_headers import rate_limit

BASE_URL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"
_OURS = frozenset({"messages", "model", "stream", "tools", "response_format"})
"""Parts of the body that parameters cannot replace."""


class OpenAIOptions(Frozen):
    """Where the server is and what it is told besides the question."""

    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """The address before ``/chat/completions``, such as ``http://127.0.0.1:8000/v1``; by default
    OpenAI's own."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the environment variable with the key. By default ``OPENAI_API_KEY`` for OpenAI's
    own server, and no key for any other."""
    headers: Annotated[dict[str, Value], AfterValidator(check_headers)] = Field(
        default_factory=dict
    )
    """Further headers: ``{name: text}``, or ``{name: {env: VARIABLE, prefix: "Bearer "}}`` for a
    secret."""
    query: dict[str, Value] = Field(default_factory=dict)
    """What stands behind ``?`` in the address (``{api-version: "2025-01-01"}``)."""
    organization: str | None = None
    """Sent as ``OpenAI-Organization``."""
    project: str | None = None
    """Sent as ``OpenAI-Project``."""


class OpenAIProvider:
    """Asks any server that speaks OpenAI's chat completions.

    OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, Azure and others do.

    ``params`` go into the body as they are (``temperature``, ``max_tokens``, ``seed``, ...). Tools
    are sent as functions. The answer is the first choice, never streamed. The key is sent to the
    server that it is meant for only: with another ``base_url`` none is sent unless ``api_key_env``
    names one.
    """

    name: ClassVar[str] = "openai"
    Options: ClassVar[type[Frozen]] = OpenAIOptions
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False
    path: ClassVar[str] = "chat/completions"
    """What stands behind the address."""
    example: ClassVar[str] = (
        "{id: local, provider: openai, base_url: http://127.0.0.1:8000/v1, model: qwen3, "
        "params: {temperature: 0}}"
    )

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        self._options = OpenAIOptions.model_validate(model.options)
        self._base_url = self._options.base_url or BASE_URL
        self._url = f"{self._base_url}/{self.path}"
        self._key = _key_name(self._options)
        self._asked = f"{model.model or model.id!r} at {self._base_url}"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Name the key and the variables in headers."""
        options = OpenAIOptions.model_validate(model.options)
        key = _key_name(options)
        named = names_in(options.headers, options.query)
        return ((key,) if key else ()) + named

    def host(self) -> str | None:
        """Return the server's address."""
        return self._base_url

    def prepare(self) -> None:
        """Check the model's name and parameters.

        Raises:
            AnswerError: of type ``invalid_request``.
        """
        if self._model.model is None and self._base_url == BASE_URL:
            raise AnswerError(
                "invalid_request", "no model is named; write openai:NAME or give it a `model`"
            )
        check_params(self._model.params, _OURS)

    def identity(self, request: Request) -> Json:
        """Return the address, the body and the headers without secrets."""
        return {
            "base_url": self._base_url,
            "headers": {**open_values(self._options.headers), **self._account()},
            "query": open_values(self._options.query),
            "body": self._body(request),
        }

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises:
            AnswerError: no answer, with its type.
        """
        environ = self._context.environ
        headers = {"content-type": "application/json", **self._account()}
        if self._key is not None:
            headers["authorization"] = f"Bearer {secret(self._key, environ)}"
        headers.update(read_values(self._options.headers, environ))
        call = Call(
            "POST",
            self._url,
            headers,
            json.dumps(self._body(request)).encode("ascii"),
            self._asked,
            request.timeout_s,
            read_values(self._options.query, environ),
        )
        reply = await exchange(self._context, call)
        if not reply.ok:
            raise fault(reply.status, reply.headers, reply.body, asked=self._asked, key=self._key)
        return self._response(reply)

    async def aclose(self) -> None:
        """Nothing is held: the connections are the pool's."""

    def _account(self) -> dict[str, str]:
        """Return the headers that name an account's part."""
        options = self._options
        named = {
            "openai-organization": options.organization,
            "openai-project": options.project,
        }
        return {name: value for name, value in named.items() if value is not None}

    def _response(self, reply: Reply) -> Response:
        """Read the answer.

        Raises:
            AnswerError: it cannot be read, or holds an error.
        """
        return read_response(reply, self._key)

    def _body(self, request: Request) -> dict[str, Any]:
        """Return what is sent."""
        check_params(request.params, _OURS)
        body: dict[str, Any] = {} if self._model.model is None else {"model": self._model.model}
        body["messages"] = [written_message(message) for message in request.messages]
        body.update(request.params)
        if request.tools:
            body["tools"] = [written_tool(tool) for tool in request.tools]
        if request.response_format is not None:
            body["response_format"] = request.response_format
        return body


def _key_name(options: OpenAIOptions) -> str | None:
    """Return the variable that holds the key; None where no key is sent."""
    if options.api_key_env is not None:
        return options.api_key_env
    sends_own = any(name.lower() == "authorization" for name in options.headers)
    own_server = options.base_url in {None, BASE_URL}
    return KEY if own_server and not sends_own else None


def written_message(message: Message) -> dict[str, Any]:
    """Write a message as the server expects it."""
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        written["name"] = message.name
    if message.tool_calls:
        written["content"] = message.content or None
        written["tool_calls"] = [_call(call, i) for i, call in enumerate(message.tool_calls)]
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    return written


def _call(call: ToolCall, index: int) -> dict[str, Any]:
    """Write a tool call of an earlier answer."""
    arguments = call.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {
        "id": call.id or f"call_{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": text},
    }


def written_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Write a tool's definition: ours is wrapped, one that has a `type` is the server's own."""
    return dict(tool) if "type" in tool else {"type": "function", "function": dict(tool)}


def read_response(reply: Reply, key: str | None) -> Response:
    """Read the answer.

    Raises:
        AnswerError: of type ``malformed``, or what an error in the body says.
    """
    body = reply.json()
    if not isinstance(body, dict):
        raise reply.malformed("with JSON that is not an object")
    choices = body.get("choices")
    if not choices and body.get("error"):
        raise _error_inside(reply, body["error"], key)
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        raise reply.malformed("without `choices[0].message`")
    assert isinstance(first, dict)
    refusal = message.get("refusal")
    refusal = refusal if isinstance(refusal, str) and refusal else None
    return Response(
        text=_text(message.get("content"), reply) or refusal or "",
        tool_calls=_tool_calls(message, reply),
        finish_reason=_finish_reason(first.get("finish_reason"), refusal),
        refusal=refusal,
        usage=usage_of(body.get("usage")),
        latency_s=reply.latency_s,
        model=body["model"] if isinstance(body.get("model"), str) else None,
        metadata=_metadata(reply, body, message),
    )


def _error_inside(reply: Reply, error: object, key: str | None) -> AnswerError:
    """Make the error of a reply that says 200 and holds an error (some gateways do)."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return fault(status, reply.headers, reply.body, asked=reply.asked, key=key)


def _text(content: object, reply: Reply) -> str:
    """Return a message's text, also where it is written in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(text for text in parts if isinstance(text, str))
    raise reply.malformed(f"with a content that is no text ({shown(str(content), 60)})")


def _tool_calls(message: Mapping[str, Any], reply: Reply) -> tuple[ToolCall, ...]:
    """Return the calls that the model asks for."""
    written = message.get("tool_calls") or []
    if not written and isinstance(message.get("function_call"), dict):
        written = [{"function": message["function_call"]}]
    calls = []
    for call in written if isinstance(written, list) else [written]:
        function = call.get("function", call.get("custom")) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise reply.malformed("with a tool call that has no name")
        calls.append(
            ToolCall(
                name=function["name"],
                arguments=arguments_of(function.get("arguments", function.get("input"))),
                id=call["id"] if isinstance(call.get("id"), str) else None,
            )
        )
    return tuple(calls)


def _finish_reason(word: object, refusal: str | None) -> str | None:
    """Return why the answer ended, in our words where there is one."""
    if refusal is not None:
        return "refusal"
    if word == "function_call":
        return "tool_calls"
    return word if isinstance(word, str) else None


def usage_of(written: object) -> Usage:
    """Count the tokens."""
    usage = written if isinstance(written, dict) else {}
    taken = usage.get("prompt_tokens_details")
    given = usage.get("completion_tokens_details")
    taken = taken if isinstance(taken, dict) else {}
    given = given if isinstance(given, dict) else {}
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        output_tokens=count(usage.get("completion_tokens")),
        cached_tokens=count(taken.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))),
        reasoning_tokens=count(given.get("reasoning_tokens")),
    )


def _metadata(reply: Reply, body: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else is worth keeping."""
    kept = {
        "id": body.get("id"),
        "request_id": reply.headers.get("x-request-id"),
        "system_fingerprint": body.get("system_fingerprint"),
        "service_tier": body.get("service_tier"),
        "reasoning": message.get("reasoning_content") or message.get("reasoning"),
        "rate_limit": rate_limit(reply.headers),
    }
    return {name: value for name, value in kept.items() if value}
