"""A trace as lines of text: the tree with the kind, duration, tokens and error of each span.

The lines are not escaped; the caller does that.
"""

from collections.abc import Iterator, Sequence

from pytest_evals.ground.plain_text import format_count, format_seconds
from pytest_evals.span import Span
from pytest_evals.trace.conventions import tokens_of
from pytest_evals.trace.tree import Tree

DEEPEST = 12
"""The depth from which spans are not indented further."""


def lines(spans: Sequence[Span], notes: Sequence[str] = (), *, limit: int = 200) -> Iterator[str]:
    """Yield a trace as lines.

    Args:
        spans: in any order.
        notes: what is incomplete about it.
        limit: the maximum number of spans; a line counts the rest.
    """
    for i, (span, depth) in enumerate(Tree(spans).walk()):
        if i == limit:
            yield f"… {len(spans) - limit:,} more spans"
            break
        yield "  " * min(depth, DEEPEST) + line(span)
    for note in notes:
        yield f"note: {note}"


def line(span: Span) -> str:
    """Return one span as a line: ``chat gpt-4.1 [llm_call] 1.2s, 41 -> 6 tokens``."""
    facts = [duration(span)]
    usage = tokens_of(span)
    if usage.total_tokens is not None:
        facts.append(
            f"{format_count(usage.input_tokens)} -> {format_count(usage.output_tokens)} tokens"
        )
    label = "" if span.kind == "custom" else f" [{span.kind}]"
    error = "" if span.error is None else f"  ERROR {' '.join(span.error.split())[:200]}"
    return f"{' '.join(span.name.split())[:100]}{label}  {', '.join(facts)}{error}"


def duration(span: Span) -> str:
    """Return the duration of a span as text."""
    if span.end_s is None:
        return "still open"
    return format_seconds(max(0.0, span.end_s - span.start_s))
