"""Notes: what the session wants a reader to know, such as a plugin that failed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.report import Report
from pytest_evals.reporters.markup import prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView

MAX_NOTES = 5
"""Notes at the top of the Markdown report; the others are with the facts of the run."""


class Notes(Section):
    """The notes of the session."""

    id = "notes"
    title = "Notes"

    def is_shown(self, report: Report) -> bool:
        """Whether the session left notes."""
        return bool(report.run.notes)

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return all notes."""
        return view.render("sections/notes.jinja", notes=view.report.run.notes)

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the first notes."""
        notes = (f"> ⚠️ {prose(note)}" for note in view.report.run.notes[:MAX_NOTES])
        return [TextSection("\n\n".join(notes), (), "")]
