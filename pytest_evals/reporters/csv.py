"""CsvReporter: one row a trial, for spreadsheets and data frames, with formulas disarmed.

A spreadsheet runs a cell that begins as a formula does, whatever wrote it; and where it takes
another separator than ours, a cell begins wherever that stands. So an apostrophe stands before what
would begin a formula: in the beginning of a text and of its lines, behind a tab and a semicolon.
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

LONGEST = 32_000
"""Characters of a text that are kept: a spreadsheet's cell holds 32,767."""

_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"(?:\A|(?<=[\n\t;]))(?=[\s\ufeff'\"]*[{_SIGNS}])|\A(?=[\t\n])")


class CsvReporter:
    """Writes one row a trial."""

    name: ClassVar[str] = "csv"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an old file is replaced whole, or stays as it is.

        Raises:
            ReportError: it cannot be written.
        """
        write_pieces(path, pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """Yield a report's lines."""
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
    """Return a cell as it is written: numbers as they are, verdicts in words, texts harmless."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return disarm_formulas(cell) if isinstance(cell, str) else cell


def disarm_formulas(text: str) -> str:
    r"""Return a text that no spreadsheet takes for a formula.

    Control characters and marks that turn the direction of text become visible escapes; tabs and
    new lines stay. What is longer than a cell is cut, and says so.
    """
    shown = neutral(text[:LONGEST])
    if len(text) > LONGEST:
        shown += f"\n... {len(text) - LONGEST} more characters"
    return _FORMULA.sub("'", shown)
