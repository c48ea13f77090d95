"""Span: one step of what happened inside an application, as a node of a tree."""

from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen


class Span(Frozen):
    """One step of what happened inside an application, as a node of a tree."""

    id: str = Field(min_length=1)
    """Unique in its trace."""
    name: str
    kind: str = "custom"
    """agent_turn, llm_call, tool_call, retrieval, embedding, memory, decision, handoff,
    guardrail_check, error or custom."""
    parent: str | None = None
    """The id of the step it is a part of; None at the top."""
    start_s: float = 0.0
    """Seconds since the trace began."""
    end_s: float | None = None
    """Seconds since the trace began; None where it had not ended when the answer was there."""
    error: str | None = None
    """What went wrong in it."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """What else is known of it, by the names of OpenTelemetry's conventions; what happened at a
    moment of it is a list under `events`."""
