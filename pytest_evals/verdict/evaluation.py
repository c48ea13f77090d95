"""Judgement: everything that is said of one dataset's run at its end. Pure.

The one way from trials to verdicts, for a session, for stored runs and for merged shards: first
`plan_again` says what to ask again, then `judge_run` judges. Confirmation answers decide breaks
alone: they are handed in apart, and reach no table, metric or baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.compute import metrics
from pytest_evals.metrics.confusion import Confusion, confusions
from pytest_evals.metrics.prevalence import corrected_rates
from pytest_evals.metrics.spec import Metric, parse_measure
from pytest_evals.metrics.trial_stats import Table, Tally
from pytest_evals.run import DatasetInfo
from pytest_evals.stats.prevalence import JudgeError
from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.decision import Decision, decide
from pytest_evals.verdict.diff import (
    Confirmation,
    Diff,
    RunSide,
    compare,
    confirmed_of,
    plan_confirmation,
)
from pytest_evals.verdict.gate.evaluate import (
    Judge,
    declared_of,
    explored_of,
    gates_of,
    judge_gates,
)
from pytest_evals.verdict.gate.spec import GateSpec, GateVerdict
from pytest_evals.verdict.gate.state import states


@dataclass(frozen=True, slots=True)
class Bench:
    """What a dataset's run is judged by."""

    table: Table
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
        return gates_of(self.info)

    def run_side(self) -> RunSide:
        """Return the run as it is compared: models whose sets are not whole stay without cases."""
        known = states(self.table, self.info, self.gates())
        incomplete = frozenset(model for model, state in known.items() if not state.comparable)
        return RunSide(self.table, self.info, replayed=self.replayed, incomplete=incomplete)


class Judgement(Frozen):
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


def plan_again(bench: Bench) -> Confirmation:
    """Say which cells to ask again before the verdict, and how often each.

    Without a baseline, and where nothing is flagged, that is none.
    """
    if bench.baseline is None:
        return Confirmation({}, {}, ())
    declared = declared_of(bench.gates(), bench.table, bench.info)
    return plan_confirmation(declared, bench.baseline, bench.run_side(), rules=bench.rules)


def judge_run(
    bench: Bench,
    *,
    plan: Confirmation | None = None,
    again: Iterable[Tally] = (),
    by: Sequence[str] = ("tag",),
) -> Judgement:
    """Return metrics, verdicts, diff and decision of a dataset's run.

    Args:
        bench: what it is judged by.
        plan: what was to be asked again (`plan_again`); None where confirmation is switched off.
        again: the trials that were asked again; they decide breaks alone.
        by: the slices that are explored: shown, never blocking.
    """
    gates = bench.gates()
    diff = None
    if bench.baseline is not None:
        declared = declared_of(gates, bench.table, bench.info)
        confirmed = None if plan is None else confirmed_of(declared, plan, again)
        diff = compare(
            bench.baseline,
            bench.run_side(),
            declared,
            name=bench.baseline_name,
            rules=bench.rules,
            confirmed=confirmed,
            by=by,
            also=explored_of(gates, bench.table, bench.info),
        )
    judge = Judge(bench.table, bench.info, diff, bench.rules.strict, bench.no_baseline)
    verdicts = judge_gates(judge, gates)
    named = (parse_measure(gate.metric) for gate in gates if not gate.compares)
    return Judgement(
        metrics=(
            *metrics(bench.table, planned=bench.info.planned_by_model, extra=named),
            *corrected_rates(bench.table, bench.judges),
        ),
        gates=tuple(verdicts),
        diff=diff,
        decision=decide(verdicts) if gates else None,
        confusions=confusions(bench.table),
    )
