"""Request, Response and Exchange (their pair): one model call, independent of any provider.

This module knows messages, prices and scripts. It knows nothing of providers, stores or scorers.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.message import Message, ToolCall
from pytest_evals.model import Price
from pytest_evals.script import Script
from pytest_evals.span import Span as Span  # noqa: PLC0414 - re-exported


class Usage(Frozen):
    """Token counts as reported by the provider. None means not reported, which is not zero."""

    input_tokens: int | None = None
    """Input tokens, including cached ones."""
    output_tokens: int | None = None
    """Output tokens, including reasoning."""
    cached_tokens: int | None = None
    """Input tokens read from the provider's cache."""
    cache_write_tokens: int | None = None
    """Input tokens written to the provider's cache."""
    reasoning_tokens: int | None = None
    """Output tokens used for reasoning."""

    @property
    def total_tokens(self) -> int | None:
        """Input plus output tokens; None if neither is known."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def __add__(self, other: "Usage") -> "Usage":
        """Add two usages field by field; an unknown count adds nothing."""
        return Usage(
            **{name: _sum(getattr(self, name), getattr(other, name)) for name in Usage.model_fields}
        )

    def cost(self, price: Price | None) -> float | None:
        """Return the cost in USD; None if the price or the token counts are unknown."""
        if price is None or self.total_tokens is None:
            return None
        cached = self.cached_tokens or 0
        cache_written = self.cache_write_tokens or 0
        uncached = max(0, (self.input_tokens or 0) - cached - cache_written)
        cached_price = price.input if price.cached_input is None else price.cached_input
        write_price = price.input if price.cache_write is None else price.cache_write
        micro_usd = (
            uncached * price.input
            + cached * cached_price
            + cache_written * write_price
            + (self.output_tokens or 0) * price.output
        )
        return micro_usd / 1_000_000 + price.request


def total_usage(usages: Sequence[Usage]) -> Usage:
    """Sum token usage.

    Returns empty usage (all None) if there are no usages, or if one of them reports no tokens: a
    sum without it would be too low.
    """
    is_known = bool(usages) and all(usage.total_tokens is not None for usage in usages)
    return reduce(add, usages) if is_known else Usage()


def _sum(a: int | None, b: int | None) -> int | None:
    """Add two counts; an unknown count adds nothing."""
    return b if a is None else a if b is None else a + b


class Request(Frozen):
    """One call of a model: what a provider needs, without the expected output.

    A provider sends a part of it. Only that part enters the Key (see `Provider.identity`).
    """

    messages: tuple[Message, ...]
    """The rendered conversation so far; the last message is the current prompt."""
    input: Any = None
    """The case's input as written; in a conversation, the text of the current turn."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """The case's variables, for providers that render a request body."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters."""
    tools: tuple[dict[str, Any], ...] = ()
    """Tool definitions: name, description, parameters (JSON Schema)."""
    response_format: dict[str, Any] | None = None
    """The provider's option for structured output; None for none."""
    case_id: str = ""
    """Id of the case, for messages and user code. The built-in providers never send it."""
    model_id: str = ""
    """Id of the model; empty if unknown."""
    sample: int = 0
    """0-based."""
    turn: int = 0
    """0-based index of the user message in the conversation."""
    turns: int = 1
    """Number of user messages in the conversation, >= 1."""
    script: Script | None = Field(default=None, exclude=True)
    """Recorded responses, for the ``script`` provider only; stored with the case, not here."""
    timeout_s: float | None = None
    """Timeout of this attempt in seconds; None: no limit."""


class Response(Frozen):
    """The response of a model or target."""

    text: str = ""
    """Text of the final message."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tool calls requested or made before this response, in order."""
    tool_calls_known: bool = True
    """Whether `tool_calls` is all of them; False if some or all are unknown."""
    finish_reason: str | None = None
    """stop, length, tool_calls, content_filter, refusal, or the provider's value."""
    refusal: str | None = None
    """The refusal, if the provider reports it as a separate field."""
    usage: Usage = Usage()
    """Token counts of the call."""
    cost_usd: float | None = None
    """Cost in USD reported by the target; None computes it from the model's price."""
    latency_s: float | None = None
    """Seconds from request to complete response, without queueing and earlier attempts."""
    model: str | None = None
    """Name of the model as reported by the server."""
    messages: tuple[Message, ...] = ()
    """Messages added by the target, if there are more than one."""
    trace: tuple[Span, ...] = ()
    """Spans of the application, in the order of their start."""
    trace_notes: tuple[str, ...] = ()
    """Defects of the trace, such as truncated spans or a missing parent."""
    data: Any = None
    """Structured output, if the target returned any."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Other facts (request id, system fingerprint)."""
    faults: tuple[str, ...] = ()
    """Problems that make the trial an error although there is a response (unused events)."""
    output: str = ""
    """Output that user code printed during the call."""

    @property
    def message(self) -> Message:
        """The response as an assistant message, to continue the conversation."""
        return Message(role="assistant", content=self.text, tool_calls=self.tool_calls)


class ErrorInfo(Frozen):
    """An `AnswerError` as a value that can be stored."""

    type: ErrorType
    """The cause."""
    message: str
    """What happened and what to do."""
    status: int | None = None
    """HTTP status of the reply; None if there was no HTTP reply."""
    detail: str | None = None
    """Traceback of user code, or the body of the server's reply."""

    @classmethod
    def of(cls, error: AnswerError) -> "ErrorInfo":
        """Convert an error to its stored form."""
        return cls(type=error.type, message=error.message, status=error.status, detail=error.detail)


class Exchange(Frozen):
    """A request and its response, or the error in place of it."""

    request: Request
    """What was sent."""
    response: Response | None = None
    """What the model returned; None if there is an error."""
    error: ErrorInfo | None = None
    """Why there is no response; None if there is one."""
    role: str = "answer"
    """``answer`` for the model under test, or ``judge:<name>``."""
    model_id: str = ""
    """Id of the called model."""
    key: str = ""
    """Key of the request: sha256 of everything that can change the response."""
    source: str = "asked"
    """``asked`` (called now), ``stored`` (from the store), ``cassette`` or ``scripted``."""
    cost_usd: float | None = None
    """Cost in USD; None if unknown. A stored response has the cost of the original call."""
    attempts: tuple[ErrorInfo, ...] = ()
    """Failed attempts before this one, in order."""
