"""Bundle: one run as a file that another machine can import.

JSON Lines: a header, the run, every attempt of every trial, people's scores, the stored
answers if they are exported, and an end that counts the lines. Each line has a digest over itself
and the digest before it, so that a changed, missing or inserted line is detected and reported. The
digests guard against damage and mistakes. They are no signature: anyone can compute them again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_evals.ground.canonical import Frozen, digest
from pytest_evals.run_record import Run
from pytest_evals.storage.base import HumanScore

FORMAT = 1
"""The version of the format; others are refused."""
_DIGITS = 32
LINE_KINDS = ("bundle", "run", "trial", "label", "answer", "end")
"""The types of lines, in the order in which they are written."""


class Label(Frozen):
    """A person's score of a trial, as a line of a bundle."""

    trial: str
    """The node id."""
    score: HumanScore


@dataclass(slots=True)
class Bundle:
    """The contents of a bundle: its run, and the numbers of its lines."""

    path: Path
    run: Run
    trials: int = 0
    """Lines of trials: every attempt is one."""
    labels: int = 0
    answers: int = 0


def line_digest(chain: str, line_kind: str, value: Any) -> str:
    """Return the digest of a line: over the digest before it, the type and the value."""
    return digest([chain, line_kind, value], length=_DIGITS)
