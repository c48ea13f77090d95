"""Changes against the baseline; in Markdown the regressed cases, with answers before and now."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.report import Report
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.case_text import changed_cases
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView


class Changes(Section):
    """The changed cases, by class."""

    id = "changes"
    title = "What changed"

    def is_shown(self, report: Report) -> bool:
        """Whether a dataset was compared with a baseline."""
        return any(evaluation.diff for evaluation in report.evaluations.values())

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the classes of changes, each with its first cases."""
        from pytest_evals.reporters.htmlparts.changes import (
            change_counts,
            change_groups,
            class_title,
        )

        counts = change_counts(view.report)
        groups = change_groups(view.report, view.data)
        if not groups and not counts:
            return None
        return view.render(
            "sections/changes.jinja",
            title=self.title,
            groups=groups,
            counts={class_title(name): count for name, count in counts.items()},
        )

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the regressed cases, blocking ones first."""
        return changed_cases(view, "Regressed", view.changes("regressed"), 0.35)
