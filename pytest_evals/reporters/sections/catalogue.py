"""The list of sections, in the order of the page; plugins' sections precede the last one."""

from pytest_evals.report import Report
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.sections.cases import CaseMatrix
from pytest_evals.reporters.sections.changes import Changes
from pytest_evals.reporters.sections.charts import Charts
from pytest_evals.reporters.sections.comparisons import Comparisons
from pytest_evals.reporters.sections.errors import Errors
from pytest_evals.reporters.sections.failing import FailingCases
from pytest_evals.reporters.sections.fixed import FixedCases
from pytest_evals.reporters.sections.flaky import FlakyCases
from pytest_evals.reporters.sections.gate_table import GateTable
from pytest_evals.reporters.sections.gates import Gates
from pytest_evals.reporters.sections.headline import HeadlineSection
from pytest_evals.reporters.sections.models import Models
from pytest_evals.reporters.sections.notes import Notes
from pytest_evals.reporters.sections.other_changes import OtherChanges
from pytest_evals.reporters.sections.plugin import PluginSection
from pytest_evals.reporters.sections.run_facts import RunFacts
from pytest_evals.reporters.sections.tags import Tags

BUILT_IN: tuple[Section, ...] = (
    HeadlineSection(),
    Notes(),
    Gates(),
    Changes(),
    FailingCases(),
    Errors(),
    FixedCases(),
    FlakyCases(),
    Models(),
    Tags(),
    GateTable(),
    Comparisons(),
    OtherChanges(),
    CaseMatrix(),
    Charts(),
    RunFacts(),
)
"""The built-in sections, in order."""


def sections_of(report: Report) -> list[Section]:
    """Return the sections that a report shows: built-in ones and those of plugins, in order."""
    *first, last = BUILT_IN
    plugins = (
        PluginSection(f"context-{number}", title, value)
        for number, (title, value) in enumerate(report.context.items(), start=1)
    )
    return [section for section in (*first, *plugins, last) if section.is_shown(report)]


def formats_of(section: Section) -> tuple[str, ...]:
    """Return the formats that a section supports: ``html``, ``markdown``."""
    return tuple(
        name
        for name in ("html", "markdown")
        if getattr(type(section), name) is not getattr(Section, name)
    )
