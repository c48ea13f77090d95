"""A JSON text: parsed strictly; the positions of its values are computed on demand.

Duplicate keys, NaN, infinite numbers and lone surrogates are problems here, although JSON parsers
accept them.
"""

import json
import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError, Position, Problem
from pytest_evals.ground.written import written_float
from pytest_evals.loaders.base import MAX_DEPTH, Loc
from pytest_evals.loaders.text import TOO_DEEP, Lines, clip, has_lone_surrogate, too_deep

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]|-?[0-9][0-9.eE+-]*|NaN|-?Infinity', re.DOTALL
)
_skip: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class StrictDecoder:
    """Parses JSON texts, and records whether the last one is suspicious."""

    def __init__(self) -> None:
        self.suspicious = False
        """Whether the last text contains something that strict JSON does not allow."""
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_float=self._float,
        ).decode

    def __call__(self, text: str) -> Json:
        """Parse a text.

        Raises:
            ValueError: it is not JSON (a `json.JSONDecodeError`), or a number has too many digits.
            RecursionError: it is nested too deeply.
        """
        self.suspicious = False
        data = self._decode(text)
        if "\\u" in text and not self.suspicious:
            self.suspicious = has_lone_surrogate(json.dumps(data, ensure_ascii=False))
        return data

    def _object(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        """Build an object; a duplicate key is suspicious."""
        made = dict(pairs)
        if len(made) != len(pairs):
            self.suspicious = True
        return made

    def _constant(self, name: str) -> Json:
        """Return None for NaN or an infinity, which is suspicious."""
        self.suspicious = True

    def _float(self, written: str) -> float | None:
        """Parse a number with a fraction or an exponent; an infinite one is suspicious."""
        number = written_float(written)
        if isfinite(number):
            return number
        self.suspicious = True
        return None


class JsonText:
    """One JSON value in a file.

    Args:
        text: the JSON text.
        path: the file.
        first: the first line of the text in the file.
    """

    def __init__(self, text: str, path: str, *, first: int = 1) -> None:
        self._text = text
        self._lines = Lines(text, path, first=first)
        self._places: dict[int, dict[str | int, tuple[int, int]]] = {}
        self.problems: list[Problem] = []

    def parse(self, decode: StrictDecoder) -> Json:
        """Parse the text; add problems that do not prevent parsing to `problems`.

        Raises:
            DatasetError: it cannot be parsed.
        """
        try:
            data = decode(self._text)
        except json.JSONDecodeError as error:
            raise DatasetError.at(self._lines.at(error.pos), _syntax(error)) from None
        except (ValueError, RecursionError):
            raise DatasetError(self._faults()) from None
        if decode.suspicious:
            self.problems.extend(self._faults())
            if "\\u" in self._text and has_lone_surrogate(json.dumps(data, ensure_ascii=False)):
                raise DatasetError(self.problems)
        if self._text.count("[") + self._text.count("{") > MAX_DEPTH and too_deep(data):
            raise DatasetError(self._faults())
        return data

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return the position of a value or its key."""
        offset = place = self._space(0)
        for i, step in enumerate(loc):
            child = self._children(offset).get(step)
            if child is None:
                break
            offset = child[1]
            place = child[0] if key and i == len(loc) - 1 else offset
        return self._lines.at(place)

    def _space(self, offset: int) -> int:
        """Return the end of the whitespace at an offset."""
        match = _SPACE.match(self._text, offset)
        return match.end() if match else offset

    def _children(self, offset: int) -> dict[str | int, tuple[int, int]]:
        """Return the offsets of the keys and values in the container at an offset; cached."""
        places = self._places.get(offset)
        if places is None:
            places = self._places[offset] = dict(self._read_children(offset))
        return places

    def _read_children(self, offset: int) -> Iterator[tuple[str | int, tuple[int, int]]]:
        """Yield the key and offsets of each child; the C scanner skips the values."""
        text, space = self._text, self._space
        if text[offset] not in "{[":
            return
        is_object = text[offset] == "{"
        index = 0
        offset = space(offset + 1)
        while text[offset] not in "}]":
            key: str | int = index
            start = offset
            if is_object:
                key, offset = _skip(text, offset)
                offset = space(space(offset) + 1)
            yield key, (start, offset)
            _, offset = _skip(text, offset)
            offset = space(offset)
            if text[offset] == ",":
                offset = space(offset + 1)
            index += 1

    def _faults(self) -> Iterator[Problem]:
        """Yield the problems, token by token; stop if the nesting is too deep."""
        keys: list[dict[str, int] | None] = []
        """For each open container, the offsets of its keys; None for a list."""
        key_comes = False
        for match in _TOKEN.finditer(self._text):
            part, offset = match.group(), match.start()
            if part in "{[":
                keys.append({} if part == "{" else None)
                key_comes = part == "{"
                if len(keys) > MAX_DEPTH:
                    yield Problem(self._lines.at(offset), TOO_DEEP)
                    return
            elif part in "}]":
                keys.pop()
                key_comes = False
            elif part == ",":
                key_comes = bool(keys) and keys[-1] is not None
            elif part[0] == '"':
                yield from self._text_faults(part, offset, keys[-1] if key_comes else None)
                key_comes = False
            else:
                yield from self._number_faults(part, offset)

    def _text_faults(
        self, token: str, offset: int, siblings: dict[str, int] | None
    ) -> Iterator[Problem]:
        """Yield the problems of a string; a key has `siblings`."""
        text = json.loads(token)
        if "\\u" in token and has_lone_surrogate(text):
            yield Problem(
                self._lines.at(offset),
                "found half a character (a lone surrogate); write the whole character",
            )
        if siblings is None:
            return
        first = siblings.setdefault(text, offset)
        if first != offset:
            line = self._lines.at(first).line
            yield Problem(
                self._lines.at(offset),
                f"duplicate key {clip(text)} in this mapping, first in line {line}",
            )

    def _number_faults(self, token: str, offset: int) -> Iterator[Problem]:
        """Yield the problems of a number."""
        try:
            number: Any = json.loads(token)
        except ValueError:
            yield Problem(
                self._lines.at(offset), f"found a number of {len(token)} digits; make it a text"
            )
            return
        if isinstance(number, float) and not isfinite(number):
            yield Problem(self._lines.at(offset), f"found {clip(token)}, expected a finite number")


def _syntax(error: json.JSONDecodeError) -> str:
    """Return the message for a syntax error."""
    hint = ""
    rest = error.doc[error.pos : error.pos + 1]
    if "property name" in error.msg or "trailing comma" in error.msg:
        hint = "; keys need double quotes, and a comma before a closing bracket is not allowed"
    elif error.msg == "Expecting value" and rest in {"'", "]", "}"}:
        hint = "; texts need double quotes, and a comma before a closing bracket is not allowed"
    elif "control character" in error.msg:
        hint = "; write a line break in a text as \\n"
    actual = f", found {rest!r}" if rest else ", found the end of the text"
    return f"not JSON: {error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')}{actual}{hint}"
