"""HtmlReporter: one self-contained page for people.

The sections are rendered without JavaScript. Details of trials are compressed in the page, and the
script decompresses them on demand. `sections` has the sections, `templates` the page's template,
script and style.
"""

from pathlib import Path
from typing import ClassVar

from pytest_evals.report import Report
from pytest_evals.reporters.text import write_pieces


class HtmlReporter:
    """Writes one self-contained page."""

    name: ClassVar[str] = "html"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Raises:
            ReportError: the file cannot be written.
        """
        from pytest_evals.reporters.html_page import pieces

        write_pieces(path, pieces(report))
