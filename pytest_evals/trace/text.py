"""A trace drawn as lines: the tree, what each step is, how long it took, its tokens, its error.

The lines are not harmless yet: who prints them sees to that.
"""

from collections.abc import Iterator, Sequence

from pytest_evals.ground.plain_text import format_count, format_seconds
from pytest_evals.span import Span
from pytest_evals.trace.conventions import tokens_of
from pytest_evals.trace.tree import Tree

DEEPEST = 12
"""Depths that are drawn by indenting."""


def lines(spans: Sequence[Span], notes: Sequence[str] = (), *, most: int = 200) -> Iterator[str]:
    """Yield a trace as lines.

    Args:
        spans: in any order.
        notes: what is not whole about it.
        most: spans that are drawn; how many are left out is told.
    """
    for i, (span, depth) in enumerate(Tree(spans).walk()):
        if i == most:
            yield f"… {len(spans) - most:,} more spans"
            break
        yield "  " * min(depth, DEEPEST) + line(span)
    for note in notes:
        yield f"note: {note}"


def line(span: Span) -> str:
    """Return one span as a line: ``chat gpt-4.1 [llm_call] 1.2s, 41 -> 6 tokens``."""
    facts = [took(span)]
    usage = tokens_of(span)
    if usage.total_tokens is not None:
        facts.append(
            f"{format_count(usage.input_tokens)} -> {format_count(usage.output_tokens)} tokens"
        )
    kind = "" if span.kind == "custom" else f" [{span.kind}]"
    error = "" if span.error is None else f"  ERROR {' '.join(span.error.split())[:200]}"
    return f"{' '.join(span.name.split())[:100]}{kind}  {', '.join(facts)}{error}"


def took(span: Span) -> str:
    """Return how long a span took, in words."""
    if span.end_s is None:
        return "still open"
    return format_seconds(max(0.0, span.end_s - span.start_s))
