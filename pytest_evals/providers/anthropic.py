"""anthropic: any server that speaks Anthropic's Messages API."""

import json
from collections.abc import Iterable, Mapping
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
from pytest_evals.providers.parsing import arguments_of, count, to_text
from pytest_evals.providers.rate_limit_headers import rate_limit

BASE_URL = "https://api.anthropic.com"
KEY = "ANTHROPIC_API_KEY"
API_VERSION = "2023-06-01"
MAX_TOKENS = 4096
"""What `max_tokens` is where the model's parameters do not say it: the API demands one."""
_OURS = frozenset({"messages", "model", "stream", "tools", "system", "response_format"})
"""Parts of the body that parameters cannot replace."""
_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


class AnthropicOptions(Frozen):
    """Where the server is and what it is told besides the question."""

    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """The address before ``/v1/messages``, with or without ``/v1``; by default Anthropic's own."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the environment variable with the key. By default ``ANTHROPIC_API_KEY`` for
    Anthropic's own server, and no key for any other."""
    headers: Annotated[dict[str, Value], AfterValidator(check_headers)] = Field(
        default_factory=dict
    )
    """Further headers: ``{name: text}``, or ``{name: {env: VARIABLE, prefix: "Bearer "}}`` for a
    secret."""
    api_version: str = API_VERSION
    """Sent as ``anthropic-version``."""
    betas: tuple[str, ...] = ()
    """Names of beta features, sent as ``anthropic-beta``."""


class AnthropicProvider:
    """Asks any server that speaks Anthropic's Messages API.

    System messages are lifted out of the thread, ``params`` go into the body as they are, with
    ``max_tokens: 4096`` where they have none. A ``response_format`` with a JSON schema is sent as
    the API's own ``output_config``; other formats are not sent, which the answer's metadata says.
    The key is sent to the server that it is meant for only: with another ``base_url`` none is sent
    unless ``api_key_env`` names one.
    """

    name: ClassVar[str] = "anthropic"
    Options: ClassVar[type[Frozen]] = AnthropicOptions
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False
    example: ClassVar[str] = "{id: claude, provider: anthropic, model: claude-sonnet-4-5}"

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._model = model
        self._context = context
        self._options = AnthropicOptions.model_validate(model.options)
        self._base_url = (self._options.base_url or BASE_URL).removesuffix("/v1")
        self._key = _key_name(self._options)
        self._asked = f"{model.model or model.id!r} at {self._base_url}"

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Name the key and the variables in headers."""
        options = AnthropicOptions.model_validate(model.options)
        key = _key_name(options)
        return ((key,) if key else ()) + names_in(options.headers)

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
                "invalid_request", "no model is named; write anthropic:NAME or give it a `model`"
            )
        check_params(self._model.params, _OURS)

    def identity(self, request: Request) -> Json:
        """Return the address, the body and the headers without secrets."""
        return {
            "base_url": self._base_url,
            "headers": {**open_values(self._options.headers), **self._versions()},
            "body": self._body(request),
        }

    async def complete(self, request: Request) -> Response:
        """Ask once.

        Raises:
            AnswerError: no answer, with its type.
        """
        environ = self._context.environ
        headers = {"content-type": "application/json", **self._versions()}
        if self._key is not None:
            headers["x-api-key"] = secret(self._key, environ)
        headers.update(read_values(self._options.headers, environ))
        body = self._body(request)
        call = Call(
            "POST",
            f"{self._base_url}/v1/messages",
            headers,
            json.dumps(body).encode("ascii"),
            self._asked,
            request.timeout_s,
        )
        reply = await exchange(self._context, call)
        if not reply.ok:
            raise fault(reply.status, reply.headers, reply.body, asked=self._asked, key=self._key)
        response = _response(reply)
        if request.response_format is None or "output_config" in body:
            return response
        note = {"response_format": "not sent: this API takes a JSON schema only"}
        return response.model_copy(update={"metadata": {**response.metadata, **note}})

    async def aclose(self) -> None:
        """Nothing is held: the connections are the pool's."""

    def _versions(self) -> dict[str, str]:
        """Return the headers that choose the API's version."""
        versions = {"anthropic-version": self._options.api_version}
        if self._options.betas:
            versions["anthropic-beta"] = ",".join(self._options.betas)
        return versions

    def _body(self, request: Request) -> dict[str, Any]:
        """Return what is sent."""
        check_params(request.params, _OURS)
        body: dict[str, Any] = {} if self._model.model is None else {"model": self._model.model}
        body["max_tokens"] = MAX_TOKENS
        system = _system(request.messages)
        if system:
            body["system"] = system
        body["messages"] = _thread(request.messages)
        body.update(request.params)
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        schema = _schema(request.response_format)
        if schema is not None:
            asked = body.get("output_config")
            body["output_config"] = {
                **(asked if isinstance(asked, dict) else {}),
                "format": {"type": "json_schema", "schema": schema},
            }
        return body


def _key_name(options: AnthropicOptions) -> str | None:
    """Return the variable that holds the key; None where no key is sent."""
    if options.api_key_env is not None:
        return options.api_key_env
    sends_own = any(name.lower() in {"authorization", "x-api-key"} for name in options.headers)
    own_server = (options.base_url or BASE_URL).removesuffix("/v1") == BASE_URL
    return KEY if own_server and not sends_own else None


