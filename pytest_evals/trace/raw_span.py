"""RawSpan and OtlpTrace: spans as OpenTelemetry writes them, before they are converted to ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSpan:
    """A span as OpenTelemetry writes it."""

    id: str
    """16 hexadecimal digits."""
    parent: str | None
    """The parent's id; None for a root."""
    name: str
    start_ns: int
    """Unix time in nanoseconds."""
    end_ns: int | None
    """Unix time in nanoseconds; None for a span that has not ended."""
    attributes: Mapping[str, Any]
    events: Sequence[tuple[str, int, Mapping[str, Any]]] = ()
    """Name, unix time in nanoseconds, and attributes."""
    failed: bool = False
    """Whether its status is an error."""
    message: str = ""
    """The message of its status."""
    dropped: int = 0
    """Attributes and events that the recorder dropped."""


@dataclass(slots=True)
class OtlpTrace:
    """The spans of one trace."""

    id: str
    """32 hexadecimal digits."""
    spans: list[RawSpan] = field(default_factory=list)

    @property
    def start_ns(self) -> int:
        """The start of its first span, as unix time in nanoseconds."""
        return min((span.start_ns for span in self.spans), default=0)
