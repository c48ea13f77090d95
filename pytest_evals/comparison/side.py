"""What is compared: a model of a stored run in one dataset. Nouns alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import Run
from pytest_evals.verdict.baseline import BaselineLine


@dataclass(frozen=True, slots=True)
class Side:
    """A model of a run, in one dataset."""

    run: "Run"
    model: str
    table: "TrialTable"
    """The run's trials of the dataset."""
    lines: "Mapping[str, BaselineLine]"
    """The model's cases with what was asked, by case."""
    label: str = ""
    """The shortest name that tells it from the others."""

    @property
    def name(self) -> str:
        """The run and the model, as the command line takes them."""
        return f"{self.run.id}:{self.model}"


Pair = tuple[Side, Side]
"""A reference and a candidate."""


Operand = tuple["Run", str | None]
"""A run, and the model that was named with it; None is all of its models."""
