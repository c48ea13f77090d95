"""Decode files, compute positions, and format values for messages.

This module knows bytes and characters, and nothing of formats or datasets.
"""

import codecs
from bisect import bisect_right
from functools import cached_property

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError, Position
from pytest_evals.loaders.base import MAX_DEPTH

_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decode(content: bytes, path: str) -> str:
    """Decode a file as UTF-8, with or without a byte order mark.

    Raises:
        DatasetError: it is empty, binary, or in another encoding.
    """
    for mark, name in _OTHER_ENCODINGS:
        if content.startswith(mark):
            raise DatasetError.at(
                Position(path), f"the file is {name}, expected UTF-8; save it as UTF-8"
            )
    content = content.removeprefix(codecs.BOM_UTF8)
    nul = content.find(b"\0")
    if nul >= 0:
        raise DatasetError.at(
            _byte_position(content, nul, path),
            "found a NUL byte, expected text in UTF-8: this looks like a binary file",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError.at(
            _byte_position(content, error.start, path),
            f"found the byte 0x{content[error.start]:02x}, which is not UTF-8 here; "
            "save the file as UTF-8",
        ) from None
    if not text or text.isspace():
        raise DatasetError.at(Position(path), "the file is empty: there is nothing to test")
    return text


def _byte_position(content: bytes, offset: int, path: str) -> Position:
    """Return the position of a byte; the rest of its line may be invalid UTF-8 too."""
    before = content[:offset]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", errors="replace")) + 1
    return Position(path, before.count(b"\n") + 1, column)


class Lines:
    """Converts offsets in a text to lines and columns."""

    def __init__(self, text: str, path: str, *, first: int = 1) -> None:
        """Index a text; its first line is the line `first` of the file."""
        self._text = text
        self._path = path
        self._first = first

    @cached_property
    def _starts(self) -> list[int]:
        """The offset of each line."""
        starts = [0]
        find, end = self._text.find, -1
        while (end := find("\n", end + 1)) >= 0:
            starts.append(end + 1)
        return starts

    def start(self, line: int) -> int:
        """Return the offset of a line (0-based)."""
        return self._starts[line]

    def at(self, offset: int) -> Position:
        """Return the position of an offset."""
        line = bisect_right(self._starts, offset) - 1
        return Position(self._path, line + self._first, offset - self._starts[line] + 1)


def too_deep(data: Json) -> bool:
    """Whether lists and mappings are nested deeper than `MAX_DEPTH`."""
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            value
            for parent in level
            for value in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True


TOO_DEEP = f"found more than {MAX_DEPTH} lists and mappings in one another; flatten the data"


def has_lone_surrogate(text: str) -> bool:
    """Whether a text contains a lone surrogate, which cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def kind_name(value: object) -> str:
    """Return the type of a value in plain words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "a truth value"
    for types, words in _KIND_NAMES:
        if isinstance(value, types):
            return words
    return type(value).__name__


_KIND_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "a text"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (dict, "a mapping"),
)


def show(value: object, *, limit: int = 60) -> str:
    """Format a value for a message: its type and its beginning."""
    if isinstance(value, str):
        return f"the text {clip(value, limit=limit)}"
    if isinstance(value, dict) and value:
        keys = ", ".join(clip(str(key), limit=20) for key in list(value)[:3])
        return f"a mapping with {keys}{', ...' if len(value) > 3 else ''}"
    if isinstance(value, list | tuple) and value:
        return f"a list of {len(value)}"
    if isinstance(value, dict | list | tuple):
        return f"an empty {kind_name(value).removeprefix('a ')}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"the number {value}" if abs(value) < 1e30 else "a huge number"
    return kind_name(value) if value is None else str(value).lower()


def clip(text: str, *, limit: int = 60) -> str:
    """Quote the beginning of a text on one line."""
    return repr(text) if len(text) <= limit else f"{text[: limit - 3]!r}..."
