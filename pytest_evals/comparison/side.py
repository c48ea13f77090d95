"""What is compared: a model of a stored run in one dataset. Nouns alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import Run
from pytest_evals.verdict.baseline import BaselineLine


@dataclass(frozen=True, slots=True)
class Side:
    """A model of a run, in one dataset."""

    run: Run
    model: str
    """The model's id."""
    table: TrialTable
    """The run's trials of the dataset."""
    lines: Mapping[str, BaselineLine]
    """The model's cases with their definitions, by case."""
    label: str = ""
    """The shortest name that distinguishes it from the other sides."""

    @property
    def name(self) -> str:
        """The run and the model, as the command line reads them."""
        return f"{self.run.id}:{self.model}"


Pair = tuple[Side, Side]
"""A reference and a candidate."""

Operand = tuple[Run, str | None]
"""A run and a model of it, as the user named them; None is all of its models."""
