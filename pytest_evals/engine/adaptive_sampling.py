"""AdaptiveSampling: optional samples of a case run only while the verdict on it is undecided.

Everything here runs on the engine's event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pytest_evals.dataset import Dataset
from pytest_evals.engine.synthetic_results import result_without_call
from pytest_evals.exchange import ErrorInfo
from pytest_evals.matrix import Trial
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.stats.sequential import Sprt
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.spec import GateSpec
from pytest_evals.verdict.gate.stopping_rule import (
    CaseVerdict,
    case_verdict,
    samples_needed,
    sequential_tests,
)


@dataclass(slots=True)
class _Cell:
    """The samples so far of one case with one model."""

    verdict: CaseVerdict | None
    tests: tuple[Sprt, ...] = ()
    outcomes: dict[int, Outcome | None] = field(default_factory=dict)
    """By sample; None for a skipped one."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def prefix(self) -> list[Outcome | None]:
        """Return the outcomes of the first samples, up to the first that is missing."""
        outcomes: list[Outcome | None] = []
        while len(outcomes) in self.outcomes:
            outcomes.append(self.outcomes[len(outcomes)])
        return outcomes


class AdaptiveSampling:
    """Delays optional samples until it is decided whether they run.

    Args:
        hasten: starts a trial before its turn; returns False if it does not run in this process.
        release_place: frees the window place of a trial that waits.
    """

    def __init__(self, hasten: Callable[[str], bool], release_place: Callable[[str], None]) -> None:
        self._hasten = hasten
        self._release_place = release_place
        self._cells: dict[tuple[str, str, str], _Cell] = {}
        self._gates: dict[int, tuple[GateSpec, ...]] = {}

    async def skip_result(self, trial: Trial) -> TrialResult | None:
        """Wait until it is decided whether a sample runs; return its result if it is skipped.

        It runs if an earlier sample errored or belongs to another process: nothing is decided then.
        """
        if not trial.is_optional:
            return None
        cell = self._cell(trial)
        if cell.verdict is None or not self._all_earlier_run(trial, cell):
            return None
        while True:
            outcomes = cell.prefix()
            n, passes = len(outcomes), outcomes.count(Outcome.PASSED)
            if {Outcome.ERRORED, Outcome.SKIPPED} & set(outcomes):
                return None
            if None in outcomes:
                return _skipped(trial, passes, n - outcomes.count(None))
            more = samples_needed(passes, n, limit=trial.samples, verdict=cell.verdict)
            if not more and any(test.first(_passed(outcomes)) is None for test in cell.tests):
                more = 1
            if not more:
                return _skipped(trial, passes, n)
            if trial.sample < max(n + more, trial.min_samples):
                return None
            self._release_place(trial.id)
            await cell.changed.wait()

    def record(self, trial: Trial, result: TrialResult) -> None:
        """Record the result of a sample, and wake the samples that wait for it."""
        if not trial.min_samples:
            return
        cell = self._cell(trial)
        first = result.outcome if result.first is None else result.first.outcome
        cell.outcomes[trial.sample] = None if result.unneeded else first
        cell.changed.set()
        cell.changed = asyncio.Event()

    def _all_earlier_run(self, trial: Trial, cell: _Cell) -> bool:
        """Whether all earlier samples run in this process; queued ones are started."""
        return all(
            sample in cell.outcomes or self._hasten(replace(trial, sample=sample).id)
            for sample in range(trial.sample)
        )

    def _cell(self, trial: Trial) -> _Cell:
        key = (trial.dataset.path, trial.case.id, trial.model.id)
        if key not in self._cells:
            gates = self._gates_of(trial.dataset)
            verdict = case_verdict(
                gates, trial.model.id, trial.case, least=trial.min_samples, limit=trial.samples
            )
            self._cells[key] = _Cell(verdict, sequential_tests(gates, trial.model.id, trial.case))
        return self._cells[key]

    def _gates_of(self, dataset: Dataset) -> tuple[GateSpec, ...]:
        """Return a dataset's gates, parsed once."""
        if id(dataset) not in self._gates:
            self._gates[id(dataset)] = tuple(parse_gate(text) for text in dataset.gates)
        return self._gates[id(dataset)]


def _passed(outcomes: Iterable[Outcome | None]) -> Iterator[bool]:
    return (outcome is Outcome.PASSED for outcome in outcomes)


def _skipped(trial: Trial, passes: int, n: int) -> TrialResult:
    """Make the result of a sample that cannot change the verdict."""
    message = (
        f"not needed: {passes} of {n} samples passed, and no other of the {trial.samples} can "
        "change the verdict on this case"
    )
    error = ErrorInfo(type="not_needed", message=message)
    return result_without_call(trial, Outcome.SKIPPED, error, beyond=True)
