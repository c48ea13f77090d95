"""The end of the session on the terminal: a table of models, notes, and where to look next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.config import Settings
from pytest_evals.ground.plain_text import format_cost, format_count, neutral
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.plugin.overview import Judgements, overview, worst_cases
from pytest_evals.run import Run


@dataclass(frozen=True, slots=True)
class Told:
    """What the block is drawn from."""

    run: Run
    summary: RunSummary
    notes: Sequence[str] = ()
    """What a reader must know."""
    judgements: Judgements = field(default_factory=dict)
    tables: Mapping[str, TrialTable] = field(default_factory=dict)
    """The trials of each dataset, by its name."""
    differences: Sequence[str] = ()
    """What changed against each baseline, a line each."""


def draw(reporter: "pytest.TerminalReporter", told: Told, settings: Settings) -> None:
    """Draw the block."""
    run, summary, notes = told.run, told.summary, told.notes
    option = reporter.config.option
    quiet = option.verbose < 0 or getattr(option, "no_summary", False)
    if not quiet:
        reporter.write_sep("-", "evals")
        width = reporter._tw.fullwidth  # noqa: SLF001 - the reporter's width
        for line in overview(summary, told.judgements, width):
            reporter.write_line(line)
        gated = [info.name for info in run.datasets if info.gates]
        for line in worst_cases(told.tables, gated):
            reporter.write_line(neutral(line))
    for note in notes:
        reporter.write_line(f"evals: {neutral(note)}", yellow=True)
    kept = settings.responses != "off" and not settings.sanity
    if not quiet and kept and summary.rows:
        reporter.write_line(ending(run, summary))
    if not quiet and settings.reports:
        shown = (f"{name} {_shown(path, settings)}" for name, path in settings.reports.items())
        reporter.write_line(neutral(f"reports: {', '.join(shown)}"))
    _draw_gates(reporter, run, told.differences)


def _shown(path: Path, settings: Settings) -> str:
    inside = path.is_relative_to(settings.rootdir)
    return str(path.relative_to(settings.rootdir) if inside else path)


def _draw_gates(reporter: "pytest.TerminalReporter", run: Run, differences: Sequence[str]) -> None:
    """Draw what became of the gates, and the decision."""
    for text in differences:
        reporter.write_line(neutral(text))
    for gate in run.gates:
        part = f" [{gate['slice']['key']}={gate['slice']['value']}]" if gate["slice"] else ""
        text = f"gate {gate['gate']} [{gate['model']}]{part}: {gate['sentence']}"
        calm = gate["verdict"] == "passed"
        reporter.write_line(neutral(text), red=gate["blocking"], yellow=not calm)
    if run.decision is not None:
        word = run.decision["decision"]
        reporter.write_line(f"decision: {word}", bold=True)
        for reason in () if word == "accept" else _not_repeated(run):
            reporter.write_line(f"  {neutral(reason)}")


def _not_repeated(run: Run) -> list[str]:
    """Return the decision's reasons; of gates whose sentence stands above, the names alone."""
    reasons: list[str] = [] if run.decision is None else run.decision["reasons"]
    said = tuple(f": {gate['sentence']}" for gate in run.gates)
    found = [next((r.removesuffix(end) for end in said if r.endswith(end)), r) for r in reasons]
    return [", ".join(found)] if found != reasons else found


def fresh_line(reporter: Any) -> None:
    """Begin a new line: after the dots of workers pytest itself does not know that it must."""
    reporter.ensure_newline()
    if reporter._tw.width_of_current_line:  # noqa: SLF001 - the reporter's own writer
        reporter._tw.line()  # noqa: SLF001


def ending(run: Run, summary: RunSummary) -> str:
    """Say what was asked and how to see more."""
    parts = []
    if summary.asked:
        spent = "cost unknown" if summary.spent_usd is None else format_cost(summary.spent_usd)
        parts.append(f"{format_count(summary.asked)} calls ({spent})")
    if summary.reused:
        parts.append(f"{format_count(summary.reused)} stored answers")
    told = f"{', '.join(parts)}; " if parts else ""
    return f"{told}run {run.id} kept: pytest-evals show {run.id}"
