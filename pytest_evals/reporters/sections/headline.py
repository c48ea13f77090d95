"""The headline: the verdict in words, the counts behind it, and what the run took."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_evals.report import Report
from pytest_evals.reporters.markup import prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.shape import overall_decision
from pytest_evals.reporters.trial_samples import RunCells
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.verdict.decision import Decision

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView

MARKER = "<!-- pytest-evals -->"
"""The first line of the Markdown report: a workflow finds the comment to replace by it."""

_TITLES = {
    "accept": "✅ Evals: accept",
    "reject": "❌ Evals: reject",
    "investigate": "⚠️ Evals: investigate",
    "tradeoff": "⚖️ Evals: a tradeoff, for a person to weigh",
}
_CLASS_WORDS = {
    "still_failing": "still failing",
    "still_passing": "still passing",
    "newly_failing": "newly failing (unconfirmed)",
    "newly_passing": "newly passing (unconfirmed)",
    "case_edited": "edited (not compared)",
    "added_passing": "new and passing",
    "added_failing": "new and failing",
}


class HeadlineSection(Section):
    """The verdict, before everything else."""

    id = "headline"
    title = "Verdict"

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the verdict with its reasons, the regressed cases, and the counts."""
        from pytest_evals.reporters.htmlparts.changes import change_groups
        from pytest_evals.reporters.htmlparts.headline import headline

        regressed = [g for g in change_groups(view.report, view.data) if g.kind == "regressed"]
        return view.render(
            "sections/headline.jinja",
            head=headline(view.report, view.data),
            regressed=regressed,
        )

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the marker, the verdict, the counts, and the reasons of a tradeoff."""
        return [TextSection("\n\n".join(_lines(view.report, view.cells)), (), "")]


def _lines(report: Report, cells: RunCells) -> Iterator[str]:
    """Yield the paragraphs of the headline."""
    decision = overall_decision(report)
    yield f"{MARKER}\n## {_title(report, cells, decision)}"
    yield _counts(report, cells)
    if decision is not None and (decision.decision == "tradeoff" or cells.total("untolerated")):
        yield "\n".join(f"- {prose(reason)}" for reason in decision.reasons[:5])


def _title(report: Report, cells: RunCells, decision: Decision | None) -> str:
    """Return the verdict in words: the decision, or without gates what the trials say."""
    if decision is not None:
        pending = decision.failed and decision.decision == "investigate"
        return "❌ Evals: failed, investigate" if pending else _TITLES[decision.decision]
    problems = cells.total("untolerated") + cells.total("errored") + cells.total("skipped")
    if problems:
        return "❌ Evals: failed"
    if report.run.status == "interrupted" or not cells.cells:
        return "⚠️ Evals: incomplete"
    return "✅ Evals: passed"


def _counts(report: Report, cells: RunCells) -> str:
    """Return the trials by outcome and the changes by class, in two sentences."""
    parts = [*_outcomes(cells), *_missing(report)]
    counts: dict[str, int] = {}
    for evaluation in report.evaluations.values():
        for name, count in (evaluation.diff.counts if evaluation.diff else {}).items():
            counts[name] = counts.get(name, 0) + count
    changed = [f"{count:,} {_CLASS_WORDS.get(name, name)}" for name, count in counts.items()]
    diff = f" Against the baseline: {'; '.join(changed)}." if changed else ""
    return f"{'; '.join(parts)}.{diff}"


def _outcomes(cells: RunCells) -> Iterator[str]:
    """Yield the number of trials of each outcome."""
    passed, failed, revised = (cells.total(name) for name in ("passed", "failed", "revised"))
    tolerated = failed - cells.total("untolerated")
    yield f"{passed:,} of {passed + revised + failed:,} scored trials passed"
    if revised:
        yield f"{revised:,} passed only after a revision"
    if failed:
        yield f"{failed:,} failed" + (f" ({tolerated:,} tolerated by gates)" if tolerated else "")
    for outcome, words in (
        ("errored", "without an answer or a score"),
        ("skipped", "not run"),
        ("unneeded", "not needed"),
    ):
        if count := cells.total(outcome):
            yield f"{count:,} {words}"


def _missing(report: Report) -> Iterator[str]:
    """Yield why the run has fewer trials than planned."""
    narrowed = [info for info in report.run.datasets if info.selected < info.planned]
    if narrowed:
        selected = sum(info.selected for info in narrowed)
        planned = sum(info.planned for info in narrowed)
        yield f"{selected:,} of {planned:,} trials were selected"
    if report.run.status == "interrupted":
        yield "the run was **interrupted**"
