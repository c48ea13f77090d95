"""CallMessages: the messages of one side of a model call, read from its span."""

from dataclasses import dataclass, field

from pytest_evals.message import Message


@dataclass(slots=True)
class CallMessages:
    """Messages, and what is missing of them."""

    messages: list[Message] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """What could not be read, with its position."""
    finish_reason: str | None = None
