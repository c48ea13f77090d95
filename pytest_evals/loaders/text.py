"""The text of a file and the places in it; and how a value is shown to a person.

Knows bytes and characters, nothing of formats or of datasets.
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
    """Return the text of a file, which is UTF-8, with or without a byte order mark.

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
    """Return the place of a byte; what stands before it in its line may be no UTF-8 either."""
    before = content[:offset]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", errors="replace")) + 1
    return Position(path, before.count(b"\n") + 1, column)


class Lines:
    """Turns offsets in a text into lines and columns."""

    def __init__(self, text: str, path: str, *, first: int = 1) -> None:
        """Prepare; the first line of the text is the file's line `first`."""
        self._text = text
        self._path = path
        self._first = first

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins."""
        starts = [0]
        find, end = self._text.find, -1
        while (end := find("\n", end + 1)) >= 0:
            starts.append(end + 1)
        return starts

    def start(self, line: int) -> int:
        """Return the offset at which a line, 0-based, begins."""
        return self._starts[line]

    def at(self, offset: int) -> Position:
        """Return the place of a character."""
        line = bisect_right(self._starts, offset) - 1
        return Position(self._path, line + self._first, offset - self._starts[line] + 1)


def too_deep(data: Json) -> bool:
    """Whether more lists and mappings stand in one another than `MAX_DEPTH`."""
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
    """Whether a text has half a character, which no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def kind_name(value: object) -> str:
    """Name a value's kind in plain words."""
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
    """Show a value that was found: its kind where that helps, and its beginning."""
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
    """Quote a text's beginning on one line."""
    return repr(text) if len(text) <= limit else f"{text[: limit - 3]!r}..."
