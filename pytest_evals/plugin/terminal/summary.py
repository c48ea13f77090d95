"""The end of the session on the terminal: a table of models, notes, gates, where to look next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_evals.config import Settings
from pytest_evals.ground.plain_text import counted, neutral
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.plugin.compat import start_line, terminal_reporter, terminal_width
from pytest_evals.plugin.terminal.guard import drawing
from pytest_evals.plugin.terminal.overview import overview
from pytest_evals.reporters.spending_text import calls_words
from pytest_evals.run_record import Run
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.worst_cases import next_commands, worst_cases


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What the summary displays."""

    run: Run
    summary: RunSummary
    evaluation: RunEvaluation
    tables: Mapping[str, TrialTable]
    """The trials of each dataset, by its name."""
    notes: Iterable[str] = ()
    """What the user must know."""


def draw(reporter: "pytest.TerminalReporter", shown: SessionSummary, settings: Settings) -> None:
    """Draw the summary."""
    run, summary = shown.run, shown.summary
    option = reporter.config.option
    quiet = option.verbose < 0 or getattr(option, "no_summary", False)
    if not quiet:
        reporter.write_sep("-", "evals")
    uncounted = summary.silent
    for note in uncounted:
        reporter.write_line(f"evals: {neutral(note)}", yellow=True, bold=True)
    if not quiet:
        width = terminal_width(reporter)
        gated = [info.name for info in run.datasets if info.gates]
        worst = map(neutral, worst_cases(shown.tables, gated, width))
        for line in (*overview(summary, shown.evaluation.datasets, width), *worst):
            reporter.write_line(line)
    for note in (note for note in shown.notes if note not in uncounted):
        reporter.write_line(f"evals: {neutral(note)}", yellow=True)
    stored = settings.responses != "off" and not settings.sanity and not settings.stores_nothing
    if not quiet and stored and summary.rows:
        reporter.write_line(last_line(run, summary))
    if not quiet and settings.reports:
        paths = (f"{name} {_relative(path, settings)}" for name, path in settings.reports.items())
        reporter.write_line(neutral(f"reports: {', '.join(paths)}"))
    for line in shown.evaluation.lines:
        reporter.write_line(neutral(line))
    _draw_gates(reporter, run)
    for line in next_commands(run, shown.evaluation) if stored and not quiet else ():
        reporter.write_line(line)


def _relative(path: Path, settings: Settings) -> str:
    inside = path.is_relative_to(settings.rootdir)
    return str(path.relative_to(settings.rootdir) if inside else path)


def _draw_gates(reporter: "pytest.TerminalReporter", run: Run) -> None:
    """Draw the verdicts of the gates, and the decision."""
    if run.gates:
        _draw_table(reporter, run)
    if run.decision is not None:
        word = run.decision["decision"]
        reporter.write_line(f"decision: {word}", bold=True)
        for reason in () if word == "accept" else _short_reasons(run):
            reporter.write_line(f"  {neutral(reason)}")


def _draw_table(reporter: "pytest.TerminalReporter", run: Run) -> None:
    from pytest_evals.reporters.gate_lines import gate_lines

    option = reporter.config.option
    with_failed = option.tbstyle == "no" or bool(getattr(option, "no_summary", False))
    width = terminal_width(reporter)
    for line, gate in gate_lines(run.gates, width, with_failed=with_failed):
        is_open = gate is not None and not gate["blocking"] and gate["verdict"] != "passed"
        reporter.write_line(line, red=gate is not None and gate["blocking"], yellow=is_open)


def _short_reasons(run: Run) -> list[str]:
    """Return the decision's reasons; a gate whose sentence is drawn above is only named."""
    reasons: list[str] = [] if run.decision is None else run.decision["reasons"]
    drawn = tuple(f": {gate['sentence']}" for gate in run.gates)
    short = [next((r.removesuffix(end) for end in drawn if r.endswith(end)), r) for r in reasons]
    return [", ".join(short)] if short != reasons else short


def announce(config: pytest.Config, text: str) -> None:
    """Write a line of its own during the session; none with ``-q``."""
    reporter = terminal_reporter(config)
    if reporter is not None and config.option.verbose >= 0:
        with drawing(config):
            start_line(reporter)
            reporter.write_line(f"evals: {text}")


def last_line(run: Run, summary: RunSummary) -> str:
    """Return the number of calls, their cost, and the command that displays the run."""
    parts = []
    if run.spending:
        parts.append(calls_words(run.spending))
    if summary.reused:
        parts.append(counted(summary.reused, "stored response"))
    calls = f"{', '.join(parts)}; " if parts else ""
    return f"{calls}run saved: pytest-evals show {run.id}"
