"""The facts of the run in the Markdown report, folded: datasets, commit, baselines, versions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.reporters.markup import code, in_html, prose
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.notes import MAX_NOTES
from pytest_evals.reporters.spending_text import calls_words
from pytest_evals.reporters.text import count_noun
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from pytest_evals.reporters.views import MarkdownView


class RunFacts(Section):
    """What was run, and the commands to see more."""

    id = "run"
    title = "Run"

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return a line per fact."""
        run = view.report.run
        items = [
            f"- {code(info.name)} ({code(info.path)}): {count_noun(info.cases, 'case')}, "
            f"{count_noun(info.planned, 'trial')}, digest {code(info.digest[:12])}"
            for info in run.datasets
        ]
        if run.git is not None:
            changed = ", with uncommitted changes" if run.git.dirty else ""
            items.append(f"- commit {code(run.git.commit[:12])}{changed}")
        if run.spending:
            items.append(f"- {calls_words(run.spending)}")
        items += [
            f"- {code(name)} compared with {code(evaluation.diff.baseline)}"
            for name, evaluation in view.report.evaluations.items()
            if evaluation.diff is not None
        ]
        items += [f"- {prose(note)}" for note in run.notes[MAX_NOTES:]]
        items.append(
            f"- rerun the failures: {code('pytest --evals --lf')}; "
            f"saved: {code(f'pytest-evals show {run.id}')}"
        )
        versions = " ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
        if versions:
            items.append(f"- versions: {prose(versions)}")
        folded = f"{self.title} {in_html(run.id)}"
        return [TextSection("", items, "facts", between="\n", folded=folded)]
