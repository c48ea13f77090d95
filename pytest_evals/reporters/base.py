"""Reporter: writes a Report to a file."""

from pathlib import Path
from typing import ClassVar, Protocol

from pytest_evals.report import Report


class Reporter(Protocol):
    """Writes what became of a run, for one kind of reader.

    A class without state: `write` may be called for several reports.
    """

    name: ClassVar[str]
    """What it is called: its option is ``--evals-<name>``, its format that of ``export``."""

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an old file is replaced whole, or stays as it is.

        Args:
            report: what is to be told.
            path: the file; its folder exists.

        Raises:
            ReportError: it cannot be written.
        """
        ...
