"""Display: what a session writes to the terminal: the plan, a word per trial, the summary."""

from typing import Any

import pytest

from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin.items import selected_trials, trial_of
from pytest_evals.plugin.terminal.guard import drawing
from pytest_evals.plugin.terminal.nothing import selection_of
from pytest_evals.plugin.terminal.summary import SessionSummary, draw
from pytest_evals.plugin.wire import read_brief, read_word
from pytest_evals.reporters.plan_line import matrix_line
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.nothing_ran import why_nothing_ran
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.session import Session
from pytest_evals.session.tables import TrialTables

_WORDS = {
    ("not run", "skipped"): ("not run", "N", ("NOT RUN", {"yellow": True})),
    ("not needed", "skipped"): ("unneeded", "n", ("UNNEEDED", {"green": True})),
    ("stale", "failed"): ("error", "S", ("STALE", {"red": True})),
    ("tolerated", "skipped"): ("tolerated", "t", ("TOLERATED", {"yellow": True})),
    ("error allowed", "skipped"): ("errored (allowed)", "e", ("ERROR (ALLOWED)", {"yellow": True})),
    ("revised", "passed"): ("revised", "R", ("REVISED", {"green": True})),
    ("inconclusive", "passed"): ("inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})),
}
"""Our own words for outcomes: the category, its letter, and its word with ``-v``."""


class Display:
    """Writes to the terminal, where the session is (never on an xdist worker).

    Args:
        config: pytest's.
        session: the session.
        recording: the run's recording.
        evaluation: the verdicts, at the end.
        tables: the recorded trials.
    """

    def __init__(
        self,
        config: pytest.Config,
        session: Session,
        recording: RunRecorder,
        evaluation: RunEvaluation,
        tables: TrialTables,
    ) -> None:
        self._config = config
        self._session = session
        self._recording = recording
        self._evaluation = evaluation
        self._tables = tables
        self._ended = False

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Say what will run; with ``--collect-only`` also what it may cost."""
        if self._config.option.verbose < 0:
            return []
        infos = self._session.plan.infos(selected_trials(items), digests=False)
        lines = [matrix_line(info) for info in infos]
        if self._config.option.collectonly:
            from pytest_evals.engine.estimate import estimate_lines, read_history

            state = self._session.state
            trials = [trial for item in items if (trial := trial_of(item)) is not None]
            history = read_history(state.settings.store_path, {info.name for info in infos})
            lines += estimate_lines(trials, history, state.registry.scorers_of)
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """Give trials their own words: not run, STALE; and with ``-v`` their numbers."""
        word, outcome = read_word(report), str(report.outcome)
        status = _WORDS.get((word, outcome))
        if status is not None and word != "revised":
            return status
        brief = read_brief(report)
        has_verdict = report.when == "call" and report.outcome in {"passed", "failed"}
        if brief and has_verdict and not self._ended:
            pytests_letter = "." if report.passed else "F"
            category, letter = (outcome, pytests_letter) if status is None else status[:2]
            color = "green" if report.passed else "red"
            return category, letter, (f"{category.upper()} {brief}", {color: True})
        return status

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Note that the summary comes next, which lists outcomes without their numbers."""
        self._ended = True

    def pytest_terminal_summary(
        self, terminalreporter: "pytest.TerminalReporter", exitstatus: int
    ) -> None:
        """Draw the summary."""
        run, notes = self._recording.ledger.run, self._session.notes
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._config.option.verbose >= -1:
            with drawing(self._config):
                text = why_nothing_ran(selection_of(terminalreporter))
                terminalreporter.write_line(f"evals: {neutral(text)}", yellow=True)
        if run is None or not (self._recording.begun or notes):
            return
        shown = SessionSummary(
            run=run,
            summary=self._recording.ledger.summary,
            evaluation=self._evaluation,
            tables=self._tables.by_dataset,
            notes=notes,
        )
        with drawing(self._config, last=True):
            draw(terminalreporter, shown, self._session.state.settings)
