"""HtmlReporter: one page that needs nothing but itself, for people.

What it shows without a script is rendered here; the rest stands in it packed, and is unpacked when
it is looked at. The parts are in `htmlparts`, the page's template, script and style in `templates`.
"""

from pathlib import Path
from typing import ClassVar

from pytest_evals.report import Report
from pytest_evals.reporters.text import write_pieces


class HtmlReporter:
    """Writes one self-contained page."""

    name: ClassVar[str] = "html"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an old file is replaced whole, or stays as it is.

        Raises:
            ReportError: it cannot be written.
        """
        from pytest_evals.reporters.html_page import pieces

        write_pieces(path, pieces(report))
