"""Tree: the spans of one trace by their parents, in a defined order.

Spans come from any source: a parent may be missing, parents may form a cycle, ids may be
duplicated. Every walk ends and visits each span once. A span without a parent here is a root.
"""

from collections.abc import Iterator, Sequence

from pytest_evals.span import Span


class Tree:
    """Spans by their parents.

    Args:
        spans: of one trace, in any order.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        ordered = sorted(enumerate(spans), key=lambda item: (item[1].start_s, item[0]))
        self.spans: tuple[Span, ...] = tuple(span for _, span in ordered)
        """All spans, by start time."""
        first: dict[str, int] = {}
        for i, span in enumerate(self.spans):
            first.setdefault(span.id, i)
        self._parents = [
            None if span.parent is None or first.get(span.parent) == i else first.get(span.parent)
            for i, span in enumerate(self.spans)
        ]
        self._break_cycles()
        self._children: dict[int | None, list[int]] = {}
        for i, parent in enumerate(self._parents):
            self._children.setdefault(parent, []).append(i)
        self._indexes = {id(span): i for i, span in enumerate(self.spans)}

    def _break_cycles(self) -> None:
        """Make the first span of every cycle a root."""
        settled: set[int] = set()
        for start in range(len(self._parents)):
            path: dict[int, None] = {}
            at: int | None = start
            while at is not None and at not in settled and at not in path:
                path[at] = None
                at = self._parents[at]
            if at is not None and at in path:
                cycle = list(path)[list(path).index(at) :]
                self._parents[min(cycle)] = None
            settled.update(path)

    def walk(self) -> Iterator[tuple[Span, int]]:
        """Yield every span with its depth (0 at the top): parents first, siblings by start time."""
        pending = [(i, 0) for i in reversed(self._children.get(None, []))]
        while pending:
            i, depth = pending.pop()
            yield self.spans[i], depth
            pending.extend((child, depth + 1) for child in reversed(self._children.get(i, [])))

    def children(self, span: Span) -> tuple[Span, ...]:
        """Return the direct children of a span."""
        return tuple(self.spans[i] for i in self._children.get(self._indexes[id(span)], []))

    def below(self, span: Span) -> Iterator[Span]:
        """Yield the descendants of a span."""
        pending = list(self._children.get(self._indexes[id(span)], []))
        while pending:
            i = pending.pop()
            yield self.spans[i]
            pending.extend(self._children.get(i, []))

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the ancestors of a span, its parent first."""
        at = self._parents[self._indexes[id(span)]]
        while at is not None:
            yield self.spans[at]
            at = self._parents[at]
