"""PythonEvals: the plugin object of evals written in Python, around each marked test."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_evals.engine import capture
from pytest_evals.exchange import ErrorInfo
from pytest_evals.ground.errors import AnswerError
from pytest_evals.plugin import wire
from pytest_evals.plugin.compat import failure_text, runs_no_test
from pytest_evals.plugin.exceptions import NoAnswer
from pytest_evals.plugin.items import TRIAL
from pytest_evals.plugin.python.collect import Collection
from pytest_evals.plugin.results import TrialResults
from pytest_evals.plugin.trial_reports import TrialReports
from pytest_evals.session.failure_text import describe
from pytest_evals.session.session import Session

if TYPE_CHECKING:
    from pytest_evals.plugin.python.running_test import RunningTest


class PythonEvals(Collection):
    """Collects and runs marked test functions.

    Args:
        config: pytest's.
        session: the session.
        results: waits for the engine's answers.
        reports: writes trials on test reports.
    """

    def __init__(
        self, config: pytest.Config, session: Session, results: TrialResults, reports: TrialReports
    ) -> None:
        super().__init__(config, session)
        self._results = results
        self._reports = reports

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin a test, also if it runs again."""
        trial = item.stash.get(TRIAL, None)
        if trial is not None and not runs_no_test(item.config):
            from pytest_evals.plugin.python.running_test import RUNNING, RunningTest

            capture.install()
            item.stash[RUNNING] = RunningTest(self._session, self._results, trial)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Evaluate the scores right after the body of a test, as if it asserted them.

        Raises:
            Unmet: a score fails the trial.
            EvalsError: something could not be scored.
        """
        __tracebackhide__ = True
        if TRIAL not in item.stash:
            return (yield)
        from time import monotonic

        from pytest_evals.plugin.python.outcome import close, is_wrong_answer
        from pytest_evals.plugin.python.running_test import RUNNING

        test = item.stash[RUNNING]
        test.began = monotonic()
        try:
            done = yield
        except AnswerError as error:
            if error.type != "not_run":
                raise
            test.not_run = ErrorInfo(type="not_run", message=error.message)
            pytest.skip(f"not run: {error.message}")
        except BaseException as error:
            if is_wrong_answer(error):
                close(test, passed=False)
            raise
        close(test, passed=True)
        return done

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write the trial of a marked test on the report of the phase that ends it."""
        report = yield
        if TRIAL in item.stash:
            from pytest_evals.plugin.python.running_test import RUNNING

            test = item.stash.get(RUNNING, None)
            if test is not None and report.when == "teardown":
                del item.stash[RUNNING]
            elif test is not None:
                self._write(item, test, call, report)
        return report

    def _write(
        self,
        item: pytest.Item,
        test: "RunningTest",
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
    ) -> None:
        """Write the trial of a test on its report, if this phase ends it."""
        from pytest_evals.plugin.python.outcome import Unmet, ended

        error = None if call.excinfo is None else call.excinfo.value
        result = ended(test, str(report.when), error)
        if result is None:
            return
        result = self._reports.end(item, test.trial, result, report)
        if result.unneeded:
            wire.write_word(report, "")  # the user's own skip, which pytest has a word for
        if hasattr(report, "wasxfail"):
            wire.write_word(report, "")
            wire.write_brief(report, "")
        if not report.failed or call.excinfo is None:
            return
        state = self._session.state
        text = state.redactor.redact(describe(result, test.trial.model, state.settings))
        if isinstance(error, NoAnswer | Unmet):
            report.longrepr = failure_text(item, call.excinfo, text)
        else:
            report.sections.append(("evals", text))

    def pytest_unconfigure(self) -> None:
        """Close the event loop of targets, if one was made."""
        import sys

        loops = sys.modules.get("pytest_evals.plugin.python.loops")
        if loops is not None:
            loops.close()
