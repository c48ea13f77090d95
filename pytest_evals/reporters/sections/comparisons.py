"""The comparisons with the baseline in words, in the Markdown report, folded."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import code, prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class Comparisons(Section):
    """The sentence of every comparison, declared ones first."""

    id = "comparisons"
    title = "Comparisons with the baseline"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a line per comparison."""
        tests = [
            test
            for evaluation in view.report.evaluations.values()
            if evaluation.diff is not None
            for test in evaluation.diff.tests
        ]
        items = []
        for test in sorted(tests, key=lambda test: test.gate is None):
            part = f", {code(str(test.slice))}" if test.slice else ""
            of = f", {code(test.of)}" if test.of else ""
            role = "" if test.gate else " (exploratory, never blocks)"
            items.append(f"- {code(test.model)}{part}{of}{role}: {prose(test.result.sentence)}")
        folded = f"{self.title}: {len(items):,}"
        section = TextSection("", items, "comparisons", share=0.05, between="\n", folded=folded)
        return [section] if items else []
