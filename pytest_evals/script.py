"""Recorded answers that stand in a case: what the ``script`` provider plays back."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pytest_evals.ground.canonical import Frozen
from pytest_evals.span import Span

ScriptErrorType = Literal[
    "rate_limit",
    "overloaded",
    "timeout",
    "context_overflow",
    "invalid_request",
    "unauthorized",
    "model_not_found",
    "content_filtered",
    "provider",
]


class ScriptTokens(Frozen):
    """Token counts as a provider reports them; None is not reported."""

    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    total_tokens: int | None = Field(default=None, ge=0)
    cache_read_tokens: int | None = Field(default=None, ge=0)
    cache_creation_tokens: int | None = Field(default=None, ge=0)
    thinking_tokens: int | None = Field(default=None, ge=0)


class ChatResponseEvent(Frozen):
    """A text answer: it ends the model's turn."""

    kind: Literal["chat_response"]
    content: str
    tokens: ScriptTokens = ScriptTokens()
    finish_reason: str = "stop"
    latency_s: float | None = Field(default=None, ge=0)
    """How long the recorded answer took, in seconds."""
    trace: tuple[Span, ...] = ()
    """The spans of the recorded turn."""


class ToolCallEvent(Frozen):
    """A tool the model called before it answered; `result` where the recording kept it."""

    kind: Literal["tool_call"]
    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)
    id: str | None = None
    result: Any = None
    error: str | None = None
    """The tool's own error."""
    tokens: ScriptTokens = ScriptTokens()

    @property
    def captured(self) -> bool:
        """Whether the recording holds what the tool gave back."""
        return "result" in self.model_fields_set or self.error is not None


class ErrorEvent(Frozen):
    """The provider's error: it ends the conversation."""

    kind: Literal["error"]
    error_type: ScriptErrorType = "provider"
    message: str = "scripted error"


ScriptEvent = Annotated[ChatResponseEvent | ToolCallEvent | ErrorEvent, Field(discriminator="kind")]
Events = tuple[ScriptEvent, ...]


class Script(Frozen):
    """What a case's recorded answers are, in full.

    Written in a dataset as a list of events (every sample), a list of such lists (one a sample), a
    mapping of model ids to either, or this long form.
    """

    samples: tuple[Events, ...] = ()
    """One event list a sample; a single one serves every sample."""
    models: dict[str, tuple[Events, ...]] = Field(default_factory=dict)
    """The same for single models, by model id; wins over `samples`."""
    source_model: str | None = None
    """Where the events were recorded from: another model is refused."""
    allow_unused: bool = False
    """Whether events may be left over at the end of the conversation."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, data: object) -> object:
        """Accept the short forms."""
        if isinstance(data, list | tuple):
            return {"samples": _samples(data)}
        if not isinstance(data, dict):
            return data
        known = {"samples", "models", "source_model", "allow_unused", "events"}
        if not known & data.keys():
            return {"models": {model: _samples(events) for model, events in data.items()}}
        full = dict(data)
        if "events" in full:
            if "samples" in full:
                raise ValueError("give `events` (every sample) or `samples` (one list a sample)")
            full["samples"] = [full.pop("events")]
        if isinstance(full.get("models"), dict):
            full["models"] = {m: _samples(events) for m, events in full["models"].items()}
        return full

    def events(self, model_id: str, sample: int) -> Events | None:
        """Return the events for one trial; None where nothing was recorded for it."""
        recorded = self.models.get(model_id, self.samples)
        if len(recorded) == 1:
            return recorded[0]
        return recorded[sample] if sample < len(recorded) else None


def _samples(data: object) -> object:
    """Make one event list a list of one sample."""
    if isinstance(data, list | tuple) and not any(isinstance(item, list | tuple) for item in data):
        return [data]
    return data