def _schema(response_format: Mapping[str, Any] | None) -> Any:
    """Return the JSON schema that an answer must fit; None where there is none."""
    wanted = response_format or {}
    if wanted.get("type") != "json_schema":
        return None
    inner = wanted.get("json_schema")
    return inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")


def _system(messages: Iterable[Message]) -> str | list[dict[str, Any]]:
    """Return what the system messages say: a text, or blocks where one of them has parts."""
    contents = [m.content for m in messages if m.role in {"system", "developer"}]
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "\n\n".join(text for text in texts if text)
    return [block for content in contents for block in _blocks(content)]


def _thread(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Write the thread: results of tools stand together in one message of the user."""
    thread: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for message in messages:
        if message.role in {"system", "developer"}:
            continue
        if message.role == "tool":
            if not results:
                thread.append({"role": "user", "content": results})
            results.append(
                {
                    "type": "tool_result",
                    "tool_use_id": message.tool_call_id or message.name or "",
                    "content": message.content,
                }
            )
            continue
        results = []
        content: str | list[dict[str, Any]] = message.content
        if message.tool_calls:
            content = [*_blocks(content), *map(_tool_use, message.tool_calls)]
        thread.append({"role": message.role, "content": content})
    return thread


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a message's content as blocks; the API takes no empty text."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _tool_use(call: ToolCall) -> dict[str, Any]:
    """Write a tool call of an earlier answer."""
    arguments = call.arguments
    given = arguments if isinstance(arguments, dict) else {"arguments": arguments}
    return {"type": "tool_use", "id": call.id or call.name, "name": call.name, "input": given}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Write a tool's definition: ours and OpenAI's are translated, the API's own is kept."""
    ours = tool.get("function", tool) if tool.get("type") == "function" else tool
    if "type" in ours or "input_schema" in ours:
        return dict(ours)
    written = {key: value for key, value in ours.items() if key not in {"parameters", "strict"}}
    written["input_schema"] = ours.get("parameters") or {"type": "object", "properties": {}}
    return written


def _response(reply: Reply) -> Response:
    """Read the answer.

    Raises:
        AnswerError: of type ``malformed``, or what an error in the body says.
    """
    body = reply.json()
    if not isinstance(body, dict):
        raise reply.malformed("with JSON that is not an object")
    if body.get("type") == "error":
        raise fault(500, reply.headers, reply.body, asked=reply.asked)
    blocks = body.get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise reply.malformed("without a list of `content` blocks")
    text = "".join(_texts(blocks, "text"))
    reason = body.get("stop_reason")
    return Response(
        text=text,
        tool_calls=tuple(_tool_calls(blocks, reply)),
        finish_reason=_FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None,
        refusal=(text or "the model refused") if reason == "refusal" else None,
        usage=usage_of(body.get("usage")),
        latency_s=reply.latency_s,
        model=body["model"] if isinstance(body.get("model"), str) else None,
        metadata=_metadata(reply, body, blocks),
    )


def _texts(blocks: Iterable[Mapping[str, Any]], kind: str) -> list[str]:
    """Return the texts of the blocks of one kind."""
    found = [block.get(kind) for block in blocks if block.get("type") == kind]
    return [text for text in found if isinstance(text, str)]


def _tool_calls(blocks: Iterable[Mapping[str, Any]], reply: Reply) -> list[ToolCall]:
    """Return the calls: those asked for, and those that the server made itself, with results."""
    results = {
        block.get("tool_use_id"): block.get("content")
        for block in blocks
        if str(block.get("type")).endswith("_tool_result")
    }
    calls = []
    for block in blocks:
        if block.get("type") not in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            continue
        if not isinstance(block.get("name"), str):
            raise reply.malformed("with a tool call that has no name")
        mark = block.get("id")
        calls.append(
            ToolCall(
                name=block["name"],
                arguments=arguments_of(block.get("input")),
                id=mark if isinstance(mark, str) else None,
                result=results.get(mark),
                captured=mark in results,
            )
        )
    return calls


def usage_of(written: object) -> Usage:
    """Count the tokens; the API's `input_tokens` leave out what the cache read and wrote."""
    usage = written if isinstance(written, dict) else {}
    fresh = count(usage.get("input_tokens"))
    read = count(usage.get("cache_read_input_tokens"))
    wrote = count(usage.get("cache_creation_input_tokens"))
    parts = [part for part in (fresh, read, wrote) if part is not None]
    details = usage.get("output_tokens_details")
    thinking = details.get("thinking_tokens") if isinstance(details, dict) else None
    return Usage(
        input_tokens=sum(parts) if parts else None,
        output_tokens=count(usage.get("output_tokens")),
        cached_tokens=read,
        cache_write_tokens=wrote,
        reasoning_tokens=count(thinking),
    )


def _metadata(
    reply: Reply, body: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what else is worth keeping; thinking is kept here, apart from the answer."""
    kept = {
        "id": body.get("id"),
        "request_id": reply.headers.get("request-id"),
        "stop_sequence": body.get("stop_sequence"),
        "reasoning": "".join(_texts(blocks, "thinking")),
        "thinking_blocks": sum("thinking" in str(block.get("type")) for block in blocks),
        "rate_limit": rate_limit(reply.headers),
    }
    return {name: to_text(v) if name == "id" else v for name, v in kept.items() if v}
