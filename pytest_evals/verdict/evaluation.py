"""Evaluation: metrics, gate verdicts, diff and decision of one dataset's run. Pure.

Sessions, stored runs and merged shards get their verdict here. `plan_run_confirmation` chooses the
cells to call again; `evaluate_run` then evaluates. Confirmation samples decide breaks only: they
are passed in separately, and enter no table, metric or baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.compute import compute_metrics
from pytest_evals.metrics.confusion import Confusion, compute_confusions
from pytest_evals.metrics.prevalence import corrected_rates
from pytest_evals.metrics.spec import Metric, parse_metric
from pytest_evals.metrics.trial_stats import TrialStats, TrialTable
from pytest_evals.run import DatasetInfo
from pytest_evals.stats.prevalence import JudgeError
from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.decision import Decision, decide
from pytest_evals.verdict.diff import (
    ConfirmationPlan,
    Diff,
    RunSide,
    confirmed_answers,
    diff_with_baseline,
    plan_confirmation,
)
from pytest_evals.verdict.gate.evaluate import (
    GateContext,
    declared_comparisons,
    evaluate_gates,
    exploratory_comparisons,
    parse_gates,
)
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict
from pytest_evals.verdict.gate.state import model_states


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """What a dataset's run is judged by."""

    table: TrialTable
    """The recorded trials."""
    info: DatasetInfo
    """What was planned and selected, with the gates as written."""
    baseline: Baseline | None = None
    """What it is compared with; None where there is none."""
    baseline_name: str = ""
    """What the baseline is called in reports."""
    rules: Rules = field(default_factory=Rules)
    """The constants: `strict` is ``--evals-strict``, `confirm` the number of ``--evals-confirm``
    (None for ``auto``)."""
    replayed: bool = False
    """Whether answers from the store count as recorded (``--evals-responses replay``)."""
    no_baseline: str | None = None
    """Why it does not matter that there is no baseline; None where it does."""
    judges: Mapping[str, JudgeError] = field(default_factory=dict)
    """The known errors of judges with a certificate, by the names of their scores; for pass rates
    that are shown corrected."""

    def gates(self) -> tuple[GateSpec, ...]:
        """Return the dataset's gates, parsed."""
        return parse_gates(self.info)

    def run_side(self) -> RunSide:
        """Return the run as it is compared: models whose sets are not whole stay without cases."""
        known = model_states(self.table, self.info, self.gates())
        incomplete = frozenset(model for model, state in known.items() if not state.comparable)
        return RunSide(self.table, self.info, replayed=self.replayed, incomplete=incomplete)


class Evaluation(Frozen):
    """What is said of one dataset's run."""

    metrics: tuple[Metric, ...] = ()
    """Of every model; those the gates name among them."""
    gates: tuple[GateVerdict, ...] = ()
    """The verdict of every gate on every model and slice."""
    diff: Diff | None = None
    """What changed against the baseline; None where there is none."""
    decision: Decision | None = None
    """The one word; None where the dataset has no gates."""
    confusions: tuple[Confusion, ...] = ()
    """Of every scorer that gives labels beside true ones, under every model."""

    @property
    def failed(self) -> tuple[GateVerdict, ...]:
        """The verdicts that fail the session."""
        return tuple(verdict for verdict in self.gates if verdict.blocking)


def plan_run_confirmation(bench: EvaluationInput) -> ConfirmationPlan:
    """Say which cells to ask again before the verdict, and how often each.

    Without a baseline, and where nothing is flagged, that is none.
    """
    if bench.baseline is None:
        return ConfirmationPlan({}, {}, ())
    declared = declared_comparisons(bench.gates(), bench.table, bench.info)
    return plan_confirmation(declared, bench.baseline, bench.run_side(), rules=bench.rules)


def evaluate_run(
    bench: EvaluationInput,
    *,
    plan: ConfirmationPlan | None = None,
    again: Iterable[TrialStats] = (),
    by: Sequence[str] = ("tag",),
) -> Evaluation:
    """Return metrics, verdicts, diff and decision of a dataset's run.

    Args:
        bench: what it is judged by.
        plan: the cells to call again (`plan_run_confirmation`); None if confirmation is off.
        again: the trials that were asked again; they decide breaks alone.
        by: the slices that are explored: shown, never blocking.
    """
    gates = bench.gates()
    diff = None
    if bench.baseline is not None:
        declared = declared_comparisons(gates, bench.table, bench.info)
        confirmed = None if plan is None else confirmed_answers(declared, plan, again)
        diff = diff_with_baseline(
            bench.baseline,
            bench.run_side(),
            declared,
            name=bench.baseline_name,
            rules=bench.rules,
            confirmed=confirmed,
            by=by,
            also=exploratory_comparisons(gates, bench.table, bench.info),
        )
    judge = GateContext(bench.table, bench.info, diff, bench.rules.strict, bench.no_baseline)
    verdicts = evaluate_gates(judge, gates)
    named = (parse_metric(gate.metric) for gate in gates if not gate.compares)
    return Evaluation(
        metrics=(
            *compute_metrics(bench.table, planned=bench.info.planned_by_model, extra=named),
            *corrected_rates(bench.table, bench.judges),
        ),
        gates=tuple(verdicts),
        diff=diff,
        decision=decide(verdicts) if gates else None,
        confusions=compute_confusions(bench.table),
    )
