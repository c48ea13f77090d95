"""Request, Response and their pair: the neutral question and answer between us and any model."""

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
from pytest_evals.span import Span as Span  # noqa: PLC0414 - told on to others


class Usage(Frozen):
    """Tokens, as the provider counted them. None is not reported, which is not zero."""

    input_tokens: int | None = None
    """All input tokens, cached ones included."""
    output_tokens: int | None = None
    """All output tokens, reasoning included."""
    cached_tokens: int | None = None
    """Input tokens that came from the provider's cache."""
    cache_write_tokens: int | None = None
    """Input tokens that were written to the provider's cache."""
    reasoning_tokens: int | None = None
    """Output tokens spent on reasoning."""

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; None where neither is known."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def __add__(self, other: "Usage") -> "Usage":
        """Add two usages field by field; unknown and known is known."""
        return Usage(
            **{name: _sum(getattr(self, name), getattr(other, name)) for name in Usage.model_fields}
        )

    def cost(self, price: Price | None) -> float | None:
        """Return what this cost in USD; None where the price or the tokens are unknown."""
        if price is None or self.total_tokens is None:
            return None
        cached = self.cached_tokens or 0
        written = self.cache_write_tokens or 0
        fresh = max(0, (self.input_tokens or 0) - cached - written)
        cached_price = price.input if price.cached_input is None else price.cached_input
        write_price = price.input if price.cache_write is None else price.cache_write
        millionths = (
            fresh * price.input
            + cached * cached_price
            + written * write_price
            + (self.output_tokens or 0) * price.output
        )
        return millionths / 1_000_000 + price.request


def total_usage(usages: Sequence[Usage]) -> Usage:
    """Return the sum of usages; nothing reported is the sum of none."""
    return reduce(add, usages) if usages else Usage()


def _sum(a: int | None, b: int | None) -> int | None:
    """Add what is known."""
    return b if a is None else a if b is None else a + b


class Request(Frozen):
    """One question to a model: what a provider needs, and nothing of what would be a right answer.

    A provider takes from it what it sends; only that enters the Key (see `Provider.identity`).
    """

    messages: tuple[Message, ...]
    """The whole thread so far, rendered; the last one is what is asked."""
    input: Any = None
    """The case's input as it was written (a turn's text in a conversation of several turns)."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """The case's variables, for providers that render a body of their own."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters."""
    tools: tuple[dict[str, Any], ...] = ()
    """Tool definitions: name, description, parameters (JSON Schema)."""
    response_format: dict[str, Any] | None = None
    case_id: str = ""
    """Whose question this is; for messages and user code, never sent by our providers."""
    model_id: str = ""
    sample: int = 0
    """0-based."""
    turn: int = 0
    """0-based index of the user message in the conversation."""
    turns: int = 1
    """How many user messages the conversation has."""
    script: Script | None = Field(default=None, exclude=True)
    """Recorded answers, for the ``script`` provider alone; stored with the case, not here."""
    timeout_s: float | None = None
    """Seconds this attempt may take."""


class Response(Frozen):
    """What a model answered."""

    text: str = ""
    """The final answer's text."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls asked for or made on the way to this answer, in order."""
    finish_reason: str | None = None
    """stop, length, tool_calls, content_filter, refusal, or the provider's own word."""
    refusal: str | None = None
    """The model's refusal, where the provider tells it apart."""
    usage: Usage = Usage()
    cost_usd: float | None = None
    """What the answerer itself says it cost; None leaves it to the model's price."""
    latency_s: float | None = None
    """Seconds from asking to the whole answer, without waiting and without earlier attempts."""
    model: str | None = None
    """The name of the model as the server reports it."""
    messages: tuple[Message, ...] = ()
    """Messages added by the answerer, where they are more than the one answer."""
    trace: tuple[Span, ...] = ()
    """What happened inside the application, in the order it began."""
    trace_notes: tuple[str, ...] = ()
    """What is not whole or not right about the trace: what was cut, a parent that is missing."""
    data: Any = None
    """A structured answer, where the answerer gave one."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything else worth keeping (request id, system fingerprint)."""
    faults: tuple[str, ...] = ()
    """What is wrong with the recording or the run, though there is an answer (events left over)."""
    output: str = ""
    """What the user's code printed meanwhile."""

    @property
    def message(self) -> Message:
        """The answer as the assistant's message, to go on with the thread."""
        return Message(role="assistant", content=self.text, tool_calls=self.tool_calls)


class ErrorInfo(Frozen):
    """An `AnswerError` as a value that can be stored."""

    type: ErrorType
    message: str
    status: int | None = None
    """The HTTP status, where there was one."""
    detail: str | None = None
    """A traceback of the user's code or a server's body."""

    @classmethod
    def of(cls, error: AnswerError) -> "ErrorInfo":
        """Keep what a stored record needs of an error."""
        return cls(type=error.type, message=error.message, status=error.status, detail=error.detail)


class Exchange(Frozen):
    """A question and its answer, or why there is none."""

    request: Request
    response: Response | None = None
    error: ErrorInfo | None = None
    role: str = "answer"
    """``answer`` of the model under test, or ``judge:<name>``."""
    model_id: str = ""
    key: str = ""
    """The Key of the question: sha256 of everything that can change the answer."""
    source: str = "asked"
    """asked, stored (in the store), cassette, or scripted."""
    cost_usd: float | None = None
    """USD; None is unknown. A stored answer cost what it cost when it was asked."""
    attempts: tuple[ErrorInfo, ...] = ()
    """The attempts that failed before this one, in order."""
