"""Headers: the headers of an HTTP response, whichever client received it."""

from collections.abc import Iterable, Iterator, Mapping


class Headers(Mapping[str, str]):
    """HTTP headers by name, case-insensitive; a name may have several values.

    Args:
        pairs: names and values, in the order they were received.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get_list(self, name: str) -> list[str]:
        """Return every value of a header."""
        return self._values.get(name.lower(), [])
