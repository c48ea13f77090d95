"""A run on the terminal: its header, and the verdicts of its gates."""

from typing import TYPE_CHECKING

from pytest_evals.cli.output import color, say
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
    for gate in run.gates:
        text = neutral(f"gate {gate['gate']} [{gate['model']}]: {gate['sentence']}")
        say(color(text, "red") if gate["blocking"] else text)
    if run.decision is not None:
        say(color(f"decision: {run.decision['decision']}", "bold"))
