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
"""A span and the tree it stands in."""


class SpanQuery(Frozen):
    """Which spans are meant; all that is given must hold. A text alone is a name."""

    name: str | None = Field(default=None, min_length=1)
    """The span's name, or its tool's; `*` stands for any letters."""
    name_matches: str | None = None
    """A regular expression that is found in the name."""
    kind: str | None = None
    """llm_call, tool_call, retrieval, embedding, agent_turn, guardrail_check, custom and so on."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    """What its attributes must hold, by subset: `{gen_ai.request.model: gpt-4.1}`."""
    has_attributes: tuple[str, ...] = ()
    """Attributes that must be there, whatever they hold."""
    failed: bool | None = None
    """Whether it must have an error, or must have none."""
    min_duration_s: float | None = Field(default=None, ge=0)
    """The least seconds it took."""
    max_duration_s: float | None = Field(default=None, ge=0)
    """The most seconds it took; a span that has not ended did not keep to it."""
    has_child: "SpanQuery | None" = None
    """What a span right below it is."""
    has_descendant: "SpanQuery | None" = None
    """What a span anywhere below it is."""
    has_ancestor: "SpanQuery | None" = None
    """What a span anywhere above it is."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Let editors know that a name alone will do where a query stands."""
        made = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [{"type": "string"}, made]} if cls is SpanQuery else made

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a name, and say which option an unknown one may mean."""
        if isinstance(data, str):
            return {"name": data}
        unknown = (
            [] if not isinstance(data, dict) else sorted(data.keys() - cls.model_fields.keys())
        )
        if unknown and cls is SpanQuery:
            hint = suggest(str(unknown[0]), cls.model_fields, limit=12)
            raise ValueError(f"a span is not told by {unknown[0]!r}.{hint}")
        return data

    @field_validator("kind")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        """Refuse a kind that no span has, unless a template will make it one."""
        if value is not None and value not in KINDS and "{{" not in value:
            raise ValueError(f"no span is of the kind {value!r}.{suggest(value, KINDS, limit=11)}")
        return value

    @field_validator("name_matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        """Refuse what is no regular expression, unless a template will make it one."""
        if value is not None and "{{" not in value and "{%" not in value:
            compile_pattern(value)
        return value

    @model_validator(mode="after")
    def _check_query(self) -> Self:
        """Something must be asked, and must be possible."""
        if not any(getattr(self, name) not in (None, (), {}) for name in SpanQuery.model_fields):
            raise ValueError("say which span is meant: a `name`, a `kind` or `attributes`")
        least, greatest = self.min_duration_s, self.max_duration_s
        if least is not None and greatest is not None and least > greatest:
            raise ValueError(
                f"`min_duration_s` {least:g} is greater than `max_duration_s` {greatest:g}"
            )
        return self

    def matches(self, placed: Placed) -> bool:
        """Whether a span is such a span."""
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
        """Whether the name is right."""
        pattern = self.name_matches
        if pattern is not None and search(compile_pattern(pattern), span.name) is None:
            return False
        if self.name is None or fnmatchcase(span.name, self.name):
            return True
        return span.kind == "tool_call" and fnmatchcase(tool_name(span), self.name)

    def _in_time(self, span: Span) -> bool:
        """Whether it took as long as it should."""
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
    """Whether one of the spans around a span is as asked; yes where nothing is asked."""
    return query is None or any(query.matches((tree, other)) for other in around(span))


def duration(span: Span) -> float | None:
    """Return the seconds a span took; None where it has not ended."""
    return None if span.end_s is None else max(0.0, span.end_s - span.start_s)


def spans_of(ctx: ScoreContext) -> list[Placed]:
    """Return every span of the conversation: turn after turn, in each in the order they began.

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
            f"there is no trace of this answer{why}; let the application make OpenTelemetry spans "
            "and install pytest-evals-matrix[otel] (provider `python`), or hand over a `trace` "
            "with its answer"
        )
    return placed


def cut_short(ctx: ScoreContext) -> str | None:
    """Return the note that says that spans are missing; None where all are there."""
    notes = (n for e in ctx.exchanges if e.response for n in e.response.trace_notes)
    return next((note for note in notes if LEFT_OUT in note), None)


def require_complete_trace(ctx: ScoreContext) -> None:
    """Refuse to say that something did not happen where spans are missing.

    Raises:
        ScoringError: not all spans were kept.
    """
    note = cut_short(ctx)
    if note is not None:
        raise ScoringError(
            f"the trace is not whole, so what is not in it may have happened: {note}"
        )


def format_spans(placed: Iterable[Placed], *, limit: int = 8) -> str:
    """Name spans, with how often each came in a row."""
    names = list(
        _runs(f"{s.name}{'' if s.kind == 'custom' else f' [{s.kind}]'}" for _, s in placed)
    )
    words = ", ".join(names[:limit])
    if not names:
        return "none"
    return f"{words} and {len(names) - limit} more" if len(names) > limit else words


def _named(span: Span) -> str:
    """Return a span's name and kind."""
    return span.name if span.kind == "custom" else f"{span.name} [{span.kind}]"


def _runs(names: Iterable[str]) -> Iterator[str]:
    """Yield names, those that follow themselves once with their number."""
    last, count = "", 0
    for name in (*(" ".join(name.split())[:80] for name in names), None):
        if name == last:
            count += 1
            continue
        if count:
            yield last if count == 1 else f"{last} x{count}"
        last, count = name or "", 1


def in_order(queries: Sequence[SpanQuery], placed: Sequence[Placed]) -> int:
    """Return how many queries are met, each by a span that began after the one before it."""
    rest = iter(placed)
    for met, query in enumerate(queries):
        if not any(query.matches(pair) for pair in rest):
            return met
    return len(queries)
