"""Spans of OpenTelemetry made ours: checked, ordered from 0 s, and bounded.

A trace can hold thousands of spans and megabytes of attributes. What is cut is told in notes.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from pytest_evals.span import Span
from pytest_evals.trace.conventions import kind_of
from pytest_evals.trace.raw_span import RawSpan

MOST_SPANS = 1000
"""Spans of one answer that are kept: the first ones."""
LONGEST_TEXT = 32_000
"""Characters of one attribute that are kept."""
MOST_TEXT = 1_000_000
"""Characters of all attributes of one answer that are kept."""
BRIEF = 200
"""Characters of what counts as a name."""
MOST_ITEMS = 1_000
"""Attributes, events or items of a list that are kept of one span."""
DEEPEST = 20
"""How deep a value may be nested."""
LEFT_OUT = "spans were left out"
"""What a note says where spans are missing."""
STILL_OPEN = "still open when the answer was there"
"""What a note says where spans had not ended."""
CUT = "… [cut]"
"""How a text that was cut ends."""


@dataclass(slots=True)
class _Room:
    """How much may still be kept."""

    left: int = MOST_TEXT
    of_one: int = LONGEST_TEXT
    items: int = MOST_ITEMS
    cut: int = 0
    longest: int = 0

    def text(self, text: str) -> str:
        """Return a text that can be encoded, cut to what there is room for."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        most = max(0, min(self.of_one, self.left))
        # Names and numbers of tools and models are short: they are the last to go.
        brief = len(text) <= BRIEF and self.left > -MOST_TEXT
        if len(text) <= most or brief:
            self.left -= len(text)
            return text
        self.cut += 1
        self.longest = max(self.longest, len(text))
        self.left -= most
        return text[:most] + CUT

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a value that JSON can hold."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int) or _finite(value):
            return value
        if depth < DEEPEST and isinstance(value, Mapping):
            return {
                _key(key): self.value(item, depth + 1)
                for key, item in self.first(list(value.items()))
            }
        if depth < DEEPEST and isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in self.first(value)]
        return self.text(value.hex() if isinstance(value, bytes) else str(value))

    def first(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return as many items as may be kept."""
        self.cut += len(items) > self.items
        return items[: self.items]


def _key(key: object) -> str:
    """Return an attribute's name, which is never so long that it had to be cut in earnest."""
    return str(key)[:BRIEF].encode("utf-8", "replace").decode("utf-8")


def _finite(value: object) -> bool:
    """Whether it is a number that JSON can hold."""
    return isinstance(value, float) and isfinite(value)


@dataclass(slots=True)
class Converted:
    """Our spans, and what is not whole about them."""

    spans: tuple[Span, ...] = ()
    notes: list[str] = field(default_factory=list)


def convert(
    raw: Iterable[RawSpan], *, root: str | None = None, lost: int = 0, whole: bool = False
) -> Converted:
    """Make our spans.

    Args:
        raw: theirs, in any order.
        root: the id of a span of ours around them; its children are at the top.
        lost: spans that were not even collected.
        whole: whether nothing is cut.
    """
    ordered = sorted(raw, key=lambda one: one.start_ns)
    began = ordered[0].start_ns if ordered else 0
    room = _Room(sys.maxsize, sys.maxsize, sys.maxsize) if whole else _Room()
    first = ordered if whole else ordered[:MOST_SPANS]
    kept = tuple(_span(one, began, root, room) for one in first)
    notes = _cuts(lost + len(ordered), len(kept), room)
    dropped = sum(one.dropped for one in ordered)
    if dropped:
        notes.append(f"{dropped:,} attributes or events were dropped by the application's limits")
    still_open = [span.name for span in kept if span.end_s is None]
    if still_open:
        names = ", ".join(repr(name[:60]) for name in still_open[:3])
        more = f" and {len(still_open) - 3} more" if len(still_open) > 3 else ""
        what = "1 span was" if len(still_open) == 1 else f"{len(still_open)} spans were"
        notes.append(f"{what} {STILL_OPEN}: {names}{more}")
    return Converted(kept, notes)


def bounded(spans: Sequence[Span]) -> Converted:
    """Keep spans that are ours already within the same bounds."""
    room = _Room()
    ordered = sorted(spans, key=lambda one: one.start_s)
    kept = tuple(
        span.model_copy(
            update={
                "name": room.text(span.name),
                "error": None if span.error is None else room.text(span.error),
                "attributes": room.value(span.attributes),
            }
        )
        for span in ordered[:MOST_SPANS]
    )
    return Converted(kept, _cuts(len(ordered), len(kept), room))


def _cuts(found: int, kept: int, room: _Room) -> list[str]:
    """Say what is not kept."""
    notes = []
    if found > kept:
        notes.append(f"{found - kept:,} of {found:,} {LEFT_OUT}: {MOST_SPANS:,} are kept")
    if room.cut:
        longest = f", the longest from {room.longest:,} characters" if room.longest else ""
        what = "1 value was" if room.cut == 1 else f"{room.cut:,} values were"
        notes.append(f"{what} cut{longest}: {LONGEST_TEXT:,} of one are kept, {MOST_TEXT:,} of all")
    return notes


def _span(raw: RawSpan, began: int, root: str | None, room: _Room) -> Span:
    """Make one span."""
    attributes: dict[str, Any] = room.value(dict(raw.attributes))
    events = [
        {
            "name": room.text(name),
            "at_s": _seconds(at - began),
            **({"attributes": room.value(dict(own))} if own else {}),
        }
        for name, at, own in room.first(raw.events)
    ]
    if events:
        attributes["span.events" if "events" in attributes else "events"] = events
    return Span(
        id=raw.id,
        name=room.text(raw.name),
        kind=kind_of(raw.attributes),
        parent=None if raw.parent == root else raw.parent,
        start_s=_seconds(raw.start_ns - began),
        end_s=None if raw.end_ns is None else _seconds(raw.end_ns - began),
        error=_error(raw, room),
        attributes=attributes,
    )


def _seconds(ns: int) -> float:
    """Return nanoseconds as seconds, to a microsecond."""
    return round(ns / 1e9, 6)


def _error(raw: RawSpan, room: _Room) -> str | None:
    """Return what went wrong in a span, in its own words, else its exception's."""
    kind = raw.attributes.get("error.type")
    if not raw.failed and kind is None:
        return None
    if raw.message:
        return room.text(raw.message)
    for name, _, own in reversed(raw.events):
        if name == "exception":
            said = str(own.get("exception.message", ""))
            return room.text(": ".join(filter(None, [str(own.get("exception.type", "")), said])))
    return room.text(str(kind)) if kind else "error"
