"""GateContext: the trials, the diff and the settings that every gate verdict rests on."""

from dataclasses import dataclass

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.diff import Diff


@dataclass(frozen=True, slots=True)
class GateContext:
    """What all verdicts of a dataset rest on."""

    table: TrialTable
    """The recorded trials; confirmation answers are never among them."""
    info: DatasetInfo
    """What was planned and selected, and the gates as written."""
    diff: Diff | None = None
    """The comparison with the baseline; None where there is no baseline."""
    strict: bool = False
    """Whether an inconclusive comparison fails (``--evals-strict``)."""
    no_baseline: str | None = None
    """Why it does not matter that there is no baseline (this run writes the first one); None where
    it does: then ``no regressions`` fails."""
