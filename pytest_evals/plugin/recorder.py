"""Recorder: the plugin object that records trials, where the session is (never on a worker).

It takes each trial off its report, and seals the run and writes the reports at the end.
"""

from collections.abc import Generator

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.notes import Notes
from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin import wire
from pytest_evals.plugin.compat import runs_no_test
from pytest_evals.plugin.process.signals import Interrupts, interrupts
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.reports import Reports


class Recorder:
    """Hands every trial of the session to the run's recording.

    Args:
        config: pytest's.
        recording: the run's recording.
        evaluation: the verdicts, at the end.
        notes: the session's notes.
        latest: the trials of this process, beside their records.
        reports: writes the reports; None if there are none.
    """

    def __init__(
        self,
        config: pytest.Config,
        recording: RunRecorder,
        evaluation: RunEvaluation,
        *,
        notes: Notes,
        latest: wire.LatestTrial,
        reports: Reports | None,
    ) -> None:
        self._config = config
        self._recording = recording
        self._ledger = recording.ledger
        self._evaluation = evaluation
        self._notes = notes
        self._latest = latest
        self._reports = reports
        self._interrupts = Interrupts()

    def pytest_sessionstart(self) -> None:
        """Open the run."""
        if not runs_no_test(self._config):
            try:
                self._recording.open({"pytest": pytest.__version__})
            except StoreError as error:
                raise pytest.UsageError(neutral(str(error))) from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Handle Ctrl-C for certain while trials run, and SIGTERM like Ctrl-C."""
        with interrupts(self._notes.add) as self._interrupts:
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Record the trial that a report ends; then raise an interrupt that was lost."""
        is_trial = self._take(report)
        yield
        if is_trial:
            self._interrupts.check()
        elif report.when == "call":
            self._interrupts.forget()

    def _take(self, report: pytest.TestReport) -> bool:
        """Take a trial off a report and record it; return whether there was one."""
        if str(report.when) == "???":
            self._ledger.crash(report.nodeid)
        infos = wire.take_infos(report)
        if infos:
            self._ledger.expect_infos(infos)
        record = wire.take_trial(report)
        if record is None:
            if infos:
                self._recording.begin()
            return False
        result = self._latest.take(report.nodeid, record)
        self._recording.add(result, record, wire.worker_of(report))
        return True

    @pytest.hookimpl(trylast=True)  # after xdist has ended its workers, before the summary
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a session with missing trials, seal the run, and write the reports."""
        if not self._recording.begun:
            return
        stopped = bool(session.shouldstop or session.shouldfail) or exitstatus == 2
        problems = list(self._ledger.problems(stopped=stopped))
        self._notes.extend(problems)
        if problems and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        run = self._recording.seal(self._evaluation, exit_status=int(session.exitstatus))
        if self._reports is not None:
            errors, plugin_errors = self._reports.write(
                run, self._evaluation.datasets, self._ledger.planned
            )
            self._notes.extend([*errors, *plugin_errors])
            if errors and session.exitstatus == 0:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
