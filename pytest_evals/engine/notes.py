"""Notes: what the user must know at the end of the session, each note once."""

from collections.abc import Iterator


class Notes:
    """Sentences in the order of their first appearance."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Add a note; a duplicate is ignored."""
        self._texts[text] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)
