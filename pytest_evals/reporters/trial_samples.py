"""What a summary for people needs of the trials themselves: cells, and one trial of a few. Pure.

A run may hold more trials than memory does, so they are read twice: to count, and to take one
failed and one passed trial of those cells that will be shown.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_evals.report import Report
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import ScoreError

_LONGEST = 4000
_MOST_CASES = 6


class CellKey(NamedTuple):
    """One case asked of one model."""

    dataset: str
    """The dataset's name."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""


@dataclass(slots=True)
class CellCounts:
    """What became of one case under one model."""

    tags: tuple[str, ...]
    """The case's tags."""
    place: int
    """How many cells came before it."""
    passed: int = 0
    """Trials that passed."""
    failed: int = 0
    """Trials with a wrong answer."""
    errored: int = 0
    """Trials without an answer, or without a score."""
    skipped: int = 0
    """Trials that were not run."""
    unneeded: int = 0
    """Trials left out because nothing could depend on them any more."""
    revised: int = 0
    """Trials that passed only after their answer was revised; not among the passed."""
    untolerated: int = 0
    """Failed trials that no gate answers for."""

    @property
    def scored(self) -> int:
        """Trials with a verdict."""
        return self.passed + self.revised + self.failed

    @property
    def share(self) -> float:
        """The share of its scored trials that passed, 0..1; 0 where none was scored."""
        return self.passed / self.scored if self.scored else 0.0


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """What is shown of one trial."""

    id: str
    """The node id."""
    answer: str | None
    """The beginning of the final text; None where there is none."""
    reasons: tuple[str, ...]
    """Why it did not pass: ``scorer: reason``, or the error."""


@dataclass(slots=True)
class ShownTrials:
    """The trials of one cell that are shown."""

    right: ShownTrial | None = None
    """The first that passed."""
    wrong: ShownTrial | None = None
    """The first that did not."""


@dataclass(slots=True)
class RunCells:
    """The cells of a run, in the order they were planned."""

    cells: dict[CellKey, CellCounts] = field(default_factory=dict)
    """What became of each."""
    errors: dict[tuple[str, str, str], tuple[int, str, tuple[str, ...]]] = field(
        default_factory=dict
    )
    """By dataset, model and type of error: how often, the first message, the first few cases."""

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
            if result.case_id not in cases and len(cases) < _MOST_CASES:
                cases += (result.case_id,)
            self.errors[place] = (count + 1, message, cases)

    def total(self, what: str) -> int:
        """Return how many trials there are of a kind: passed, failed, errored, untolerated."""
        return sum(getattr(cell, what) for cell in self.cells.values())

    def failing(self) -> list[CellKey]:
        """Return the cells with wrong answers, those that pass least often first."""
        failing = [key for key, cell in self.cells.items() if cell.failed]
        return sorted(failing, key=lambda key: (self.cells[key].share, self.cells[key].place))


def select_trials(report: Report, keys: Collection[CellKey]) -> Mapping[CellKey, ShownTrials]:
    """Return the trials that are shown of some cells."""
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
    answer = None if result.answer is None else result.answer[:_LONGEST]
    return ShownTrial(result.id, answer, tuple(failure_reasons(result)))


def failure_reasons(result: TrialResult) -> list[str]:
    """Return why a trial did not pass: ``scorer: reason``, or the error."""
    return list(_reasons(result))


def _reasons(result: TrialResult) -> Iterator[str]:
    if result.error is not None:
        yield f"{result.error.type}: {result.error.message}"
    for score in result.scores:
        if isinstance(score, ScoreError):
            yield f"{score.name} could not score: {score.message}"
        elif score.passed is False and not score.advisory:
            yield f"{score.name}: {score.reason or 'failed'}"
