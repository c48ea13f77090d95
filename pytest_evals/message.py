"""Message and ToolCall: the parts of a conversation, independent of any provider."""

from typing import Any, Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen

Role = Literal["system", "developer", "user", "assistant", "tool"]


class ToolCall(Frozen):
    """One tool call that a model requested or an application made."""

    name: str
    """The tool's name."""
    arguments: dict[str, Any] | str | None = Field(default_factory=dict)
    """Arguments; a text if they are not a JSON object, None if they are unknown."""
    id: str | None = None
    """The provider's id of the call; the result refers to it."""
    result: Any = None
    """The tool's result; meaningful only if `captured`."""
    captured: bool = False
    """Whether the result is known. A known result can be None."""
    error: str | None = None
    """Error of the tool; None if it succeeded."""
    duration_s: float | None = None
    """Duration of the tool in seconds; None if unknown."""


class Message(Frozen):
    """One message of a conversation."""

    role: Role
    """Author of the message."""
    content: str | list[dict[str, Any]] = ""
    """Text, or content parts in the provider's format (images, files)."""
    name: str | None = None
    """Name of the speaker, for providers that accept one."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tool calls that the assistant requested."""
    tool_call_id: str | None = None
    """Id of the call that a tool message is the result of."""

    @property
    def text(self) -> str:
        """Text of the message: its content, or its text parts joined by newlines."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if "text" in part)
