"""Evaluation: metrics, gate verdicts, diff and decision of one dataset's run; and its input."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Confusion, Metric
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.stats.prevalence import JudgeError
from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.decision import Decision
from pytest_evals.verdict.diff import Diff
from pytest_evals.verdict.gate.spec import GateVerdict


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What the evaluation of a dataset's run rests on."""

    table: TrialTable
    """The recorded trials."""
    info: DatasetInfo
    """The planned and selected trials, with the gates as written."""
    baseline: Baseline | None = None
    """The baseline; None if there is none."""
    baseline_name: str = ""
    """The baseline's name in reports."""
    rules: Rules = field(default_factory=Rules)
    """The constants: `strict` is ``--evals-strict``, `confirm` the number of ``--evals-confirm``
    (None for ``auto``)."""
    replayed: bool = False
    """Whether answers from the store count as recorded (``--evals-responses replay``)."""
    no_baseline: str | None = None
    """Why a missing baseline is no failure; None if it is one."""
    judges: Mapping[str, JudgeError] = field(default_factory=dict)
    """The measured errors of calibrated judges by score name; they correct the pass rates shown."""


class Evaluation(Frozen):
    """The evaluation of one dataset's run."""

    metrics: tuple[Metric, ...] = ()
    """The metrics of every model, those of the gates included."""
    gates: tuple[GateVerdict, ...] = ()
    """The verdict of every gate on every model and slice."""
    diff: Diff | None = None
    """The changes against the baseline; None without a baseline."""
    decision: Decision | None = None
    """The decision; None if the dataset has no gates."""
    confusions: tuple[Confusion, ...] = ()
    """Confusion matrices by model and scorer, for scorers that return a label beside a true one."""

    @property
    def failed(self) -> tuple[GateVerdict, ...]:
        """The verdicts that fail the session."""
        return tuple(verdict for verdict in self.gates if verdict.blocking)
