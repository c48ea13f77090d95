"""Gates: the verdicts with their numbers; in Markdown those that did not pass."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.report import Report
from pytest_evals.reporters.markup import code, prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.shape import all_verdicts
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.reporters.views import GRAVITY
from pytest_evals.verdict.gate.spec import GateVerdict

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView

MAX_GATES = 10
"""Gates that the HTML page shows unfolded, if not more of them failed."""

_MAX_CASES = 8
_MARKS = {
    "passed": "✅",
    "failed": "❌",
    "inconclusive": "⚠️",
    "skipped": "⏭️",
    "incomplete": "⚠️",
}


class Gates(Section):
    """The verdicts of gates, the gravest first."""

    id = "gates"
    title = "Gates"

    def is_shown(self, report: Report) -> bool:
        """Whether any gate was evaluated."""
        return bool(all_verdicts(report))

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the gates with a drawing of value, interval and threshold."""
        from pytest_evals.reporters.htmlparts.gates import gate_rows

        rows = gate_rows(all_verdicts(view.report), several=view.has_several_datasets)
        not_passed = sum(row.verdict != "passed" for row in rows)
        shown = max(MAX_GATES, min(not_passed, 3 * MAX_GATES))
        return view.render(
            "sections/gates.jinja", title=self.title, gates=rows[:shown], more_gates=rows[shown:]
        )

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the gates that did not pass, with their sentences and failing cases."""
        words = [verdict.verdict for verdict in view.verdicts]
        counts = [f"{words.count(word)} {word}" for word in GRAVITY if word in words]
        items = [
            _item(verdict, several=view.has_several_datasets)
            for verdict in view.verdicts
            if verdict.verdict != "passed"
        ]
        title = f"### {self.title}: {', '.join(counts)}"
        return [TextSection(title, items, "gates", share=0.15, between="\n")]


def _item(verdict: GateVerdict, *, several: bool) -> str:
    """Return one verdict with its sentence and its failing cases."""
    text = f"- {mark(verdict)} {_name(verdict, several=several)}: {prose(verdict.sentence)}"
    if verdict.behind:
        rest = len(verdict.behind) - _MAX_CASES
        more = f" and {rest} more" if rest > 0 else ""
        cases = ", ".join(code(case) for case in verdict.behind[:_MAX_CASES])
        text += f" Failing cases: {cases}{more}."
    return text


def mark(verdict: GateVerdict) -> str:
    """Return the sign of a verdict."""
    return "❌" if verdict.blocking else _MARKS[verdict.verdict]


def _name(verdict: GateVerdict, *, several: bool) -> str:
    """Return the gate with its model and slice."""
    where = f", {code(str(verdict.slice))}" if verdict.slice else ""
    of = f" of {code(verdict.dataset)}" if several else ""
    return f"{code(verdict.gate)} for {code(verdict.model)}{where}{of}"
