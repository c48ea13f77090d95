"""Gates in a session: after the last trial, each verdict is a test of its own.

Lives where the session is (never on an xdist worker). What a verdict is, is decided in `gate`.
"""

from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.plugin.overview import Measured, measured
from pytest_evals.plugin.session import Evals, has_bars
from pytest_evals.plugin.terminal import fresh_line
from pytest_evals.report import redact_value
from pytest_evals.result import TrialResult
from pytest_evals.run import DatasetInfo

if TYPE_CHECKING:
    from pytest_evals.verdict.decision import Decision
    from pytest_evals.verdict.evaluation import Evaluation
    from pytest_evals.verdict.gate.spec import GateVerdict


class GateText:
    """The text of a gate that failed, as pytest shows it."""

    def __init__(self, message: str, text: str) -> None:
        self.reprcrash = SimpleNamespace(message=message)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def toterminal(self, tw: Any) -> None:
        """Write it."""
        tw.line(self._text)


class Gates:
    """Judges the gates of a session."""

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self.tables: dict[str, TrialTable] = {}
        self._compared: dict[str, bool] = {}
        self.judgements: dict[str, Evaluation | Measured] = {}
        self.verdicts: list[GateVerdict] = []
        self.decision: Decision | None = None
        self.told: list[str] = []

    def add(self, result: TrialResult) -> None:
        """Take a recorded trial in."""
        table = self.tables.get(result.dataset)
        if table is None:
            table = self.tables[result.dataset] = TrialTable(result.dataset)
            self._compared[result.dataset] = self._is_read() or self._has_bars(result.dataset)
        table.add(summarize_trial(result, compared=self._compared[result.dataset]))

    def _has_bars(self, dataset: str) -> bool:
        recorder: Any = self._evals.config.pluginmanager.getplugin("evals-recorder")
        named = [info for info in recorder.infos if info.name == dataset]
        return not named or any(has_bars(self._evals.settings, info) for info in named)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge when the last trial is done, also where the run was cut short."""
        try:
            done = yield
        except (session.Failed, session.Interrupted):
            self._judge(session)
            raise
        self._judge(session)
        return done

    def _judge(self, session: pytest.Session) -> None:
        recorder: Any = self._evals.config.pluginmanager.getplugin("evals-recorder")
        for info in recorder.infos:
            table = self.tables.get(info.name, TrialTable(info.name))
            if session.config.option.collectonly or not info.selected or not len(table):
                continue
            try:
                judgement, note = self._judgement(session, info, table)
            except StoreError as error:
                recorder.note(str(error))
                session.testsfailed += 1
                continue
            if note:
                recorder.note(note)
            self.judgements[info.name] = judgement
            self.verdicts += judgement.gates
            self._report(session, info, judgement.gates)
        if self.verdicts:
            from pytest_evals.verdict.decide import decide

            self.decision = decide(self.verdicts)

    def _judgement(
        self, session: pytest.Session, info: DatasetInfo, table: TrialTable
    ) -> "tuple[Evaluation | Measured, str | None]":
        """Judge a dataset; where nothing is to be judged, its metrics are enough.

        Returns:
            What is said of it, and a note for the user.
        """
        evals = self._evals
        if not (has_bars(evals.settings, info) or self._is_read()):
            shows = getattr(evals.config.option, "verbose", 0) >= 0
            return measured(table, info) if shows else Measured(), None
        from pytest_evals.plugin.judging import judge_dataset

        stopped = bool(session.shouldstop or session.shouldfail)
        judgement, told, note = judge_dataset(evals, info, table, stopped=stopped)
        self.told += told
        return redact_value(judgement, evals.redactor), note

    def _is_read(self) -> bool:
        """Whether anybody reads more than the table of models."""
        judged = any(matrix.dataset.judges for matrix in self._evals.matrices.values())
        config = self._evals.config
        verbose = getattr(config.option, "verbose", 0) > 0
        return judged or verbose or config.pluginmanager.hasplugin("evals-reports")

    def _report(
        self, session: pytest.Session, info: DatasetInfo, verdicts: "Sequence[GateVerdict]"
    ) -> None:
        """Report verdicts as tests, on a fresh line."""
        reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None and verdicts:
            fresh_line(reporter)
        session.testscollected += len(verdicts)
        cache: Any = session.config.pluginmanager.getplugin("lfplugin")
        for verdict in verdicts:
            nodeid = f"{info.path}::{neutral(verdict.name)}"
            location = (info.path, None, neutral(verdict.name))
            hook = session.config.hook
            hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
            for when in ("setup", "call", "teardown"):
                hook.pytest_runtest_logreport(report=report_of(verdict, nodeid, location, when))
            hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
            if cache is not None and verdict.blocking:
                _run_again(cache, verdict, nodeid)


def _run_again(cache: Any, verdict: "GateVerdict", nodeid: str) -> None:
    """Let ``--lf`` run the trials behind a failed gate: a gate cannot be run by itself.

    What its cache is keyed by differs between versions of pytest, so it is told by reports.
    """
    place = (nodeid, 0, "")
    told = pytest.TestReport(nodeid, place, {}, "skipped", place, "call")
    cache.pytest_runtest_logreport(told)
    for trial in verdict.trials:
        failed = pytest.TestReport(trial, (trial, 0, ""), {}, "failed", "", "call")
        cache.pytest_runtest_logreport(failed)


def report_of(
    verdict: "GateVerdict", nodeid: str, location: tuple[str, int | None, str], when: Any
) -> pytest.TestReport:
    """Make the report of one phase of a verdict; the verdict itself is in the call."""
    outcome: Any = "passed"
    longrepr: Any = None
    if when == "call" and verdict.blocking:
        outcome, longrepr = "failed", GateText(neutral(verdict.sentence), text_of(verdict))
    elif when == "call" and verdict.verdict == "skipped":
        outcome, longrepr = "skipped", (location[0], 0, neutral(verdict.sentence))
    report = pytest.TestReport(nodeid, location, {}, outcome, longrepr, when)
    told: Any = report
    told.evals_gate = True
    if when == "call" and verdict.verdict == "inconclusive" and not verdict.blocking:
        told.evals_word = "inconclusive"
    return report


def text_of(verdict: "GateVerdict") -> str:
    """Return a verdict as text: its sentence, its notes, the cases behind it."""
    lines = [verdict.sentence, *verdict.notes]
    if verdict.behind:
        lines.append("cases behind it: " + ", ".join(verdict.behind))
    return neutral("\n".join(lines))
