"""OpenAI's chat format: the body of a request, and the response that a body means.

Many servers speak it, and so do other libraries. This module sends nothing.
"""
# ruff: noqa: TRY004 - `parse_body` reports every unusable body as a ValueError

import json
from collections.abc import Mapping
from typing import Any, Final

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.message import Message, ToolCall
from pytest_evals.providers.parsing import arguments_of, quote
from pytest_evals.providers.usage import openai_usage


def write_body(model: str | None, request: Request) -> dict[str, Any]:
    """Return the body of a request."""
    body: dict[str, Any] = {} if model is None else {"model": model}
    body["messages"] = [_write_message(message) for message in request.messages]
    body.update(request.params)
    if request.tools:
        body["tools"] = [_write_tool(tool) for tool in request.tools]
    if request.response_format is not None:
        body["response_format"] = request.response_format
    return body


def _write_message(message: Message) -> dict[str, Any]:
    """Write a message."""
    written: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        written["name"] = message.name
    if message.tool_calls:
        written["content"] = message.content or None
        written["tool_calls"] = [_write_call(call, i) for i, call in enumerate(message.tool_calls)]
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    return written


def _write_call(call: ToolCall, index: int) -> dict[str, Any]:
    """Write a tool call of an earlier response."""
    arguments = {} if call.arguments is None else call.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {
        "id": call.id or f"call_{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": text},
    }


def _write_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Write a tool definition: wrap ours, keep one that has a `type`."""
    return dict(tool) if "type" in tool else {"type": "function", "function": dict(tool)}


def parse_body(data: Mapping[str, Any]) -> Response:
    """Return the response that the first choice of a body means.

    Raises:
        ValueError: it has no choice with a message.
        AnswerError: its finish reason is a failure.
    """
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise ValueError("without `choices[0].message`")
    _raise_failure(choice.get("finish_reason"))
    refusal = message.get("refusal")
    refusal = refusal if isinstance(refusal, str) and refusal else None
    return Response(
        text=_text(message.get("content")) or refusal or "",
        tool_calls=_tool_calls(message),
        finish_reason=_finish_reason(choice.get("finish_reason"), refusal),
        refusal=refusal,
        usage=openai_usage(data.get("usage")),
        cost_usd=_cost(data.get("usage")),
        metadata=_metadata(data, message),
    )


def error_in(data: Mapping[str, Any]) -> object:
    """Return the error of a body or of its first choice; gateways send both with status 200."""
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return data.get("error") or (choice.get("error") if isinstance(choice, dict) else None)


_FILTERED: Final[tuple[ErrorType, bool]] = ("content_filtered", False)
_BROKEN_OFF: Final[tuple[ErrorType, bool]] = ("provider", True)
_FAILURES: Mapping[str, tuple[ErrorType, bool]] = {
    "error": _BROKEN_OFF,  # OpenRouter, vLLM
    "abort": _BROKEN_OFF,  # vLLM: vllm#57082; SGLang: sglang#6693
    "aborted": _BROKEN_OFF,
    "cancelled": _BROKEN_OFF,
    "malformed_function_call": _BROKEN_OFF,  # Gemini: python-genai#1836, pydantic-ai#3300
    "function_call_filter": _BROKEN_OFF,  # the same, by Gemini's endpoint for OpenAI's clients
    "insufficient_system_resource": ("overloaded", True),  # DeepSeek
    "content_filter": _FILTERED,  # OpenAI, Azure: the same as with status 400
    # Gemini passes its own names on: HKUDS/Vibe-Trading#308
    "safety": _FILTERED,
    "recitation": _FILTERED,
    "blocklist": _FILTERED,
    "prohibited_content": _FILTERED,
    "spii": _FILTERED,
}


def failure_of(reason: object) -> tuple[ErrorType, bool] | None:
    """Return what a finish reason of a failed generation means; None if it is no failure.

    Args:
        reason: as it is written: ``error``, ``SAFETY``, ``content_filter: RECITATION``.

    Returns:
        Our type of the error, and whether a retry may help.
    """
    if not isinstance(reason, str):
        return None
    return _FAILURES.get(reason.partition(":")[0].strip().lower())


def _raise_failure(reason: object) -> None:
    """Raise the error of a finish reason that is a failure."""
    failure = failure_of(reason)
    if failure is not None:
        type_, transient = failure
        raise AnswerError(type_, f"the generation failed ({reason})", transient=transient)


def _cost(usage: object) -> float | None:
    """Return the cost in USD that OpenRouter reports: its own, and that of a key of the user's."""
    counts = usage if isinstance(usage, Mapping) else {}
    details = counts.get("cost_details")
    upstream = details.get("upstream_inference_cost") if isinstance(details, Mapping) else None
    parts = (counts.get("cost"), upstream if counts.get("is_byok") is True else None)
    costs = [float(c) for c in parts if isinstance(c, int | float) and not isinstance(c, bool)]
    return sum(costs) if costs and min(costs) >= 0 else None


def _text(content: object) -> str:
    """Return the text of a message, which may be written in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(text for text in parts if isinstance(text, str))
    raise ValueError(f"with a content that is no text ({quote(str(content), 60)})")


def _tool_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the tool calls of a message."""
    entries = message.get("tool_calls") or []
    if not entries and isinstance(message.get("function_call"), dict):
        entries = [{"function": message["function_call"]}]
    calls = []
    for entry in entries if isinstance(entries, list) else [entries]:
        function = entry.get("function", entry.get("custom")) if isinstance(entry, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ValueError("with a tool call that has no name")
        calls.append(
            ToolCall(
                name=function["name"],
                arguments=arguments_of(function.get("arguments", function.get("input"))),
                id=entry["id"] if isinstance(entry.get("id"), str) else None,
            )
        )
    return tuple(calls)


def _finish_reason(reason: object, refusal: str | None) -> str | None:
    """Return the finish reason, in our terms where there is one."""
    if refusal is not None:
        return "refusal"
    if reason == "function_call":
        return "tool_calls"
    return reason if isinstance(reason, str) else None


def _metadata(data: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else is kept of a body."""
    metadata = {
        "id": data.get("id"),
        "system_fingerprint": data.get("system_fingerprint"),
        "service_tier": data.get("service_tier"),
        "reasoning": message.get("reasoning_content") or message.get("reasoning"),
    }
    return {name: value for name, value in metadata.items() if value}
