"""The errors in the Markdown report: trials without an answer or a score, by reason."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import code, prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.text import count_noun
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView

_MAX_CASES = 5


class Errors(Section):
    """Errored trials by model and reason, the most frequent first."""

    id = "errors"
    title = "No answer, or no score"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a line per model and reason."""
        errors = sorted(view.cells.errors.items(), key=lambda pair: -pair[1][0])
        items = []
        for (dataset, model, _), (count, message, cases) in errors:
            of = f" in {code(dataset)}" if view.has_several_datasets else ""
            trials = count_noun(count, "trial")
            more = ", ..." if len(cases) > _MAX_CASES else ""
            names = ", ".join(code(case) for case in cases[:_MAX_CASES]) + more
            items.append(f"- {trials} of {code(model)}{of}: {prose(message)} ({names})")
        title = f"### {self.title}: {view.cells.total('errored'):,}"
        return [TextSection(title, items, "kinds of errors", between="\n")] if items else []
