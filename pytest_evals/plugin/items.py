"""Items: a dataset file is a collector, each planned trial a test item."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.ground.errors import DatasetError, EvalsError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.matrix import Trial
from pytest_evals.plugin.compat import SetupFailureItem, failure_text, runs_no_test
from pytest_evals.plugin.exceptions import NoAnswer, WrongAnswer
from pytest_evals.plugin.results import TrialResults
from pytest_evals.plugin.trial_reports import TrialReports
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.session.failure_text import describe, headline
from pytest_evals.session.plan import Plan
from pytest_evals.session.state import SessionState

TRIAL = pytest.StashKey[Trial]()
"""The trial of a marked test function, on its item's stash."""


def trial_of(item: pytest.Item) -> Trial | None:
    """Return the trial of an item; None if it is another test."""
    return item.trial if isinstance(item, EvalItem) else item.stash.get(TRIAL, None)


def is_marked(item: pytest.Item) -> bool:
    """Whether an item is of a test function marked with a dataset."""
    mark = item.get_closest_marker("evals")
    return mark is not None and bool(mark.args or mark.kwargs)


def selected_trials(items: Iterable[pytest.Item]) -> dict[str, int]:
    """Count the selected trials of each dataset, by its path."""
    counts: dict[str, int] = {}
    for item in items:
        trial = trial_of(item)
        if trial is not None:
            counts[trial.group] = counts.get(trial.group, 0) + 1
    return counts


@dataclass(frozen=True, slots=True)
class ItemServices:
    """What the items of datasets use; one for all items of a process."""

    state: SessionState
    plan: Plan
    results: TrialResults
    reports: TrialReports


class EvalFile(pytest.File):
    """A dataset file."""

    shown: str = ""
    """Its path as pytest displays it, once it is known."""

    def __init__(self, *, services: ItemServices, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._services = services

    def collect(self) -> Iterator["EvalItem"]:
        """Load the dataset and yield one item per trial."""
        self.add_marker("evals")
        services = self._services
        matrix = services.plan.add_file(self.path, self.nodeid)
        tags = tag_markers(self.config, {tag for case in matrix.dataset.cases for tag in case.tags})
        prefix = f"{self.nodeid}::"
        for trial in matrix:
            name = trial.name
            item = EvalItem.from_parent(
                self, name=name, nodeid=prefix + name, trial=trial, services=services
            )
            for tag in trial.case.tags:
                item.add_marker(tags[tag])
            yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """Display the problems of the dataset, without our traceback."""
        error = excinfo.value
        if isinstance(error, DatasetError):
            return neutral(problems_text(error, "this dataset"))
        if isinstance(error, EvalsError):
            return neutral(str(error))
        return super().repr_failure(excinfo)


def problems_text(error: DatasetError, place: str) -> str:
    """Return all problems of a dataset, and their number."""
    count = len(error.problems)
    problems = "1 problem" if count == 1 else f"{count} problems"
    return f"{error}\n\n{problems}; no trial of {place} was run."


def tag_markers(config: pytest.Config, tags: set[str]) -> dict[str, pytest.MarkDecorator]:
    """Register each tag as a marker once, so that ``--strict-markers`` accepts it."""
    markers: dict[str, pytest.MarkDecorator] = {}
    for tag in sorted(tags):
        config.addinivalue_line("markers", f"{tag}: tag of an eval case")
        markers[tag] = getattr(pytest.mark, tag)
    return markers


class EvalItem(SetupFailureItem):
    """One trial: its setup waits for the result, its test reports the outcome."""

    def __init__(self, *, trial: Trial, services: ItemServices, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trial = trial
        self.result: TrialResult | None = None
        self._services = services

    def setup(self) -> None:
        """Wait for the result; with ``--setup-plan`` and ``--setup-only`` call no model.

        Raises:
            NoAnswer: there is no answer, or it could not be scored.
        """
        if runs_no_test(self.config):
            return
        services = self._services
        result = services.results.wait(self.trial, hold=True)
        result = self.result = services.reports.receive(self, result)
        if result.outcome is Outcome.SKIPPED:
            reason = "not run" if result.error is None else result.error.message
            pytest.skip(reason if result.unneeded else f"not run: {reason}")
        if result.outcome is Outcome.ERRORED:
            raise NoAnswer(headline(result))

    def runtest(self) -> None:
        """Fail if the answer is wrong.

        Raises:
            WrongAnswer: an assertion does not hold.
        """
        assert self.result is not None
        if self.result.outcome is Outcome.FAILED:
            raise WrongAnswer(headline(self.result))

    def describes(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Whether an error of the setup is that of the trial."""
        return isinstance(excinfo.value, NoAnswer) and self.result is not None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Display the input, the output and every score, without our traceback."""
        if self.result is None or not isinstance(excinfo.value, NoAnswer | WrongAnswer):
            return super().repr_failure(excinfo, style)
        state = self._services.state
        text = state.redactor.redact(describe(self.result, self.trial.model, state.settings))
        return failure_text(self, excinfo, text)

    @property
    def location(self) -> tuple[str, int | None, str]:
        """Where the case is defined, as pytest displays it; the file's path is computed once."""
        file = self.parent
        assert isinstance(file, EvalFile)
        if not file.shown:
            file.shown = super().location[0]
        return file.shown, self.reportinfo()[1], self.name

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the case is defined."""
        source = self.trial.case.source
        line = source.line - 1 if source is not None and source.line else None
        return self.path, line, self.name
