"""Gates in a session: after the last trial, each verdict is a test of its own.

Runs where the session is, never on an xdist worker. `session.verdicts` evaluates the gates.
"""

import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.metrics.shared_draws import sharing_sentences
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.plugin import wire
from pytest_evals.plugin.compat import (
    failure_of_text,
    last_failed_cache,
    runs_no_test,
    start_line,
    terminal_reporter,
)
from pytest_evals.plugin.terminal.guard import drawing
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.baselines import needs_evaluation
from pytest_evals.session.evaluation import DatasetEvaluation, Measured, RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.session import Session
from pytest_evals.session.tables import TrialTables

if TYPE_CHECKING:
    from pytest_evals.session.verdicts import SessionVerdicts
    from pytest_evals.verdict.gate.spec import GateVerdict

_GATES = re.compile(r"""\s*["']?gates["']?\s*[:=]""")
"""Where the gates of a dataset begin in its file."""


class EvaluationNeeds:
    """Which datasets are evaluated in full; of the others, metrics are enough.

    Args:
        session: the session.
        ledger: knows the planned datasets.
        detailed: whether reports or ``-v`` display everything.
    """

    def __init__(self, session: Session, ledger: Ledger, *, detailed: bool) -> None:
        self._session = session
        self._ledger = ledger
        self._detailed = detailed
        self._full: dict[str, bool] = {}

    def is_full(self, info: DatasetInfo) -> bool:
        """Whether a dataset is evaluated in full."""
        if info.path not in self._full:
            needed = needs_evaluation(self._session.state.settings, info)
            self._full[info.path] = self._all() or needed
        return self._full[info.path]

    def needs_tallies(self, dataset: str) -> bool:
        """Whether the trials of a dataset keep what comparisons need."""
        infos = [info for info in self._ledger.infos if info.name == dataset]
        return self._all() or not infos or any(map(self.is_full, infos))

    def _all(self) -> bool:
        return self._detailed or self._session.plan.has_judges()


class Gates:
    """Evaluates the gates of a session and reports them as tests.

    Args:
        session: the session.
        ledger: knows the planned datasets.
        tables: the recorded trials.
        evaluation: receives the verdicts.
        needs: says which datasets are evaluated in full.
        verdicts: makes the evaluator, when first needed: it imports statistics.
    """

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        tables: TrialTables,
        evaluation: RunEvaluation,
        *,
        needs: EvaluationNeeds,
        verdicts: "Callable[[], SessionVerdicts]",
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._tables = tables
        self._evaluation = evaluation
        self._needs = needs
        self._verdicts = verdicts

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Evaluate after the last trial, also if the run was cut short."""
        try:
            done = yield
        except (session.Failed, session.Interrupted):
            self._evaluate_all(session)
            raise
        self._evaluate_all(session)
        return done

    def _evaluate_all(self, session: pytest.Session) -> None:
        """Evaluate every dataset with recorded trials."""
        for info in self._ledger.infos:
            table = self._tables.of(info.name)
            if runs_no_test(session.config) or not info.selected or not len(table):
                continue
            try:
                evaluation = self._evaluate(session, info, table)
            except StoreError as error:
                self._session.notes.add(str(error))
                session.testsfailed += 1
                continue
            self._session.notes.extend(sharing_sentences(table))
            if evaluation.note:
                self._session.notes.add(evaluation.note)
            self._evaluation.add(info.name, evaluation)
            report_verdicts(session, info, evaluation.result.gates)
        self._evaluation.decide(self._ledger)

    def _evaluate(
        self, session: pytest.Session, info: DatasetInfo, table: TrialTable
    ) -> DatasetEvaluation:
        """Evaluate one dataset."""
        if self._needs.is_full(info):
            stopped = bool(session.shouldstop or session.shouldfail)
            return self._verdicts().evaluate(info, table, stopped=stopped)
        if getattr(session.config.option, "verbose", 0) < 0:
            return DatasetEvaluation(Measured())
        from pytest_evals.metrics.compute import compute_metrics

        return DatasetEvaluation(
            Measured(tuple(compute_metrics(table, planned=info.planned_by_model)))
        )


def report_verdicts(
    session: pytest.Session, info: DatasetInfo, verdicts: "Sequence[GateVerdict]"
) -> None:
    """Report verdicts as tests, on a new line."""
    reporter = terminal_reporter(session.config)
    if reporter is not None and verdicts:
        with drawing(session.config):
            start_line(reporter)
    session.testscollected += len(verdicts)
    cache = last_failed_cache(session.config)
    hook = session.config.hook
    for verdict in verdicts:
        name = neutral(verdict.name)
        line = gate_line(session.config.rootpath / info.path, verdict)
        nodeid, location = f"{info.path}::{name}", (info.path, line, name)
        hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
        for when in ("setup", "call", "teardown"):
            hook.pytest_runtest_logreport(report=report_of(verdict, nodeid, location, when))
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
        if cache is not None and verdict.blocking:
            _rerun_trials(cache, verdict, nodeid)


def _rerun_trials(cache: Any, verdict: "GateVerdict", nodeid: str) -> None:
    """Let ``--lf`` run the failing trials of a failed gate: a gate cannot run by itself.

    The keys of the cache differ between versions of pytest, so it receives reports.
    """
    place = (nodeid, 0, "")
    gate = pytest.TestReport(nodeid, place, {}, "skipped", place, "call")
    cache.pytest_runtest_logreport(gate)
    for trial in verdict.trials:
        failed = pytest.TestReport(trial, (trial, 0, ""), {}, "failed", "", "call")
        cache.pytest_runtest_logreport(failed)


def report_of(
    verdict: "GateVerdict",
    nodeid: str,
    location: tuple[str, int | None, str],
    when: Literal["setup", "call", "teardown"],
) -> pytest.TestReport:
    """Make the report of one phase of a verdict; the verdict itself is in the call."""
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    longrepr: Any = None
    if when == "call" and verdict.blocking:
        outcome = "failed"
        longrepr = failure_of_text(neutral(verdict.sentence), text_of(verdict), location)
    elif when == "call" and verdict.verdict in {"skipped", "incomplete"}:
        outcome, longrepr = "skipped", (location[0], 0, neutral(verdict.sentence))
    report = pytest.TestReport(nodeid, location, {}, outcome, longrepr, when)
    wire.write_gate(report)
    if when == "call" and verdict.verdict == "inconclusive" and not verdict.blocking:
        wire.write_word(report, "inconclusive")
    return report


def gate_line(path: Path, verdict: "GateVerdict") -> int | None:
    """Return the 0-based line of a gate in its dataset; None if it is not in the file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    written = (i for i, line in enumerate(lines) if verdict.gate in line)
    key = (i for i, line in enumerate(lines) if _GATES.match(line))
    return next(written, next(key, None))


def text_of(verdict: "GateVerdict") -> str:
    """Return a verdict as text: its sentence, its notes, and the failing cases."""
    lines = [verdict.sentence, *verdict.notes]
    if verdict.behind:
        lines.append("failing cases: " + ", ".join(verdict.behind))
    return neutral("\n".join(lines))
