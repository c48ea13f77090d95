"""Section: one part of the reports for people, in the formats it supports."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from pytest_evals.report import Report
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView


class Section(Protocol):
    """A part of the HTML page, of the Markdown report, or of both.

    A subclass overrides `html`, `markdown` or both; the other format lacks the section.
    Sections keep no state: one instance serves every report.
    """

    id: str
    """The section's name in the documentation and in the HTML page's anchors."""
    title: str
    """The heading that readers see."""

    def is_shown(self, report: Report) -> bool:
        """Whether the report has anything for this section; by default it always has."""
        return True

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the section as HTML; None if it has nothing to show."""
        return None

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the section as Markdown: no, one or several parts, the gravest first."""
        return ()
