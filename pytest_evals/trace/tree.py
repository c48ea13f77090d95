"""The tree that spans make: its order, its depths, and what is wrong with it.

Spans come from anywhere, so a parent may be missing, a circle may close and an id may stand twice:
every walk ends, visits each span once, and takes what has no parent here for a root.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_evals.exchange import Response
from pytest_evals.span import Span


class Tree:
    """Spans by their parents.

    Args:
        spans: of one trace, in any order.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        ordered = sorted(enumerate(spans), key=lambda one: (one[1].start_s, one[0]))
        self.spans: tuple[Span, ...] = tuple(span for _, span in ordered)
        """All of them, in the order they began."""
        first: dict[str, int] = {}
        for i, span in enumerate(self.spans):
            first.setdefault(span.id, i)
        self._parents = [
            None if span.parent is None or first.get(span.parent) == i else first.get(span.parent)
            for i, span in enumerate(self.spans)
        ]
        self._cut_circles()
        self._children: dict[int | None, list[int]] = {}
        for i, parent in enumerate(self._parents):
            self._children.setdefault(parent, []).append(i)
        self._places = {id(span): i for i, span in enumerate(self.spans)}

    def _cut_circles(self) -> None:
        """Make a root of the first span of every circle."""
        settled: set[int] = set()
        for begin in range(len(self._parents)):
            path: dict[int, None] = {}
            at: int | None = begin
            while at is not None and at not in settled and at not in path:
                path[at] = None
                at = self._parents[at]
            if at is not None and at in path:
                circle = list(path)[list(path).index(at) :]
                self._parents[min(circle)] = None
            settled.update(path)

    def walk(self) -> Iterator[tuple[Span, int]]:
        """Yield every span with its depth (0 at the top): parents first, then in time's order."""
        todo = [(i, 0) for i in reversed(self._children.get(None, []))]
        while todo:
            i, depth = todo.pop()
            yield self.spans[i], depth
            todo.extend((child, depth + 1) for child in reversed(self._children.get(i, [])))

    def children(self, span: Span) -> tuple[Span, ...]:
        """Return the spans right below one of these spans."""
        return tuple(self.spans[i] for i in self._children.get(self._places[id(span)], []))

    def below(self, span: Span) -> Iterator[Span]:
        """Yield every span below one of these spans."""
        todo = list(self._children.get(self._places[id(span)], []))
        while todo:
            i = todo.pop()
            yield self.spans[i]
            todo.extend(self._children.get(i, []))

    def above(self, span: Span) -> Iterator[Span]:
        """Yield every span above one of these spans, the nearest first."""
        at = self._parents[self._places[id(span)]]
        while at is not None:
            yield self.spans[at]
            at = self._parents[at]


def problems(spans: Sequence[Span]) -> tuple[str, ...]:
    """Return what is wrong with a trace; nothing where it is right.

    Every parent exists, no span is its own ancestor, ids are unique, and a span ends after it
    starts. A span that has not ended is not wrong.
    """
    found: list[str] = []
    counts = Counter(span.id for span in spans)
    twice = [key for key, n in counts.items() if n > 1]
    if twice:
        what = "1 id stands" if len(twice) == 1 else f"{len(twice)} ids stand"
        found.append(f"{what} more than once: {_some(twice)}")
    orphans = [s.name for s in spans if s.parent is not None and s.parent not in counts]
    if orphans:
        found.append(f"the parent of {_spans(len(orphans))} is not in the trace: {_some(orphans)}")
    early = [s.name for s in spans if s.end_s is not None and s.end_s < s.start_s]
    if early:
        found.append(f"{_spans(len(early))} ended before starting: {_some(early)}")
    circular = _circular(spans)
    if circular:
        one = len(circular) == 1
        what = "1 span stands below itself" if one else f"{len(circular)} spans below themselves"
        found.append(f"{what}: {_some(circular)}")
    return tuple(found)


def _circular(spans: Sequence[Span]) -> list[str]:
    """Name the spans that are their own ancestors."""
    parents = {span.id: span.parent for span in spans}
    names = {span.id: span.name for span in spans}
    ends: dict[str, bool] = {}  # whether the way up from an id ends
    found = []
    for begin in parents:
        path: dict[str, None] = {}
        at: str | None = begin
        while at is not None and at in parents and at not in ends and at not in path:
            path[at] = None
            at = parents[at]
        if at is not None and at in path:
            found += [names[key] for key in list(path)[list(path).index(at) :]]
        ends.update(dict.fromkeys(path, True))
    return found


def _spans(n: int) -> str:
    """Count spans in words."""
    return "1 span" if n == 1 else f"{n} spans"


def _some(names: Sequence[str], most: int = 3) -> str:
    """Name the first ones of many."""
    words = ", ".join(repr(name[:60]) for name in names[:most])
    return f"{words} and {len(names) - most} more" if len(names) > most else words


def with_trace(response: Response, spans: Sequence[Span], notes: Sequence[str] = ()) -> Response:
    """Return a response that has a trace, checked, and what follows from it.

    Tool calls and usage are taken from the spans only where the response has none of its own.

    Args:
        response: what the target gave.
        spans: in any order.
        notes: what is already known to be not whole.
    """
    from pytest_evals.trace.conventions import tool_calls_of, usage_of

    told = tuple(dict.fromkeys((*response.trace_notes, *notes, *problems(spans))))
    if not spans:
        return response.model_copy(update={"trace_notes": told}) if told else response
    tree = Tree(spans)
    change: dict[str, object] = {"trace": tree.spans, "trace_notes": told}
    if not response.tool_calls:
        change["tool_calls"] = tool_calls_of(tree)
    usage = response.usage
    if all(getattr(usage, name) is None for name in type(usage).model_fields):
        change["usage"] = usage_of(tree)
    return response.model_copy(update=change)
