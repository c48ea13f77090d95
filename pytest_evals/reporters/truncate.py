"""A document that is cut to a length: the gravest stays, and what was cut is said. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextSection:
    """A part of a document: a title and items, of which the last may be left out."""

    title: str
    """Its first line, as it is written."""
    items: Sequence[str]
    """The gravest first."""
    what: str
    """What they are, in the plural, for the line that says how many were left out."""
    share: float = 0.1
    """Which part of the whole it may take before the others have had theirs, 0..1."""
    before: str = ""
    """What stands before the items, where there are any: a table's head."""
    between: str = "\n\n"
    """What stands between items."""
    folded: str = ""
    """The words of the line that folds it; empty where it stands open."""

    def text(self, shown: int) -> str:
        """Return the section with its first items."""
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
    """A section while it is being filled."""

    section: TextSection
    shown: int = 0
    size: int = field(default=0)

    def __post_init__(self) -> None:
        self.size = utf16_length(self.section.text(0))

    def grow(self, room: int, limit: float) -> int:
        """Show more items while they fit.

        Args:
            room: what is left in the whole document.
            limit: what this section may take.

        Returns:
            What is left then.
        """
        items = self.section.items
        while self.shown < len(items):
            # The first item brings the table's head; a line more of cut text is always allowed for.
            cost = utf16_length(items[self.shown]) + utf16_length(self.section.between)
            cost += utf16_length(self.section.before) + 8 if not self.shown else 0
            if cost > room or self.size + cost > limit:
                break
            self.shown += 1
            self.size += cost
            room -= cost
        return room


def truncate_document(sections: Sequence[TextSection], limit: int) -> str:
    """Return a document of sections that is no longer than a limit.

    Each section may first take its share, in order; what is left over then goes to them in the same
    order. Titles and the lines that say what was cut always stand.

    Args:
        sections: the gravest first.
        limit: in UTF-16 code units, which is never less than characters.
    """
    parts = [_Part(section) for section in sections]
    room = limit - sum(part.size + 2 for part in parts) - 2
    for part in parts:
        room = part.grow(room, part.section.share * limit)
    for part in parts:
        room = part.grow(room, limit)
    return "\n\n".join(part.section.text(part.shown) for part in parts) + "\n"


def utf16_length(text: str) -> int:
    """Return how long a text is in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
