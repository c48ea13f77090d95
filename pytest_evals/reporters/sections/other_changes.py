"""The other changes against the baseline in the Markdown report, folded."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.case_text import CLASS_WORDS, cell_name
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView

_CLASSES = ("drifted", "case_edited", "added_passing", "removed")


class OtherChanges(Section):
    """Drifted, edited, new and removed cases."""

    id = "other-changes"
    title = "Other changes against the baseline"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a line per case."""
        items = [
            f"- {cell_name(view, key)}: {CLASS_WORDS[entry.kind]}"
            + (f" ({prose(', '.join(entry.edited))})" if entry.edited else "")
            for key, entry in view.changes(*_CLASSES)
        ]
        folded = f"{self.title}: {len(items):,}"
        return [TextSection("", items, "cases", between="\n", folded=folded)] if items else []
