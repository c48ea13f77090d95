"""RunEvaluation: the metrics, gate verdicts and comparisons of all datasets of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_evals.session.ledger import Ledger

if TYPE_CHECKING:
    from pytest_evals.metrics.metric import Metric
    from pytest_evals.verdict.decision import Decision
    from pytest_evals.verdict.evaluation import Evaluation
    from pytest_evals.verdict.gate.spec import GateVerdict


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of a dataset without gates and without a baseline."""

    metrics: "tuple[Metric, ...]" = ()
    gates: tuple[()] = ()
    diff: None = None


Evaluations: TypeAlias = "Mapping[str, Evaluation | Measured]"
"""The evaluation of each dataset, by its name."""


@dataclass(frozen=True, slots=True)
class DatasetEvaluation:
    """The evaluation of one dataset, with the texts for the user."""

    result: "Evaluation | Measured"
    lines: tuple[str, ...] = ()
    """Lines for the terminal."""
    note: str | None = None
    """A note for the user, if a baseline was written."""


@dataclass(slots=True)
class RunEvaluation:
    """Collects the evaluations of a run's datasets, one by one."""

    datasets: "dict[str, Evaluation | Measured]" = field(default_factory=dict)
    """By the dataset's name."""
    gates: "list[GateVerdict]" = field(default_factory=list)
    """The verdicts of all gates."""
    decision: "Decision | None" = None
    """The decision; None if there are no gates."""
    lines: list[str] = field(default_factory=list)
    """Lines for the terminal: judge summaries, differences to the baselines."""

    def add(self, dataset: str, evaluation: DatasetEvaluation) -> None:
        """Add the evaluation of a dataset."""
        self.datasets[dataset] = evaluation.result
        self.gates += evaluation.result.gates
        self.lines += evaluation.lines

    def decide(self, ledger: Ledger) -> None:
        """Make the decision, after all datasets.

        Args:
            ledger: knows the trials that no gate covers, of datasets without gates too.
        """
        if self.gates:
            from pytest_evals.verdict.decide import decide

            failing, unresolved = ledger.failing, ledger.unresolved
            self.decision = decide(self.gates, failing=failing, unresolved=unresolved)

    def as_run_fields(self) -> dict[str, Any]:
        """Return the verdicts and the decision as fields of a sealed `Run`."""
        if self.decision is None:
            return {}
        return {
            "gates": tuple(verdict.model_dump(mode="json") for verdict in self.gates),
            "decision": self.decision.model_dump(mode="json"),
        }
