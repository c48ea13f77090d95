"""Truncate a document to a length: the gravest items stay, and the rest is counted. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextSection:
    """A part of a document: a title and items; the last items may be left out."""

    title: str
    """The first line, as Markdown."""
    items: Sequence[str]
    """The items, the gravest first."""
    what: str
    """The plural noun for the items, used to count those left out."""
    share: float = 0.1
    """The share of the document that the part may fill first, 0..1."""
    before: str = ""
    """The text before the first item, such as a table's header."""
    between: str = "\n\n"
    """The separator of items."""
    folded: str = ""
    """The summary of the folded part; empty if it is not folded."""

    def text(self, shown: int) -> str:
        """Return the part with its first items."""
        parts = [self.title] if self.title else []
        if self.folded:
            parts.append(f"<details><summary>{self.folded}</summary>")
        if shown:
            head = f"{self.before}\n" if self.before else ""
            parts.append(head + self.between.join(self.items[:shown]))
        left = len(self.items) - shown
        if left:
            more = "more " if shown else ""
            parts.append(f"*{left:,} {more}{self.what} did not fit here.*")
        if self.folded:
            parts.append("</details>")
        return "\n\n".join(parts)


@dataclass(slots=True)
class _Part:
    """A part while it is filled."""

    section: TextSection
    shown: int = 0
    size: int = field(default=0)

    def __post_init__(self) -> None:
        self.size = utf16_length(self.section.text(0))

    def grow(self, room: int, limit: float) -> int:
        """Show more items while they fit.

        Args:
            room: the length left in the document.
            limit: the most length of this part.

        Returns:
            The length left in the document afterwards.
        """
        items = self.section.items
        while self.shown < len(items):
            # The first item adds the table's header, and 8 characters for the line of the rest.
            cost = utf16_length(items[self.shown]) + utf16_length(self.section.between)
            cost += utf16_length(self.section.before) + 8 if not self.shown else 0
            if cost > room or self.size + cost > limit:
                break
            self.shown += 1
            self.size += cost
            room -= cost
        return room


def truncate_document(sections: Sequence[TextSection], limit: int) -> str:
    """Return a document no longer than a limit.

    Each part first fills its share, in order; the rest of the length is then given in the same
    order. Titles, and the lines that count the rest, are always included.

    Args:
        sections: the parts, the gravest first.
        limit: in UTF-16 code units, at least one per character.
    """
    parts = [_Part(section) for section in sections]
    room = limit - sum(part.size + 2 for part in parts) - 2
    for part in parts:
        room = part.grow(room, part.section.share * limit)
    for part in parts:
        room = part.grow(room, limit)
    return "\n\n".join(part.section.text(part.shown) for part in parts) + "\n"


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
