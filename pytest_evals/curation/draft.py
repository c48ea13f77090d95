"""A case in the making: plain data, and what of the record is lost. A noun."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]


@dataclass(slots=True)
class CaseDraft:
    """A case as plain data, in the order in which it is written."""

    case: dict[str, Any] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    """Why it cannot be played back as it was, each with where."""
    notes: list[str] = field(default_factory=list)
    """What is left out though the case plays the same."""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that its script calls, in order."""
        return [event["name"] for event in self.script if event["kind"] == "tool_call"]

    @property
    def script(self) -> list[Event]:
        """Its recorded events."""
        events: list[Event] = self.case.get("script", [])
        return events
