"""A run on the terminal: its header, and the verdicts of its gates."""

from typing import TYPE_CHECKING

from pytest_evals.cli.output import color, say, width
from pytest_evals.ground.plain_text import neutral

if TYPE_CHECKING:
    from pytest_evals.run_record import Run


def print_header(run: "Run") -> None:
    """Print the lines that describe a run."""
    from pytest_evals.archive.run_text import run_header

    for line in run_header(run):
        say(neutral(line, lines=False))


def print_verdicts(run: "Run") -> None:
    """Print the verdicts of the gates, and the decision."""
    from pytest_evals.reporters.gate_lines import gate_lines

    for line, gate in gate_lines(run.gates, width() or 100):
        say(color(line, "red") if gate is not None and gate["blocking"] else line)
    if run.decision is not None:
        say(color(f"decision: {run.decision['decision']}", "bold"))
