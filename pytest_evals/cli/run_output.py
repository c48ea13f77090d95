"""A run on the terminal: its header, and the verdicts of its gates."""

from pytest_evals.archive.run_text import run_header
from pytest_evals.cli.output import color, say
from pytest_evals.run_record import Run


def print_header(found: "Run") -> None:
    """Print what a run was."""
    from pytest_evals.ground.plain_text import neutral

    for line in run_header(found):
        say(neutral(line, lines=False))


def print_verdicts(found: "Run") -> None:
    """Print what the gates said, and the decision."""
    from pytest_evals.ground.plain_text import neutral

    for gate in found.gates:
        text = neutral(f"gate {gate['gate']} [{gate['model']}]: {gate['sentence']}")
        say(color(text, "red") if gate["blocking"] else text)
    if found.decision is not None:
        say(color(f"decision: {found.decision['decision']}", "bold"))
