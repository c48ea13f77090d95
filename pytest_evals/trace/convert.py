"""Convert OpenTelemetry's spans to ours: ordered, timed from 0 s, and limited in size.

A trace can have thousands of spans and megabytes of attributes. Notes report what was cut.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from pytest_evals.span import Span
from pytest_evals.trace.conventions import kind_of
from pytest_evals.trace.converted import Converted
from pytest_evals.trace.raw_span import RawSpan

MOST_SPANS = 1000
"""Maximum number of spans of one response; the first ones are kept."""
LONGEST_TEXT = 32_000
"""Maximum length of one attribute."""
MOST_TEXT = 1_000_000
"""Maximum length of all attributes of one response together."""
NAME_LENGTH = 200
"""Texts up to this length count as names and are cut last."""
MOST_ITEMS = 1_000
"""Maximum number of attributes, events or list items of one span."""
DEEPEST = 20
"""Maximum nesting of a value."""
LEFT_OUT = "spans were left out"
"""Part of the note on missing spans."""
STILL_OPEN = "still open when the answer was there"
"""Part of the note on spans that had not ended."""
CUT = "… [cut]"
"""The end of a text that was cut."""


@dataclass(slots=True)
class _Budget:
    """The remaining size, and what was cut."""

    remaining: int = MOST_TEXT
    per_text: int = LONGEST_TEXT
    per_list: int = MOST_ITEMS
    cuts: int = 0
    longest_cut: int = 0

    def text(self, text: str) -> str:
        """Return a text that can be encoded, cut to the remaining size."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        limit = max(0, min(self.per_text, self.remaining))
        # Names and numbers of tools and models are short: they are cut last.
        is_name = len(text) <= NAME_LENGTH and self.remaining > -MOST_TEXT
        if len(text) <= limit or is_name:
            self.remaining -= len(text)
            return text
        self.cuts += 1
        self.longest_cut = max(self.longest_cut, len(text))
        self.remaining -= limit
        return text[:limit] + CUT

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a value as JSON, cut to the remaining size."""
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
        """Return the first items, up to the limit."""
        self.cuts += len(items) > self.per_list
        return items[: self.per_list]


def _key(key: object) -> str:
    """Return an attribute's name, limited in length."""
    return str(key)[:NAME_LENGTH].encode("utf-8", "replace").decode("utf-8")


def _finite(value: object) -> bool:
    """Return whether a value is a finite float."""
    return isinstance(value, float) and isfinite(value)


def convert(
    raw: Iterable[RawSpan], *, root: str | None = None, lost: int = 0, whole: bool = False
) -> Converted:
    """Convert OpenTelemetry's spans to ours.

    Args:
        raw: OpenTelemetry's spans, in any order.
        root: the id of a span of ours around them; its children become roots.
        lost: the number of spans that were not collected.
        whole: whether to cut nothing.
    """
    ordered = sorted(raw, key=lambda span: span.start_ns)
    trace_start = ordered[0].start_ns if ordered else 0
    budget = _Budget(sys.maxsize, sys.maxsize, sys.maxsize) if whole else _Budget()
    first = ordered if whole else ordered[:MOST_SPANS]
    kept = tuple(_span(span, trace_start, root, budget) for span in first)
    notes = _cuts(lost + len(ordered), len(kept), budget)
    dropped = sum(span.dropped for span in ordered)
    if dropped:
        notes.append(f"{dropped:,} attributes or events were dropped by the application's limits")
    still_open = [span.name for span in kept if span.end_s is None]
    if still_open:
        names = ", ".join(repr(name[:60]) for name in still_open[:3])
        more = f" and {len(still_open) - 3} more" if len(still_open) > 3 else ""
        subject = "1 span was" if len(still_open) == 1 else f"{len(still_open)} spans were"
        notes.append(f"{subject} {STILL_OPEN}: {names}{more}")
    return Converted(kept, notes)


def bounded(spans: Sequence[Span]) -> Converted:
    """Limit the size of spans that are already ours."""
    budget = _Budget()
    ordered = sorted(spans, key=lambda span: span.start_s)
    kept = tuple(
        span.model_copy(
            update={
                "name": budget.text(span.name),
                "error": None if span.error is None else budget.text(span.error),
                "attributes": budget.value(span.attributes),
            }
        )
        for span in ordered[:MOST_SPANS]
    )
    return Converted(kept, _cuts(len(ordered), len(kept), budget))


def _cuts(total: int, kept: int, budget: _Budget) -> list[str]:
    """Return notes on what was cut."""
    notes = []
    if total > kept:
        notes.append(f"{total - kept:,} of {total:,} {LEFT_OUT}: {MOST_SPANS:,} are kept")
    if budget.cuts:
        length = budget.longest_cut
        longest = f", the longest from {length:,} characters" if length else ""
        subject = "1 value was" if budget.cuts == 1 else f"{budget.cuts:,} values were"
        notes.append(
            f"{subject} cut{longest}: {LONGEST_TEXT:,} of one are kept, {MOST_TEXT:,} of all"
        )
    return notes


def _span(raw: RawSpan, trace_start: int, root: str | None, budget: _Budget) -> Span:
    """Convert one span."""
    attributes: dict[str, Any] = budget.value(dict(raw.attributes))
    events = [
        {
            "name": budget.text(name),
            "at_s": _seconds(time_ns - trace_start),
            **({"attributes": budget.value(dict(event))} if event else {}),
        }
        for name, time_ns, event in budget.first(raw.events)
    ]
    if events:
        attributes["span.events" if "events" in attributes else "events"] = events
    return Span(
        id=raw.id,
        name=budget.text(raw.name),
        kind=kind_of(raw.attributes),
        parent=None if raw.parent == root else raw.parent,
        start_s=_seconds(raw.start_ns - trace_start),
        end_s=None if raw.end_ns is None else _seconds(raw.end_ns - trace_start),
        error=_error(raw, budget),
        attributes=attributes,
    )


def _seconds(ns: int) -> float:
    """Convert nanoseconds to seconds, rounded to a microsecond."""
    return round(ns / 1e9, 6)


def _error(raw: RawSpan, budget: _Budget) -> str | None:
    """Return the error of a span: its status message, otherwise its exception."""
    error_type = raw.attributes.get("error.type")
    if not raw.failed and error_type is None:
        return None
    if raw.message:
        return budget.text(raw.message)
    for name, _, event in reversed(raw.events):
        if name == "exception":
            parts = (event.get("exception.type", ""), event.get("exception.message", ""))
            return budget.text(": ".join(filter(None, map(str, parts))))
    return budget.text(str(error_type)) if error_type else "error"
