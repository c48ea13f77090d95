"""Notes: sentences for the user, collected during a session and displayed at its end."""

from collections.abc import Iterable, Iterator


class Notes:
    """An ordered set of sentences."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Add a sentence; a duplicate is ignored."""
        self._texts[text] = None

    def extend(self, texts: Iterable[str]) -> None:
        """Add several sentences."""
        for text in texts:
            self.add(text)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
