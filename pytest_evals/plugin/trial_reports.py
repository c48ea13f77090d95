"""TrialReports: puts each trial's record on the test report that ends it, where items run."""

import pytest

from pytest_evals.ground.canonical import to_json
from pytest_evals.matrix import Trial
from pytest_evals.plugin import wire
from pytest_evals.reporters.trial_properties import properties
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.session.baselines import Baselines
from pytest_evals.session.failure_text import brief, headline, is_stale
from pytest_evals.session.state import SessionState


class TrialReports:
    """Writes trials on test reports.

    Args:
        state: the session's fixed values.
        baselines: know which failed trials a gate tolerates.
        latest: keeps the result beside its record; None on a worker.
    """

    def __init__(
        self, state: SessionState, baselines: Baselines, latest: wire.LatestTrial | None
    ) -> None:
        self._state = state
        self._baselines = baselines
        self._latest = latest
        self._written: tuple[TrialResult, str] | None = None

    def receive(self, item: pytest.Item, result: TrialResult) -> TrialResult:
        """Return a result without secrets, before any of it is displayed or stored."""
        result = self._redacted(result)
        if self._state.settings.junit_properties:
            item.user_properties[:] = properties(result, self._state.run_id)
        return result

    def end(
        self, item: pytest.Item, trial: Trial, result: TrialResult, report: pytest.TestReport
    ) -> TrialResult:
        """Write the trial of a marked test; return its result without secrets.

        Args:
            item: the test.
            trial: its trial.
            result: the result.
            report: the report of the phase that ends it.
        """
        result = self._redacted(result)
        if self._state.settings.junit_properties:
            ours = dict(properties(result, self._state.run_id))
            others = [pair for pair in item.user_properties if pair[0] not in ours]
            item.user_properties[:] = report.user_properties = [*others, *ours.items()]
        self.write(item, trial, result, report)
        return result

    def write(
        self, item: pytest.Item, trial: Trial, result: TrialResult, report: pytest.TestReport
    ) -> None:
        """Write a trial's record on a report, with what the terminal displays of it."""
        result = self._tolerated(item, trial, result, report)
        written, record = self._written or (None, "")
        wire.write_trial(report, record if result is written else to_json(result)[1])
        if self._latest is not None:
            self._latest.put(result)
        wire.write_brief(report, brief(result))
        if word := _word(result):
            wire.write_word(report, word)
        if result.output:
            report.sections.append(("Captured output of the trial", result.output))

    def _redacted(self, result: TrialResult) -> TrialResult:
        result, record = to_json(result)
        clean = self._state.redactor.redact_json(record)
        if clean != record:
            result = TrialResult.model_validate_json(clean)
        self._written = (result, clean)
        return result

    def _tolerated(
        self, item: pytest.Item, trial: Trial, result: TrialResult, report: pytest.TestReport
    ) -> TrialResult:
        """Report a failed trial, or an error, as tolerated if a gate accounts for it."""
        if result.outcome is Outcome.FAILED and hasattr(report, "wasxfail") and not report.failed:
            return result.model_copy(update={"tolerated": True})  # the test expects it
        if not report.failed or not self._baselines.tolerates(trial.group, result):
            return result
        path, line, _ = item.reportinfo()
        report.outcome = "skipped"
        is_error = result.outcome is Outcome.ERRORED
        reason = "error (allowed by a gate)" if is_error else "failed (tolerated by a gate)"
        report.longrepr = (str(path), (line or 0) + 1, f"{reason}: {headline(result)}")
        wire.write_word(report, "error allowed" if is_error else "tolerated")
        return result.model_copy(update={"tolerated": True})


def _word(result: TrialResult) -> str:
    """Return our own word for a trial's outcome; empty if pytest's word is right."""
    if result.outcome is Outcome.SKIPPED:
        return "not needed" if result.unneeded else "not run"
    if is_stale(result) and not result.tolerated:
        return "stale"
    return "revised" if result.revised else ""
