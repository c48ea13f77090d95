"""Reports: checks before the first call that reports can be written, and writes them at the end.

The records wait in an unnamed temporary file, so that memory holds one trial at a time.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from pytest_evals.config import Settings
from pytest_evals.ground.errors import EvalsError, ReportError, SettingsError
from pytest_evals.report import Report, redact_report
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run
from pytest_evals.session.extensions import check_reporters, with_context
from pytest_evals.session.state import SessionState

if TYPE_CHECKING:
    from pytest_evals.session.evaluation import Evaluations
    from pytest_evals.verdict.evaluation import Evaluation


def step_summary(environ: Mapping[str, str]) -> Path | None:
    """Return the file of this step's summary; None outside a GitHub Action."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    return Path(path) if path and environ.get("GITHUB_ACTIONS") == "true" else None


def has_reports(settings: Settings) -> bool:
    """Whether any report is written at the end of the session."""
    return bool(settings.reports) or step_summary(os.environ) is not None


class Reports:
    """Holds the records of a session and writes its reports. A `TrialObserver`.

    Args:
        state: the session's fixed values.

    Raises:
        SettingsError: a report's path cannot be written, or there is no reporter of its name.
        PluginError: a plugin's reporter is invalid.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._offsets: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._write_error: str | None = None
        check_reporters(state)
        for name, path in state.settings.reports.items():
            if path.is_dir():
                raise SettingsError(f"--evals-{name}: {path} is a folder; name a file in it")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    f"--evals-{name}: the folder of {path} cannot be made: {error.strerror}"
                ) from None
        self._records: IO[bytes] = tempfile.TemporaryFile(prefix="pytest-evals-")  # noqa: SIM115 - closed with the session

    def add(self, result: TrialResult, record: str, worker: str = "") -> None:
        """Receive one trial; of several records of a trial the last one counts."""
        text = record.encode("utf-8", "backslashreplace")
        try:
            self._records.seek(self._end)
            self._records.write(text)
        except OSError as error:
            self._write_error = f"its trials could not be buffered: {error.strerror}"
            return
        self._offsets[result.id] = (self._end, len(text))
        self._end += len(text)

    def write(
        self, run: Run, evaluations: "Evaluations", order: list[str]
    ) -> tuple[list[str], list[str]]:
        """Write every report, and the step's summary in a GitHub Action.

        Args:
            run: the sealed run.
            evaluations: by the dataset's name.
            order: the ids of the planned trials.

        Returns:
            A sentence for each report that could not be written, and one for each failed section
            of a plugin.
        """
        from pytest_evals.storage.certificates import certificates_of

        certificates = certificates_of(run, self._state.settings.rootdir)
        full = cast("Mapping[str, Evaluation]", evaluations)  # reports need full evaluations
        plain = Report(run, full, self._trials_in(order), certificates)
        with_sections, plugin_errors = with_context(self._state, plain)
        report = redact_report(with_sections, self._state.redactor)
        outputs: list[tuple[str, Path, Callable[[], None]]] = [
            (f"the {name} report", path, partial(_write, self._state, name, report, path))
            for name, path in self._state.settings.reports.items()
        ]
        summary = step_summary(os.environ)
        if summary is not None:
            outputs.append(("the summary of this step", summary, partial(_append, report, summary)))
        errors = []
        for name, path, write in outputs:
            try:
                if self._write_error is not None:
                    raise ReportError(self._write_error)
                write()
            except (EvalsError, OSError) as error:
                errors.append(f"{name} was not written to {path}: {error}")
        return errors, plugin_errors

    def close(self) -> None:
        """Delete the records."""
        self._records.close()

    def _trials_in(self, order: list[str]) -> Callable[[], Iterable[TrialResult]]:
        """Return a function that yields the trials in an order; unplanned ones come last."""
        planned = [i for i in order if i in self._offsets]
        rest = self._offsets.keys() - set(planned)
        ids = [*planned, *sorted(rest)]

        def trials() -> Iterator[TrialResult]:
            for trial_id in ids:
                offset, length = self._offsets[trial_id]
                self._records.seek(offset)
                yield TrialResult.model_validate_json(self._records.read(length))

        return trials


def _write(state: SessionState, name: str, report: Report, path: Path) -> None:
    """Let a reporter write its report."""
    reporter = state.registry.reporter(name)
    assert reporter is not None
    try:
        reporter().write(report, path)
    except (EvalsError, OSError):
        raise
    except Exception as error:
        origin = state.registry.origin_of_reporter(name)
        raise ReportError(f"the plugin {origin} failed: {type(error).__name__}: {error}") from error


def _append(report: Report, summary: Path) -> None:
    """Append the Markdown report to the summary of a step."""
    from pytest_evals.reporters.markdown import render_markdown

    with summary.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"\n{render_markdown(report)}")
