"""CsvReporter: one row per trial, for spreadsheets and data frames, with formulas disarmed.

A spreadsheet evaluates a cell that begins like a formula. With another separator, a cell begins
after that separator. So an apostrophe precedes every possible formula: at the beginning of a text
or a line, and after a tab or a semicolon.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.text import COLUMNS, Cell, scorer_names, trial_rows, write_pieces

MAX_TEXT = 32_000
"""Characters of a text before it is truncated; a spreadsheet's cell holds 32,767."""

_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"(?:\A|(?<=[\n\t;]))(?=[\s\ufeff'\"]*[{_SIGNS}])|\A(?=[\t\n])")


class CsvReporter:
    """Writes one row per trial."""

    name: ClassVar[str] = "csv"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Raises:
            ReportError: the file cannot be written.
        """
        write_pieces(path, pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """Yield the lines of a report."""
    names = scorer_names(report)
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([*COLUMNS, *(disarm_formulas(f"score.{name}") for name in names)])
    for row in trial_rows(report, names):
        writer.writerow([_plain(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _plain(cell: Cell) -> Cell:
    """Return a cell as written: numbers unchanged, booleans as words, texts disarmed."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return disarm_formulas(cell) if isinstance(cell, str) else cell


def disarm_formulas(text: str) -> str:
    r"""Return a text that no spreadsheet evaluates as a formula.

    Control characters and direction marks become visible escapes; tabs and new lines stay. A text
    longer than a cell is truncated, and says so.
    """
    shown = neutral(text[:MAX_TEXT])
    if len(text) > MAX_TEXT:
        shown += f"\n... {len(text) - MAX_TEXT} more characters"
    return _FORMULA.sub("'", shown)
