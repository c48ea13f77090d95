"""Reports in a session: refused early where they cannot be written, written once at its end.

The records wait in a file without a name, so that memory holds one trial at a time, however many
there are.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_evals.ground.errors import EvalsError, ReportError, SettingsError
from pytest_evals.plugin.hooks import check_reports, with_context
from pytest_evals.plugin.session import Evals
from pytest_evals.report import Report, redact_report
from pytest_evals.result import TrialResult
from pytest_evals.run import Run

if TYPE_CHECKING:
    from pytest_evals.verdict.evaluation import Evaluation


def step_summary(environ: Mapping[str, str]) -> Path | None:
    """Return the file of this step's summary; None where the session is in no GitHub Action."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    return Path(path) if path and environ.get("GITHUB_ACTIONS") == "true" else None


def wanted(evals: Evals) -> bool:
    """Whether anything is to be written at the end of a session."""
    return bool(evals.settings.reports) or step_summary(os.environ) is not None


class Reports:
    """Keeps the records of a session, and gives them to the reporters asked for.

    Raises:
        SettingsError: a report cannot be written where it is to go, or nobody can write it.
        PluginError: a plugin's reporter is not right.
    """

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lost: str | None = None
        self.wrong: list[str] = []
        """What plugins could not add to the reports."""
        check_reports(evals)
        for name, path in evals.settings.reports.items():
            if path.is_dir():
                raise SettingsError(f"--evals-{name}: {path} is a folder; name a file in it")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    f"--evals-{name}: the folder of {path} cannot be made: {error.strerror}"
                ) from None
        self._records: IO[bytes] = tempfile.TemporaryFile(prefix="pytest-evals-")  # noqa: SIM115 - closed with the session
        evals.closing.append(self)

    def add(self, trial_id: str, record: str) -> None:
        """Keep a trial's record, redacted; where it comes again, the last one counts."""
        text = record.encode("utf-8", "backslashreplace")
        try:
            self._records.seek(self._end)
            self._records.write(text)
        except OSError as error:
            self._lost = f"trials could not be kept for it: {error.strerror}"
            return
        self._places[trial_id] = (self._end, len(text))
        self._end += len(text)

    def write(
        self, run: Run, judgements: "Mapping[str, Evaluation]", order: list[str]
    ) -> Iterator[str]:
        """Write every report, and the step's summary in a GitHub Action.

        Args:
            run: the sealed run.
            judgements: by the dataset's name.
            order: the ids of the planned trials.

        Yields:
            A sentence for each report that could not be written.
        """
        from pytest_evals.storage.certificates import certificates_of

        known = certificates_of(run, self._evals.settings.rootdir)
        made = Report(run, judgements, self._trials_in(order), known)
        made, self.wrong = with_context(self._evals, made)
        report = redact_report(made, self._evals.redactor)
        asked: list[tuple[str, Path, Callable[[], None]]] = [
            (f"the {name} report", path, partial(_write, self._evals, name, report, path))
            for name, path in self._evals.settings.reports.items()
        ]
        summary = step_summary(os.environ)
        if summary is not None:
            asked.append(("the summary of this step", summary, partial(_append, report, summary)))
        for what, path, write in asked:
            try:
                if self._lost is not None:
                    raise ReportError(self._lost)
                write()
            except (EvalsError, OSError) as error:
                yield f"{what} was not written to {path}: {error}"

    def close(self) -> None:
        """Let go of the records."""
        self._records.close()

    def _trials_in(self, order: list[str]) -> Callable[[], Iterable[TrialResult]]:
        """Return what yields the records in an order; those it does not know come last."""
        known = [i for i in order if i in self._places]
        rest = self._places.keys() - set(known)
        ids = [*known, *sorted(rest)]

        def trials() -> Iterator[TrialResult]:
            for trial_id in ids:
                place, length = self._places[trial_id]
                self._records.seek(place)
                yield TrialResult.model_validate_json(self._records.read(length))

        return trials


def _write(evals: Evals, name: str, report: Report, path: Path) -> None:
    """Let a reporter write."""
    reporter: Any = evals.registry.reporter(name)
    assert reporter is not None
    try:
        reporter().write(report, path)
    except (EvalsError, OSError):
        raise
    except Exception as error:
        origin = evals.registry.origin_of_reporter(name)
        raise ReportError(f"the plugin {origin} failed: {type(error).__name__}: {error}") from error


def _append(report: Report, summary: Path) -> None:
    """Add the Markdown report to the summary of a step."""
    from pytest_evals.reporters.markdown import render_markdown

    with summary.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"\n{render_markdown(report)}")
