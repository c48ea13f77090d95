"""anthropic: any server with Anthropic's Messages API."""
# ruff: noqa: TRY004 - `parse` reports every unusable body as a ValueError

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message, ToolCall
from pytest_evals.providers.chat import ChatOptions, ChatProvider
from pytest_evals.providers.option_types import BaseUrl, EnvName
from pytest_evals.providers.parsing import arguments_of, to_text
from pytest_evals.providers.usage import anthropic_usage

API_VERSION = "2023-06-01"
MAX_TOKENS = 4096
"""The default of `max_tokens`, which the API requires."""
_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


class AnthropicOptions(ChatOptions):
    """Options of the `anthropic` provider."""

    base_url: BaseUrl | None = None
    """The address before ``/v1/messages``, with or without ``/v1``; by default Anthropic's own."""
    api_key_env: EnvName | None = None
    """Name of the environment variable with the API key. By default ``ANTHROPIC_API_KEY`` for
    Anthropic's own server, and no key for any other server."""
    api_version: str = API_VERSION
    """Sent as ``anthropic-version``."""
    betas: tuple[str, ...] = ()
    """Names of beta features, sent as ``anthropic-beta``."""


class AnthropicProvider(ChatProvider):
    """Calls any server with Anthropic's Messages API.

    System messages are sent as ``system``. ``params`` go into the body unchanged, with
    ``max_tokens: 4096`` by default. A ``response_format`` with a JSON schema is sent as the API's
    ``output_config``; other formats are not sent, and the response's metadata says so. The API key
    is sent to the server that it belongs to only: with another ``base_url`` none is sent unless
    ``api_key_env`` names one.
    """

    name: ClassVar[str] = "anthropic"
    Options: ClassVar[type[Frozen]] = AnthropicOptions
    server: ClassVar[str | None] = "https://api.anthropic.com"
    path: ClassVar[str] = "v1/messages"
    key_env: ClassVar[str | None] = "ANTHROPIC_API_KEY"
    key_header: ClassVar[str] = "x-api-key"
    key_prefix: ClassVar[str] = ""
    request_id_header: ClassVar[str] = "request-id"
    reserved: ClassVar[frozenset[str]] = ChatProvider.reserved | {"system"}
    example: ClassVar[str] = "{id: claude, provider: anthropic, model: claude-sonnet-4-5}"
    options: AnthropicOptions

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body of a message request."""
        body: dict[str, Any] = {} if self.model.model is None else {"model": self.model.model}
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
            config = body.get("output_config")
            body["output_config"] = {
                **(config if isinstance(config, dict) else {}),
                "format": {"type": "json_schema", "schema": schema},
            }
        return body

    def parse(self, data: Mapping[str, Any]) -> Response:
        """Return the text, tool calls and usage of a message.

        Raises:
            ValueError: it has no content blocks.
            AnswerError: the response is unfinished.
        """
        blocks = data.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise ValueError("without a list of `content` blocks")
        text = "".join(_texts(blocks, "text"))
        reason = data.get("stop_reason")
        if reason == "pause_turn":  # a server tool needs another request to go on
            message = "the response is unfinished (stop_reason: pause_turn)"
            raise AnswerError("provider", message, transient=False)
        return Response(
            text=text,
            tool_calls=tuple(_tool_calls(blocks)),
            finish_reason=_FINISH_REASONS.get(reason, reason) if isinstance(reason, str) else None,
            refusal=(text or "the model refused") if reason == "refusal" else None,
            usage=anthropic_usage(data.get("usage")),
            metadata=_metadata(data, blocks),
        )

    def error_in(self, data: Mapping[str, Any]) -> object:
        """Return the error of a body that is one."""
        return (data.get("error") or data) if data.get("type") == "error" else None

    def api_headers(self) -> dict[str, str]:
        """Return the headers with the API's version and beta features."""
        headers = {"anthropic-version": self.options.api_version}
        if self.options.betas:
            headers["anthropic-beta"] = ",".join(self.options.betas)
        return headers

    @classmethod
    def address(cls, options: ChatOptions) -> str | None:
        """Return the address without ``/v1``, which the path has."""
        return (super().address(options) or "").removesuffix("/v1") or None

    async def complete(self, request: Request) -> Response:
        """Call the model once; note a response format that was not sent.

        Raises:
            AnswerError: no response, with the reason's type.
        """
        response = await super().complete(request)
        if request.response_format is None or "output_config" in self.body(request):
            return response
        note = {"response_format": "not sent: this API takes a JSON schema only"}
        return response.model_copy(update={"metadata": {**response.metadata, **note}})


def _schema(response_format: Mapping[str, Any] | None) -> Any:
    """Return the JSON schema of a response format; None if it has none."""
    form = response_format or {}
    if form.get("type") != "json_schema":
        return None
    inner = form.get("json_schema")
    return inner.get("schema") if isinstance(inner, dict) else form.get("schema")


def _system(messages: Iterable[Message]) -> str | list[dict[str, Any]]:
    """Return the system messages as a text, or as blocks if one of them has parts."""
    contents = [m.content for m in messages if m.role in {"system", "developer"}]
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "\n\n".join(text for text in texts if text)
    return [block for content in contents for block in _blocks(content)]


def _thread(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Write the thread; adjacent tool results share one user message."""
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
    """Return a message's content as blocks; the API rejects empty text."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _tool_use(call: ToolCall) -> dict[str, Any]:
    """Write a tool call of an earlier response."""
    arguments = {} if call.arguments is None else call.arguments
    value = arguments if isinstance(arguments, dict) else {"arguments": arguments}
    return {"type": "tool_use", "id": call.id or call.name, "name": call.name, "input": value}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Write a tool definition: translate ours and OpenAI's, keep one in Anthropic's form."""
    function = tool.get("function", tool) if tool.get("type") == "function" else tool
    if "type" in function or "input_schema" in function:
        return dict(function)
    written = {key: item for key, item in function.items() if key not in {"parameters", "strict"}}
    written["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    return written


def _texts(blocks: Iterable[Mapping[str, Any]], type_: str) -> list[str]:
    """Return the texts of the blocks of one type."""
    texts = [block.get(type_) for block in blocks if block.get("type") == type_]
    return [text for text in texts if isinstance(text, str)]


def _tool_calls(blocks: Iterable[Mapping[str, Any]]) -> list[ToolCall]:
    """Return the requested tool calls, and the server's own calls with their results."""
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
            raise ValueError("with a tool call that has no name")
        call_id = block.get("id")
        calls.append(
            ToolCall(
                name=block["name"],
                arguments=arguments_of(block.get("input")),
                id=call_id if isinstance(call_id, str) else None,
                result=results.get(call_id),
                captured=call_id in results,
            )
        )
    return calls


def _metadata(data: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what else is kept of a body; thinking is kept apart from the text."""
    metadata = {
        "id": data.get("id"),
        "stop_sequence": data.get("stop_sequence"),
        "reasoning": "".join(_texts(blocks, "thinking")),
        "thinking_blocks": sum("thinking" in str(block.get("type")) for block in blocks),
    }
    return {name: to_text(v) if name == "id" else v for name, v in metadata.items() if v}
