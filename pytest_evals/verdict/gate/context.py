"""GateContext: the trials, the diff and the settings that the verdicts of gates depend on."""

from dataclasses import dataclass

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.diff import Diff


@dataclass(frozen=True, slots=True)
class GateContext:
    """The input of all gate verdicts of a dataset."""

    table: TrialTable
    """The recorded trials, without confirmation samples."""
    info: DatasetInfo
    """The planned and selected trials, and the gates as written."""
    diff: Diff | None = None
    """The comparison with the baseline; None without a baseline."""
    strict: bool = False
    """Whether an inconclusive comparison fails (``--evals-strict``)."""
    no_baseline: str | None = None
    """Why a missing baseline is no failure, such as a run that writes the first one; None if
    ``no regressions`` fails without a baseline."""
