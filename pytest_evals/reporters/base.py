"""Reporter: writes a Report to a file."""

from pathlib import Path
from typing import ClassVar, Protocol

from pytest_evals.report import Report


class Reporter(Protocol):
    """Writes reports in one format.

    Reporters keep no state: `write` may be called for several reports.
    """

    name: ClassVar[str]
    """The name of its option ``--evals-<name>``, and of its format in ``export``."""

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Args:
            report: the report.
            path: the file; its folder exists.

        Raises:
            ReportError: the file cannot be written.
        """
        ...
