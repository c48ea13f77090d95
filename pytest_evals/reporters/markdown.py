"""MarkdownReporter: a summary for one comment on a pull request.

The verdict comes first, then regressed cases with their answers and reasons, then costs; details
are folded. The report is truncated to the length of a comment, and says what it left out. `markup`
escapes every text that a model or a plugin wrote.
"""

from pathlib import Path
from typing import ClassVar

from pytest_evals.report import Report
from pytest_evals.reporters.sections.catalogue import sections_of
from pytest_evals.reporters.text import write_pieces
from pytest_evals.reporters.trial_samples import RunCells
from pytest_evals.reporters.truncate import truncate_document
from pytest_evals.reporters.views import MarkdownView

LIMIT = 65_536
"""Characters a comment may have."""


class MarkdownReporter:
    """Writes a summary for a pull request."""

    name: ClassVar[str] = "md"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Raises:
            ReportError: the file cannot be written.
        """
        write_pieces(path, [render_markdown(report)])


def render_markdown(report: Report, limit: int = LIMIT) -> str:
    """Return a report as Markdown.

    Args:
        report: the report.
        limit: its maximum length, at least 8,000; a character above U+FFFF counts as two.
    """
    view = MarkdownView(report, RunCells.of(report))
    parts = [part for section in sections_of(report) for part in section.markdown(view)]
    return truncate_document(parts, limit)
