"""Views: everything that the sections of one report read, collected once. Pure.

Trials are read once for the HTML page and twice for the Markdown report, since a run may hold more
of them than memory does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_evals.report import Report
from pytest_evals.reporters.shape import all_verdicts
from pytest_evals.reporters.trial_samples import CellKey, RunCells, ShownTrials, select_trials
from pytest_evals.verdict.diff import DiffEntry
from pytest_evals.verdict.gate.spec import GateVerdict

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.htmlparts.collect import PageData

MAX_SHOWN = 150
"""Cells for which the Markdown report reads answers; more would not fit."""

SHOWN_CLASSES = ("regressed", "fixed")
"""The classes of changes with sections of their own, with answers before and now."""


@dataclass(frozen=True, slots=True)
class HtmlView:
    """What the HTML sections of one report read."""

    report: Report
    """The report."""
    data: "PageData"
    """The trials, collected for tables, charts and filters."""
    render: Callable[..., "Markup"]
    """Renders a template by its name with the values given by keyword."""

    @property
    def has_several_datasets(self) -> bool:
        """Whether names of datasets are needed to tell rows apart."""
        return len(self.report.run.datasets) > 1


@dataclass(frozen=True)
class MarkdownView:
    """What the Markdown sections of one report read."""

    report: Report
    """The report."""
    cells: RunCells
    """The trials counted by case and model."""

    @property
    def has_several_datasets(self) -> bool:
        """Whether names of datasets are needed to tell rows apart."""
        return len(self.report.run.datasets) > 1

    @cached_property
    def entries(self) -> Mapping[CellKey, DiffEntry]:
        """The changes of all datasets against their baselines, blocking ones first."""
        entries = [
            (CellKey(name, entry.case, entry.model), entry)
            for name, evaluation in self.report.evaluations.items()
            if evaluation.diff is not None
            for entry in evaluation.diff.entries
        ]
        return dict(sorted(entries, key=lambda pair: not pair[1].blocking))

    @cached_property
    def failing(self) -> Sequence[CellKey]:
        """The cells with wrong answers that no section of changes shows, the worst first."""
        return [key for key in self.cells.failing() if not self.is_shown_as_change(key)]

    @cached_property
    def samples(self) -> Mapping[CellKey, ShownTrials]:
        """One passed and one failed trial of each cell whose answers are shown."""
        changed = [key for key in self.entries if self.is_shown_as_change(key)]
        return select_trials(self.report, {*changed[:MAX_SHOWN], *self.failing[:MAX_SHOWN]})

    @cached_property
    def verdicts(self) -> Sequence[GateVerdict]:
        """The verdicts of all gates, blocking ones first, then by gravity."""
        return sorted(
            all_verdicts(self.report),
            key=lambda verdict: (not verdict.blocking, GRAVITY.index(verdict.verdict)),
        )

    def is_shown_as_change(self, key: CellKey) -> bool:
        """Whether the sections of regressed or fixed cases show this cell."""
        entry = self.entries.get(key)
        return entry is not None and entry.kind in SHOWN_CLASSES

    def changes(self, *classes: str) -> list[tuple[CellKey, DiffEntry]]:
        """Return the changes of these classes."""
        return [pair for pair in self.entries.items() if pair[1].kind in classes]


GRAVITY = ("failed", "incomplete", "inconclusive", "skipped", "passed")
"""The verdicts of gates, the gravest first."""
