"""Span: one step inside an application, as a node of a trace tree."""

from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen


class Span(Frozen):
    """One step inside an application, as a node of a trace tree."""

    id: str = Field(min_length=1)
    """Unique in its trace."""
    name: str
    """Name of the step."""
    kind: str = "custom"
    """agent_turn, llm_call, tool_call, retrieval, embedding, memory, decision, handoff,
    guardrail_check, error or custom."""
    parent: str | None = None
    """Id of the parent span; None for a root span."""
    start_s: float = 0.0
    """Seconds since the start of the trace."""
    end_s: float | None = None
    """Seconds since the start of the trace; None if it had not ended when the response came."""
    error: str | None = None
    """Error of the step; None if it succeeded."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """Attributes, named by the semantic conventions of OpenTelemetry. Span events are a list under
    `events`."""
