"""CSV: each row is a case; the first line names the columns, which are keys of a case.

Columns are ``input``, ``expected``, ``metadata.topic``, ``variables.city``; a suffix sets the type:
``expected:int``, ``:float``, ``:bool``, ``:json``, ``:list``. The default type is text, except for
keys that cannot be a text (``tags``, ``samples``, ``turns``, ``scorers``, ...). An empty cell has
no value. A ``.tsv`` file has tabs instead of commas.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from pytest_evals.case import Case
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError, Position, Problem, suggest
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.jsontext import JsonText, StrictDecoder
from pytest_evals.loaders.text import Lines, clip, decode

_MAPPINGS = ("variables", "metadata")
_KEYS = tuple(name for name in Case.model_fields if name not in {"source", *_MAPPINGS})
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class CsvLoader:
    """Reads CSV files."""

    name: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file to a list of cases.

        Raises:
            DatasetError: it is not CSV, or no row can be parsed.
        """
        text = decode(content, path)
        reading = _Reading(text, path, "\t" if path.lower().endswith(".tsv") else ",")
        rows = list(reading.rows())
        if not rows and reading.problems:
            raise DatasetError(reading.problems)
        return Document(rows, reading, tuple(reading.problems))


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: the key of its values and their parser."""

    key: str
    """The key of the case."""
    inner: str | None
    """The inner key, for ``metadata.x``."""
    read: Callable[[str], Json]


class _Reading:
    """One parse of a file, with the positions of its values."""

    def __init__(self, text: str, path: str, delimiter: str) -> None:
        self._text = text
        self._path = path
        self._delimiter = delimiter
        self._lines = Lines(text, path)
        self._starts: list[int] = []
        """The first line of each row, 0-based."""
        self._header = 0
        """The line of the column names, 0-based."""
        self._columns: list[_Column | None] = []
        self.problems: list[Problem] = []

    def rows(self) -> Iterator[dict[str, Json]]:
        """Yield each row as a case.

        Raises:
            DatasetError: the quoting is broken, so the following rows are unknown.
        """
        for number, (start, cells) in enumerate(self._records()):
            if number == 0:
                self._header = start
                self._check_delimiter(cells)
                self._columns = [self._column(cell, i) for i, cell in enumerate(cells)]
                self._check_duplicates(cells)
                continue
            if len(cells) != len(self._columns):
                self.problems.append(
                    Problem(
                        Position(self._path, start + 1, 1),
                        f"found {_count(cells)}, expected {len(self._columns)} as in the first "
                        f"line; quote a cell that contains {self._delimiter!r} or a line break",
                    )
                )
                continue
            self._starts.append(start)
            yield self._case(start, cells)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each record that is not blank, with its first line (0-based)."""
        lines = (f"{line}\n" for line in self._text.split("\n"))
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        # The limit is global to the module: raise it only while this file is parsed.
        limit = csv.field_size_limit(max(csv.field_size_limit(), len(self._text)))
        start = 0
        records: list[tuple[int, list[str]]] = []
        try:
            for cells in reader:
                if cells:
                    records.append((start, cells))
                start = reader.line_num
        except csv.Error as error:
            raise DatasetError(
                [
                    *self.problems,
                    Problem(
                        Position(self._path, start + 1, 1),
                        f"not CSV: {error}; close each quoted cell, and double a quote inside of "
                        "it",
                    ),
                ]
            ) from None
        finally:
            csv.field_size_limit(limit)
        return iter(records)

    def _column(self, header: str, index: int) -> _Column | None:
        """Parse a header; report an invalid one and return None."""
        name, colon, type_name = header.strip().rpartition(":")
        if not colon:
            name, type_name = header.strip(), ""
        key, dot, inner = name.partition(".")
        if colon and type_name not in _TYPES:
            self._report_column(
                index,
                f"column {clip(header)} has the unknown type {type_name!r}."
                + suggest(type_name, _TYPES),
            )
            return None
        if key in _MAPPINGS:
            if not inner:
                self._report_column(index, f"column {clip(header)} needs a name: `{key}.<name>`")
                return None
        elif dot or key not in _KEYS:
            self._report_column(index, self._unknown(header, name))
            return None
        read = _TYPES[type_name] if colon else _DEFAULT_TYPES.get(key, str)
        return _Column(key, inner or None, read)

    def _unknown(self, header: str, name: str) -> str:
        """Return the message for an unknown column."""
        if not name:
            return "found a column without a name"
        hint = suggest(name, _KEYS)
        return (
            f"unknown column {clip(header)}.{hint} Use `metadata.<name>` for extra fields, and "
            "`variables.<name>` for the variables of the prompt"
        )

    def _check_delimiter(self, cells: list[str]) -> None:
        """Reject a file with another delimiter.

        Raises:
            DatasetError: the first line is one cell that contains another delimiter.
        """
        for other in ";\t,|":
            if len(cells) == 1 and other != self._delimiter and other in cells[0]:
                raise DatasetError.at(
                    Position(self._path, self._header + 1, 1),
                    f"found a single column {clip(cells[0])}; separate cells with "
                    f"{self._delimiter!r}, not with {other!r}",
                )

    def _check_duplicates(self, cells: list[str]) -> None:
        """Report duplicate columns."""
        seen: dict[tuple[str, str | None], int] = {}
        for i, column in enumerate(self._columns):
            if column is None:
                continue
            first = seen.setdefault((column.key, column.inner), i)
            if first != i:
                self._report_column(
                    i,
                    f"duplicate column {clip(cells[i])}: columns {first + 1} and {i + 1}",
                )

    def _report_column(self, index: int, message: str) -> None:
        """Report a problem with a column."""
        self.problems.append(Problem(self._cell(self._header, index), message))

    def _case(self, start: int, cells: list[str]) -> dict[str, Json]:
        """Convert a row to a case."""
        case: dict[str, Json] = {}
        for i, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
            if column is None or not cell:
                continue
            try:
                value = column.read(cell)
            except (ValueError, RecursionError) as error:
                self.problems.append(Problem(self._cell(start, i), str(error)))
                continue
            if column.inner is None:
                case[column.key] = value
            else:
                case.setdefault(column.key, {})[column.inner] = value
        return case

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return the position of a value; that of a key is its column in the first line."""
        row = loc[0] if loc else -1
        if not isinstance(row, int) or not 0 <= row < len(self._starts):
            return Position(self._path, 1, 1)
        for i, column in enumerate(self._columns):
            if column is None or len(loc) < 2 or column.key != loc[1]:
                continue
            if column.inner is None or (len(loc) > 2 and column.inner == loc[2]):
                return self._cell(self._header if key else self._starts[row], i)
        return Position(self._path, self._starts[row] + 1, 1)

    def _cell(self, line: int, index: int) -> Position:
        """Return the position of a cell, by parsing its record again.

        Args:
            line: the first line of the record (0-based).
            index: the index of the cell.
        """
        offset = self._lines.start(line)
        quote = re.compile(r'"[^"]*(?:""[^"]*)*"')
        plain = re.compile(f"[^{re.escape(self._delimiter)}\n]*")
        for _ in range(index):
            match = quote.match(self._text, offset) or plain.match(self._text, offset)
            offset = match.end() + 1 if match else offset
        return self._lines.at(min(offset, len(self._text)))


def _count(cells: list[str]) -> str:
    """Return the number of cells as words."""
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def _int(cell: str) -> Json:
    """Parse a whole number."""
    if not re.fullmatch(r"\s*[-+]?[0-9]{1,4000}\s*", cell):
        raise ValueError(f"expected a whole number, found {clip(cell)}")
    return int(cell)


def _float(cell: str) -> Json:
    """Parse a number."""
    try:
        number = float(cell.replace("_", "?"))
    except ValueError:
        raise ValueError(f"expected a number, found {clip(cell)}") from None
    if not isfinite(number):
        raise ValueError(f"expected a finite number, found {clip(cell)}")
    return number


def _bool(cell: str) -> Json:
    """Parse a boolean."""
    truth = _TRUTHS.get(cell.strip().casefold())
    if truth is None:
        raise ValueError(f"expected true or false (or yes, no, 1, 0), found {clip(cell)}")
    return truth


def _json(cell: str) -> Json:
    """Parse JSON."""
    text = JsonText(cell, "")
    try:
        data = text.parse(StrictDecoder())
    except DatasetError as error:
        raise ValueError(_in_cell(error.problems)) from None
    if text.problems:
        raise ValueError(_in_cell(tuple(text.problems)))
    return data


def _in_cell(problems: tuple[Problem, ...]) -> str:
    """Return the problems of a JSON cell, with positions inside of the cell."""
    return "; ".join(
        f"{problem.message} (character {problem.where.column} of the cell's line "
        f"{problem.where.line})"
        for problem in problems
    )


def _list(cell: str) -> Json:
    """Parse texts separated by commas or semicolons, or a JSON list."""
    if cell.lstrip().startswith("["):
        return _json(cell)
    return [item.strip() for item in re.split("[,;]", cell) if item.strip()]


def _words(cell: str) -> Json:
    """Parse words separated by spaces, commas or semicolons, or a JSON list."""
    if cell.lstrip().startswith("["):
        return _json(cell)
    return [word for word in re.split(r"[\s,;]+", cell) if word]


_TYPES: dict[str, Callable[[str], Json]] = {
    "str": str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "json": _json,
    "list": _list,
}
_DEFAULT_TYPES: dict[str, Callable[[str], Json]] = {
    "samples": _int,
    "tags": _words,
    "turns": _json,
    "scorers": _json,
    "script": _json,
    "expect": _json,
    "tools": _json,
}
"""The parsers of columns that cannot be texts."""
