"""Converted: spans of ours made from OpenTelemetry's, with notes on what was cut."""

from dataclasses import dataclass, field

from pytest_evals.span import Span


@dataclass(slots=True)
class Converted:
    """Our spans, and notes on what is incomplete."""

    spans: tuple[Span, ...] = ()
    notes: list[str] = field(default_factory=list)
