"""The trials of a run, counted by cell, and sample trials of the cells that are shown. Pure.

A run may not fit in memory, so its trials are read twice: to count them, and to select one failed
and one passed trial of each shown cell.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_evals.report import Report
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import ScoreError

_MAX_ANSWER = 4000
_MAX_CASES = 6


class CellKey(NamedTuple):
    """One case with one model."""

    dataset: str
    """The dataset's name."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""


@dataclass(slots=True)
class CellCounts:
    """The trials of one case with one model, by outcome."""

    tags: tuple[str, ...]
    """The case's tags."""
    place: int
    """The cell's place in planned order, 0-based."""
    passed: int = 0
    """Trials that passed."""
    failed: int = 0
    """Trials with a wrong answer."""
    errored: int = 0
    """Trials without an answer, or without a score."""
    skipped: int = 0
    """Trials that were not run."""
    unneeded: int = 0
    """Trials left out, as no verdict depended on them."""
    revised: int = 0
    """Trials that passed only after a revision; not counted as passed."""
    untolerated: int = 0
    """Failed trials that no gate accounts for."""

    @property
    def scored(self) -> int:
        """Trials with a verdict."""
        return self.passed + self.revised + self.failed

    @property
    def share(self) -> float:
        """The share of scored trials that passed, 0..1; 0 without a scored trial."""
        return self.passed / self.scored if self.scored else 0.0


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """The parts of a trial that are shown."""

    id: str
    """The node id."""
    answer: str | None
    """The beginning of the final text; None without an answer."""
    reasons: tuple[str, ...]
    """The reasons of a failure, ``scorer: reason``, or the error."""


@dataclass(slots=True)
class ShownTrials:
    """The shown trials of one cell."""

    right: ShownTrial | None = None
    """The first trial that passed."""
    wrong: ShownTrial | None = None
    """The first trial that did not."""


@dataclass(slots=True)
class RunCells:
    """The cells of a run, in planned order."""

    cells: dict[CellKey, CellCounts] = field(default_factory=dict)
    """The counts of each cell."""
    errors: dict[tuple[str, str, str], tuple[int, str, tuple[str, ...]]] = field(
        default_factory=dict
    )
    """(count, first message, first cases) by dataset, model and type of error."""

    @classmethod
    def of(cls, report: Report) -> "RunCells":
        """Count a report's trials."""
        scan = cls()
        for result in report.trials():
            scan._add(result)
        return scan

    def _add(self, result: TrialResult) -> None:
        key = CellKey(result.dataset, result.case_id, result.model_id)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = CellCounts(result.tags, len(self.cells))
        special = "revised" if result.revised else "unneeded" if result.unneeded else None
        what = special or result.outcome.value
        setattr(cell, what, getattr(cell, what) + 1)
        if result.outcome is Outcome.FAILED and not result.tolerated:
            cell.untolerated += 1
        if result.outcome is Outcome.ERRORED:
            why = "not scored" if result.error is None else result.error.type
            place = (result.dataset, result.model_id, why)
            count, message, cases = self.errors.get(place, (0, "", ()))
            message = message or " ".join(failure_reasons(result)[:1])[:600]
            if result.case_id not in cases and len(cases) < _MAX_CASES:
                cases += (result.case_id,)
            self.errors[place] = (count + 1, message, cases)

    def total(self, what: str) -> int:
        """Return the number of trials: passed, failed, errored, untolerated, ..."""
        return sum(getattr(cell, what) for cell in self.cells.values())

    def failing(self) -> list[CellKey]:
        """Return the cells with failed trials, the lowest pass rate first."""
        failing = [key for key, cell in self.cells.items() if cell.failed]
        return sorted(failing, key=lambda key: (self.cells[key].share, self.cells[key].place))


def select_trials(report: Report, keys: Collection[CellKey]) -> Mapping[CellKey, ShownTrials]:
    """Select the first passed and the first failed trial of each cell."""
    selected: dict[CellKey, ShownTrials] = {key: ShownTrials() for key in keys}
    for result in report.trials() if selected else ():
        shown = selected.get(CellKey(result.dataset, result.case_id, result.model_id))
        if shown is None:
            continue
        if result.outcome is Outcome.PASSED:
            shown.right = shown.right or _seen(result)
        elif result.outcome is not Outcome.SKIPPED:
            shown.wrong = shown.wrong or _seen(result)
    return selected


def _seen(result: TrialResult) -> ShownTrial:
    answer = None if result.answer is None else result.answer[:_MAX_ANSWER]
    return ShownTrial(result.id, answer, tuple(failure_reasons(result)))


def failure_reasons(result: TrialResult) -> list[str]:
    """Return the reasons of a failure, ``scorer: reason``, or the error."""
    return list(_reasons(result))


def _reasons(result: TrialResult) -> Iterator[str]:
    if result.error is not None:
        yield f"{result.error.type}: {result.error.message}"
    for score in result.scores:
        if isinstance(score, ScoreError):
            yield f"{score.name} could not score: {score.message}"
        elif score.passed is False and not score.advisory:
            yield f"{score.name}: {score.reason or 'failed'}"
