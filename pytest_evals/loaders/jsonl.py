"""JSON Lines: one JSON value in each line, each a case; blank lines are skipped."""

from typing import ClassVar

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError, Position, Problem
from pytest_evals.loaders.base import MAX_DEPTH, Document, Loc
from pytest_evals.loaders.jsontext import JsonText, StrictDecoder
from pytest_evals.loaders.text import decode

MAX_UNREADABLE = 20
"""The maximum number of invalid lines that are reported; more are counted."""


class JsonlLoader:
    """Reads JSON Lines files."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file to the list of the values of its lines.

        Raises:
            DatasetError: no line can be parsed.
        """
        reading = _Reading(decode(content, path), path)
        rows = reading.rows()
        problems = reading.problems
        if not rows:
            raise DatasetError(reading.why_nothing())
        if reading.unreadable > MAX_UNREADABLE:
            more = reading.unreadable - MAX_UNREADABLE
            problems.append(Problem(Position(path), f"{more} more lines are not JSON either"))
        return Document(rows, reading, tuple(problems))


class _Reading:
    """One parse of a file, with the positions of its values."""

    def __init__(self, text: str, path: str) -> None:
        # Not splitlines: U+2028 and similar characters do not end a line in JSON Lines.
        self._lines = text.split("\n")
        self._path = path
        self._numbers: list[int] = []
        """The line number of each row."""
        self.problems: list[Problem] = []
        self.unreadable = 0

    def rows(self) -> list[Json]:
        """Return the values of the valid lines."""
        rows: list[Json] = []
        numbers = self._numbers
        strict = StrictDecoder()
        for number, line in enumerate(self._lines, 1):
            if not line or line.isspace():
                continue
            try:
                row = strict(line)
            except (ValueError, RecursionError):
                self._report(line, number)
                continue
            suspicious = strict.suspicious
            if suspicious or line.count("[") + line.count("{") > MAX_DEPTH:
                text = JsonText(line, self._path, first=number)
                try:
                    text.parse(strict)
                except DatasetError as error:
                    self.problems.extend(error.problems)
                    continue
                self.problems.extend(text.problems)
            rows.append(row)
            numbers.append(number)
        return rows

    def _report(self, line: str, number: int) -> None:
        """Report a line that is not JSON."""
        self.unreadable += 1
        if self.unreadable <= MAX_UNREADABLE:
            try:
                JsonText(line, self._path, first=number).parse(StrictDecoder())
            except DatasetError as error:
                self.problems.extend(error.problems)

    def why_nothing(self) -> list[Problem]:
        """Return why no line is valid: possibly the file is one JSON value."""
        if not self.unreadable:
            return self.problems
        try:
            StrictDecoder()("\n".join(self._lines))
        except (ValueError, RecursionError):
            return self.problems
        return [
            Problem(
                Position(self._path, 1),
                "found one JSON value over several lines, expected one value in each line; "
                "rename the file to .json, or write each case on one line",
            )
        ]

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return the position of a value or its key."""
        row = loc[0] if loc else 0
        if not isinstance(row, int) or row >= len(self._numbers):
            return Position(self._path, 1, 1)
        number = self._numbers[row]
        if len(loc) == 1:
            return Position(self._path, number, 1)
        return JsonText(self._lines[number - 1], self._path, first=number)(loc[1:], key=key)
