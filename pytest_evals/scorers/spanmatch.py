"""Queries on spans: by name, kind, attributes, duration, error, and the spans around them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, field_validator, model_validator

from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import suggest
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.patterns import compile_pattern, search
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.subset import difference
from pytest_evals.span import Span
from pytest_evals.trace.conventions import KINDS, tool_name
from pytest_evals.trace.convert import LEFT_OUT
from pytest_evals.trace.tree import Tree

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Placed = tuple[Tree, Span]
"""A span and its tree."""


class SpanQuery(Frozen):
    """A query for spans; all given conditions must hold. A string alone is a name."""

    name: str | None = Field(default=None, min_length=1)
    """The name of the span or its tool; `*` matches any characters."""
    name_matches: str | None = None
    """A regular expression that the name contains."""
    kind: str | None = None
    """llm_call, tool_call, retrieval, embedding, agent_turn, guardrail_check, custom, …"""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """Required attributes, by subset: `{gen_ai.request.model: gpt-4.1}`."""
    has_attributes: tuple[str, ...] = ()
    """Attributes that must exist, with any value."""
    failed: bool | None = None
    """Whether it must have an error (true) or no error (false)."""
    min_duration_s: float | None = Field(default=None, ge=0)
    """The least duration in seconds."""
    max_duration_s: float | None = Field(default=None, ge=0)
    """The greatest duration in seconds; a span without an end does not match."""
    has_child: "SpanQuery | None" = None
    """A query for one of its children."""
    has_descendant: "SpanQuery | None" = None
    """A query for one of its descendants."""
    has_ancestor: "SpanQuery | None" = None
    """A query for one of its ancestors."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Add the form with a name alone to the schema."""
        made = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [{"type": "string"}, made]} if cls is SpanQuery else made

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a name; suggest an option for an unknown one."""
        if isinstance(data, str):
            return {"name": data}
        unknown = (
            [] if not isinstance(data, dict) else sorted(data.keys() - cls.model_fields.keys())
        )
        if unknown and cls is SpanQuery:
            hint = suggest(str(unknown[0]), cls.model_fields, limit=12)
            raise ValueError(f"unknown option {unknown[0]!r} of a span query.{hint}")
        return data

    @field_validator("kind")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        """Reject unknown kinds, except templates."""
        if value is not None and value not in KINDS and "{{" not in value:
            raise ValueError(f"unknown span kind {value!r}.{suggest(value, KINDS, limit=11)}")
        return value

    @field_validator("name_matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        """Reject an invalid regular expression, except templates."""
        if value is not None and "{{" not in value and "{%" not in value:
            compile_pattern(value)
        return value

    @model_validator(mode="after")
    def _check_query(self) -> Self:
        """Reject an empty query, and a minimum above the maximum."""
        if not any(getattr(self, name) not in (None, (), {}) for name in SpanQuery.model_fields):
            raise ValueError("empty span query; add a `name`, a `kind` or `attributes`")
        least, greatest = self.min_duration_s, self.max_duration_s
        if least is not None and greatest is not None and least > greatest:
            raise ValueError(
                f"`min_duration_s` {least:g} is greater than `max_duration_s` {greatest:g}"
            )
        return self

    def matches(self, placed: Placed) -> bool:
        """Whether a span matches the query."""
        tree, span = placed
        return (
            self._matches_name(span)
            and (self.kind is None or span.kind == self.kind)
            and not difference(self.attributes, span.attributes)
            and all(span.attributes.get(key) is not None for key in self.has_attributes)
            and (self.failed is None or self.failed == (span.error is not None))
            and self._in_time(span)
            and _any(tree, self.has_child, tree.children, span)
            and _any(tree, self.has_descendant, tree.below, span)
            and _any(tree, self.has_ancestor, tree.above, span)
        )

    def _matches_name(self, span: Span) -> bool:
        """Whether the name matches."""
        pattern = self.name_matches
        if pattern is not None and search(compile_pattern(pattern), span.name) is None:
            return False
        if self.name is None or fnmatchcase(span.name, self.name):
            return True
        return span.kind == "tool_call" and fnmatchcase(tool_name(span), self.name)

    def _in_time(self, span: Span) -> bool:
        """Whether the duration is within the limits."""
        if self.min_duration_s is None and self.max_duration_s is None:
            return True
        took = duration(span)
        if took is None:
            return False
        greatest = self.max_duration_s
        return took >= (self.min_duration_s or 0) and (greatest is None or took <= greatest)

    def __str__(self) -> str:
        given = {name: getattr(self, name) for name in SpanQuery.model_fields}
        parts = [
            f"{name} ({value})"
            if isinstance(value, SpanQuery)
            else f"{name} {shown(value, limit=60)}"
            for name, value in given.items()
            if value not in (None, (), {})
        ]
        return ", ".join(parts)


def _any(
    tree: Tree,
    query: SpanQuery | None,
    around: Callable[[Span], Iterable[Span]],
    span: Span,
) -> bool:
    """Whether one of the related spans matches; true without a query."""
    return query is None or any(query.matches((tree, other)) for other in around(span))


def duration(span: Span) -> float | None:
    """Return the duration of a span in seconds; None if it has no end."""
    return None if span.end_s is None else max(0.0, span.end_s - span.start_s)


def spans_of(ctx: ScoreContext) -> list[Placed]:
    """Return every span of the conversation, by turn and start time.

    Raises:
        ScoringError: there is no trace.
    """
    responses = [e.response for e in ctx.exchanges if e.response is not None]
    placed = [
        (tree, span)
        for response in responses
        for tree in [Tree(response.trace)]
        for span in tree.spans
    ]
    if not placed:
        notes = [note for response in responses for note in response.trace_notes]
        why = f" ({'; '.join(notes)})" if notes else ""
        raise ScoringError(
            f"the response has no trace{why}; let the application create OpenTelemetry spans and "
            "install pytest-evals-matrix[otel] (provider `python`), or return a `trace` with the "
            "response"
        )
    return placed


def cut_short(ctx: ScoreContext) -> str | None:
    """Return the note about missing spans; None if the trace is complete."""
    notes = (n for e in ctx.exchanges if e.response for n in e.response.trace_notes)
    return next((note for note in notes if LEFT_OUT in note), None)


def require_complete_trace(ctx: ScoreContext) -> None:
    """Check that no spans are missing, for a verdict on what did not happen.

    Raises:
        ScoringError: spans are missing.
    """
    note = cut_short(ctx)
    if note is not None:
        raise ScoringError(f"the trace is incomplete, so the missing spans may contain it: {note}")


def format_spans(placed: Iterable[Placed], *, limit: int = 8) -> str:
    """Format the names of spans; a repeated name has a count."""
    names = list(
        _runs(f"{s.name}{'' if s.kind == 'custom' else f' [{s.kind}]'}" for _, s in placed)
    )
    words = ", ".join(names[:limit])
    if not names:
        return "none"
    return f"{words} and {len(names) - limit} more" if len(names) > limit else words


def _named(span: Span) -> str:
    """Return the name and kind of a span."""
    return span.name if span.kind == "custom" else f"{span.name} [{span.kind}]"


def _runs(names: Iterable[str]) -> Iterator[str]:
    """Yield names; consecutive equal names once, with their count."""
    last, count = "", 0
    for name in (*(" ".join(name.split())[:80] for name in names), None):
        if name == last:
            count += 1
            continue
        if count:
            yield last if count == 1 else f"{last} x{count}"
        last, count = name or "", 1


def in_order(queries: Sequence[SpanQuery], placed: Sequence[Placed]) -> int:
    """Return how many of the first queries match spans in this order."""
    rest = iter(placed)
    for met, query in enumerate(queries):
        if not any(query.matches(pair) for pair in rest):
            return met
    return len(queries)
