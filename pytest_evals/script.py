"""Script: the recorded responses of a case, which the ``script`` provider replays."""

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
    """Token counts as reported by a provider; None means not reported."""

    prompt_tokens: int | None = Field(default=None, ge=0)
    """Input tokens."""
    completion_tokens: int | None = Field(default=None, ge=0)
    """Output tokens."""
    total_tokens: int | None = Field(default=None, ge=0)
    """Input plus output tokens."""
    cache_read_tokens: int | None = Field(default=None, ge=0)
    """Input tokens read from the cache."""
    cache_creation_tokens: int | None = Field(default=None, ge=0)
    """Input tokens written to the cache."""
    thinking_tokens: int | None = Field(default=None, ge=0)
    """Output tokens used for reasoning."""


class ChatResponseEvent(Frozen):
    """A text response. It ends the model's turn."""

    kind: Literal["chat_response"]
    """Type of the event."""
    content: str
    """Text of the response."""
    tokens: ScriptTokens = ScriptTokens()
    """Token counts of the call."""
    finish_reason: str = "stop"
    """Why the model stopped, in the provider's terms."""
    latency_s: float | None = Field(default=None, ge=0)
    """Latency of the recorded response in seconds; None if unknown."""
    trace: tuple[Span, ...] = ()
    """Spans of the recorded turn."""


class ToolCallEvent(Frozen):
    """A tool call before the response, with its `result` if it was recorded."""

    kind: Literal["tool_call"]
    """Type of the event."""
    name: str = Field(min_length=1)
    """Name of the tool."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the call."""
    id: str | None = None
    """The provider's id of the call."""
    result: Any = None
    """The tool's result; may be left out."""
    error: str | None = None
    """Error of the tool; None if it succeeded."""
    tokens: ScriptTokens = ScriptTokens()
    """Token counts of the call."""

    @property
    def captured(self) -> bool:
        """Whether the tool's result or error was recorded."""
        return "result" in self.model_fields_set or self.error is not None


class ErrorEvent(Frozen):
    """An error of the provider. It ends the conversation."""

    kind: Literal["error"]
    """Type of the event."""
    error_type: ScriptErrorType = "provider"
    """Cause of the error."""
    message: str = "scripted error"
    """Message of the error."""


ScriptEvent = Annotated[ChatResponseEvent | ToolCallEvent | ErrorEvent, Field(discriminator="kind")]
Events = tuple[ScriptEvent, ...]


class Script(Frozen):
    """The recorded responses of a case, by sample and model.

    Written in a dataset as a list of events (for every sample), a list of such lists (one for each
    sample), a mapping of model ids to either, or this long form.
    """

    samples: tuple[Events, ...] = ()
    """One list of events for each sample. A single list is used for every sample."""
    models: dict[str, tuple[Events, ...]] = Field(default_factory=dict)
    """The same by model id; overrides `samples`."""
    source_model: str | None = None
    """Model that the events were recorded from. Other models are rejected; None allows all."""
    allow_unused: bool = False
    """Whether events may be unused at the end of the conversation."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, data: object) -> object:
        """Accept the short forms."""
        if isinstance(data, list | tuple):
            return {"samples": _samples(data)}
        if not isinstance(data, dict):
            return data
        keys = {"samples", "models", "source_model", "allow_unused", "events"}
        if not keys & data.keys():
            return {"models": {model: _samples(events) for model, events in data.items()}}
        long_form = dict(data)
        if "events" in long_form:
            if "samples" in long_form:
                raise ValueError(
                    "give `events` (every sample) or `samples` (one list for each sample)"
                )
            long_form["samples"] = [long_form.pop("events")]
        models = long_form.get("models")
        if isinstance(models, dict):
            long_form["models"] = {model: _samples(events) for model, events in models.items()}
        return long_form

    def events(self, model_id: str, sample: int) -> Events | None:
        """Return the events of one trial; None if none were recorded for it."""
        recorded = self.models.get(model_id, self.samples)
        if len(recorded) == 1:
            return recorded[0]
        return recorded[sample] if sample < len(recorded) else None


def _samples(data: object) -> object:
    """Wrap a list of events as the list of one sample."""
    if isinstance(data, list | tuple) and not any(isinstance(item, list | tuple) for item in data):
        return [data]
    return data
