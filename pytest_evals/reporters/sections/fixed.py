"""The fixed cases in the Markdown report, with answers before and now."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.case_text import changed_cases
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class FixedCases(Section):
    """Cases that pass significantly more often than in the baseline."""

    id = "fixed"
    title = "Fixed"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the fixed cases."""
        return changed_cases(view, self.title, view.changes("fixed"), 0.1)
