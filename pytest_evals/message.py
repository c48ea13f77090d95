"""The nouns of a conversation: messages and tool calls."""

from typing import Any, Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen

Role = Literal["system", "developer", "user", "assistant", "tool"]


class ToolCall(Frozen):
    """One call of a tool that a model asked for, or that an application made."""

    name: str
    """The tool's name."""
    arguments: dict[str, Any] | str = Field(default_factory=dict)
    """Its arguments; a text only where they were not a JSON object."""
    id: str | None = None
    """The provider's identifier of the call, which ties a result to it."""
    result: Any = None
    """What the tool gave back; meaningful only where `captured`."""
    captured: bool = False
    """Whether the result is known: a result of None and an unknown result differ."""
    error: str | None = None
    """The tool's own error, where it failed."""
    duration_s: float | None = None
    """How long the tool took, in seconds."""


class Message(Frozen):
    """One message of a conversation."""

    role: Role
    content: str | list[dict[str, Any]] = ""
    """Its text, or its parts as the provider defines them (images, files)."""
    name: str | None = None
    """The speaker's name, where the provider takes one."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The calls an assistant asked for."""
    tool_call_id: str | None = None
    """The call that a tool message answers."""

    @property
    def text(self) -> str:
        """The message's text: its content, or the texts among its parts, one a line."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if "text" in part)
