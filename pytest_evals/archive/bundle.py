"""Bundle: one run as a file that another machine can take in, line by line and whole.

JSON Lines: a header, the run, every attempt of every trial, what people said, the stored answers
where they are wanted, and an end that counts the lines. Each line carries a digest over itself and
the digest before it, so a line that was changed, lost or put in is found, and named. That is a
guard against damage and mistakes, not a signature: who changes a line can count anew.
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
"""The kinds of lines, in the order in which they stand."""


class Label(Frozen):
    """What a person said of a trial, as a line of a bundle."""

    trial: str
    """The node id."""
    score: HumanScore


@dataclass(slots=True)
class Bundle:
    """What a bundle says of itself before its trials are read."""

    path: Path
    run: Run
    trials: int = 0
    """Lines of trials: every attempt is one."""
    labels: int = 0
    answers: int = 0


def line_digest(chain: str, kind: str, value: Any) -> str:
    """Return the digest of a line: over the one before it, its kind and its value."""
    return digest([chain, kind, value], length=_DIGITS)
