"""Reports in a session: refused early where they cannot be written, written once at its end."""

from collections.abc import Iterator
from typing import Any

from pytest_evals.errors import ReportError, SettingsError
from pytest_evals.judgement import Judgement
from pytest_evals.plugin.session import Evals
from pytest_evals.report import Report
from pytest_evals.result import TrialResult
from pytest_evals.run import Run


class Reports:
    """Keeps the records of a session, and gives them to the reporters asked for.

    Raises:
        SettingsError: a report cannot be written where it is to go.
    """

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self._records: dict[str, str] = {}
        for name, path in evals.settings.reports.items():
            if path.is_dir():
                raise SettingsError(f"--evals-{name}: {path} is a folder; name a file in it")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    f"--evals-{name}: the folder of {path} cannot be made: {error.strerror}"
                ) from None

    def add(self, trial_id: str, record: str) -> None:
        """Keep a trial's record, redacted; where it comes again, the last one counts."""
        self._records[trial_id] = record

    def write(self, run: Run, judgements: dict[str, Judgement], order: list[str]) -> Iterator[str]:
        """Write every report.

        Args:
            run: the sealed run.
            judgements: by the dataset's name.
            order: the ids of the planned trials.

        Yields:
            A sentence for each report that could not be written.
        """
        report = Report(run, judgements, self._trials_in(order))
        for name, path in self._evals.settings.reports.items():
            reporter: Any = self._evals.registry.reporter(name)
            assert reporter is not None
            try:
                reporter().write(report, path)
            except (ReportError, OSError) as error:
                yield f"the {name} report was not written to {path}: {error}"

    def _trials_in(self, order: list[str]) -> Any:
        """Return what yields the records in an order; those it does not know come last."""
        known = [i for i in order if i in self._records]
        rest = self._records.keys() - set(known)
        ids = [*known, *sorted(rest)]

        def trials() -> Iterator[TrialResult]:
            for trial_id in ids:
                yield TrialResult.model_validate_json(self._records[trial_id])

        return trials
