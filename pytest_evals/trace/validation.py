"""Validation: what is wrong with the spans of a trace."""

from collections import Counter
from collections.abc import Sequence

from pytest_evals.span import Span


def problems(spans: Sequence[Span]) -> tuple[str, ...]:
    """Return what is wrong with a trace; empty if it is valid.

    In a valid trace every parent exists, no span is its own ancestor, ids are unique, and a span
    ends after it starts. A span that has not ended is valid.
    """
    messages: list[str] = []
    counts = Counter(span.id for span in spans)
    duplicates = [span_id for span_id, n in counts.items() if n > 1]
    if duplicates:
        noun = "duplicate id" if len(duplicates) == 1 else f"{len(duplicates)} duplicate ids"
        messages.append(f"{noun}: {_some(duplicates)}")
    orphans = [s.name for s in spans if s.parent is not None and s.parent not in counts]
    if orphans:
        messages.append(
            f"the parent of {_spans(len(orphans))} is not in the trace: {_some(orphans)}"
        )
    reversed_spans = [s.name for s in spans if s.end_s is not None and s.end_s < s.start_s]
    if reversed_spans:
        messages.append(
            f"{_spans(len(reversed_spans))} ended before starting: {_some(reversed_spans)}"
        )
    cyclic = _cyclic(spans)
    if cyclic:
        text = (
            "1 span is its own ancestor"
            if len(cyclic) == 1
            else f"{len(cyclic)} spans are their own ancestors"
        )
        messages.append(f"{text}: {_some(cyclic)}")
    return tuple(messages)


def _cyclic(spans: Sequence[Span]) -> list[str]:
    """Name the spans that are their own ancestors."""
    parents = {span.id: span.parent for span in spans}
    names = {span.id: span.name for span in spans}
    visited: set[str] = set()
    cyclic = []
    for start in parents:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in parents and at not in visited and at not in path:
            path[at] = None
            at = parents[at]
        if at is not None and at in path:
            cyclic += [names[span_id] for span_id in list(path)[list(path).index(at) :]]
        visited.update(path)
    return cyclic


def _spans(n: int) -> str:
    """Return a count of spans as text."""
    return "1 span" if n == 1 else f"{n} spans"


def _some(names: Sequence[str], limit: int = 3) -> str:
    """Quote the first names and count the rest."""
    text = ", ".join(repr(name[:60]) for name in names[:limit])
    return f"{text} and {len(names) - limit} more" if len(names) > limit else text
