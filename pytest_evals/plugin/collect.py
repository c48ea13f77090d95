"""Collection: a dataset file is a collector, each planned trial an item."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.ground.errors import DatasetError, EvalsError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.matrix import Trial
from pytest_evals.plugin.failure import NoAnswer, WrongAnswer, describe, headline
from pytest_evals.plugin.session import EVALS
from pytest_evals.result import Outcome, TrialResult

if TYPE_CHECKING:
    from pytest_evals.plugin.runner import Runner


TRIAL = pytest.StashKey[Trial]()
"""Where a marked test function keeps which trial it is."""


def trial_of(item: pytest.Item) -> Trial | None:
    """Return the trial that an item is; None for any other test."""
    return item.trial if isinstance(item, EvalItem) else item.stash.get(TRIAL, None)


class EvalFile(pytest.File):
    """A dataset."""

    shown: str = ""
    """Its path as pytest shows it, once it is known."""

    def collect(self) -> Iterator["EvalItem"]:
        """Load the dataset and yield one item a trial."""
        self.add_marker("evals")
        matrix = self.config.stash[EVALS].matrix(self.path, self.nodeid)
        tags = tag_markers(self.config, {tag for case in matrix.dataset.cases for tag in case.tags})
        prefix = f"{self.nodeid}::"
        for trial in matrix:
            name = trial.name
            item = EvalItem.from_parent(self, name=name, nodeid=prefix + name, trial=trial)
            for tag in trial.case.tags:
                item.add_marker(tags[tag])
            yield item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        """Show what is wrong with the dataset, without our traceback."""
        error = excinfo.value
        if isinstance(error, DatasetError):
            count = len(error.problems)
            problems = "1 problem" if count == 1 else f"{count} problems"
            return neutral(f"{error}\n\n{problems}; nothing of this dataset was run.")
        if isinstance(error, EvalsError):
            return neutral(str(error))
        return super().repr_failure(excinfo)


def tag_markers(config: pytest.Config, tags: set[str]) -> dict[str, pytest.MarkDecorator]:
    """Register each tag as a marker once, so that ``--strict-markers`` knows it."""
    markers: dict[str, pytest.MarkDecorator] = {}
    for tag in sorted(tags):
        config.addinivalue_line("markers", f"{tag}: tag of an eval case")
        markers[tag] = getattr(pytest.mark, tag)
    return markers


def shown_instead(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], text: str
) -> Any:
    """Return what pytest shows of a failure: a text, in the place of the traceback.

    It is pytest's own representation, which crosses xdist and feeds the short summary and JUnit.
    """
    shown: Any = excinfo.getrepr(style="native", chain=False)
    shown.reprtraceback.reprentries[:] = shown.reprtraceback.reprentries[:1]
    shown.reprtraceback.reprentries[0].lines = [text, "\n"]
    shown.reprcrash.message = str(excinfo.value)
    path, line, _ = item.reportinfo()
    shown.reprcrash.path, shown.reprcrash.lineno = str(path), (line or 0) + 1
    return shown


class EvalItem(pytest.Item):
    """One trial: its setup waits for the answer, its test judges it."""

    def __init__(self, *, trial: Trial, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trial = trial
        self.result: TrialResult | None = None

    def setup(self) -> None:
        """Wait for the answer.

        Raises:
            NoAnswer: there is none, or it could not be scored.
        """
        runner: Runner = self.config.pluginmanager.getplugin("evals-runner")
        result = self.result = runner.take(self)
        if result.outcome is Outcome.SKIPPED:
            reason = "not run" if result.error is None else result.error.message
            pytest.skip(reason if result.unneeded else f"not run: {reason}")
        if result.outcome is Outcome.ERRORED:
            raise NoAnswer(headline(result))

    def runtest(self) -> None:
        """Judge the answer.

        Raises:
            WrongAnswer: an assertion does not hold.
        """
        assert self.result is not None
        if self.result.outcome is Outcome.FAILED:
            raise WrongAnswer(headline(self.result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the question, the answer and every score, without our traceback."""
        if self.result is None or not isinstance(excinfo.value, NoAnswer | WrongAnswer):
            return super().repr_failure(excinfo, style)
        evals = self.config.stash[EVALS]
        text = evals.redactor.redact(describe(self.result, self.trial.model, evals.settings))
        return shown_instead(self, excinfo, text)

    def _repr_failure_py(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        """Show an error of the setup as one of the test.

        pytest would read and parse our source for it: that is slow, and breaks Python 3.11's parser
        where another thread parses at the same time.
        """
        if isinstance(excinfo.value, NoAnswer) and self.result is not None:
            return self.repr_failure(excinfo)
        return super()._repr_failure_py(excinfo, style)

    @property
    def location(self) -> tuple[str, int | None, str]:
        """Where the case was written, as pytest shows it: where its file is, is found out once."""
        file = self.parent
        assert isinstance(file, EvalFile)
        if not file.shown:
            file.shown = super().location[0]
        return file.shown, self.reportinfo()[1], self.name

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the case was written."""
        source = self.trial.case.source
        line = source.line - 1 if source is not None and source.line else None
        return self.path, line, self.name
