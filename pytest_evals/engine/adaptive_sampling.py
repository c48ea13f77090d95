"""Early stops: samples of a case that are asked only while the verdict on it is still open.

Everything here runs on the engine's event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pytest_evals.dataset import Dataset
from pytest_evals.engine.synthetic_results import unanswered
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
    """What is known of one case under one model."""

    verdict: CaseVerdict | None
    tests: tuple[Sprt, ...] = ()
    outcomes: dict[int, Outcome | None] = field(default_factory=dict)
    """By sample; None is not needed."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def prefix(self) -> tuple[int, int]:
        """Return (passes, n) of the first samples that are all there."""
        n = passes = 0
        while n in self.outcomes:
            passes += self.outcomes[n] is Outcome.PASSED
            n += 1
        return passes, n


class AdaptiveSampling:
    """Holds back samples until it is known whether they are needed.

    Args:
        hasten: starts a trial now that the engine was to start later; False where it is not to run
            in this process at all, or not known.
        waits: told that a trial only waits, and holds nobody's place.
    """

    def __init__(self, hasten: Callable[[str], bool], waits: Callable[[str], None]) -> None:
        self._hasten = hasten
        self._waits = waits
        self._cells: dict[tuple[str, str, str], _Cell] = {}
        self._gates: dict[int, tuple[GateSpec, ...]] = {}

    async def unneeded(self, trial: Trial) -> TrialResult | None:
        """Wait until it is known whether a sample is needed; return its result where it is not.

        Where earlier samples errored, or run elsewhere, nothing is known, and it is asked.
        """
        if not trial.is_optional:
            return None
        cell = self._cell(trial)
        if cell.verdict is None or not self._all_here(trial, cell):
            return None
        while True:
            passes, n = cell.prefix()
            told = [cell.outcomes[i] for i in range(n)]
            if {Outcome.ERRORED, Outcome.SKIPPED} & set(told):
                return None
            if None in told:
                scored = [one for one in told if one is not None]
                return _not_needed(trial, scored.count(Outcome.PASSED), len(scored))
            more = samples_needed(passes, n, most=trial.samples, verdict=cell.verdict)
            if not more and any(test.first(_passed(told)) is None for test in cell.tests):
                more = 1
            if not more:
                return _not_needed(trial, passes, n)
            if trial.sample < max(n + more, trial.min_samples):
                return None
            self._waits(trial.id)
            await cell.changed.wait()

    def ended(self, trial: Trial, result: TrialResult) -> None:
        """Take note of what became of a sample."""
        if not trial.min_samples:
            return
        cell = self._cell(trial)
        first = result.outcome if result.first is None else result.first.outcome
        cell.outcomes[trial.sample] = None if result.unneeded else first
        cell.changed.set()
        cell.changed = asyncio.Event()

    def _all_here(self, trial: Trial, cell: _Cell) -> bool:
        """Whether all earlier samples run in this process; they are started where they wait."""
        return all(
            sample in cell.outcomes or self._hasten(replace(trial, sample=sample).id)
            for sample in range(trial.sample)
        )

    def _cell(self, trial: Trial) -> _Cell:
        key = (trial.dataset.path, trial.case.id, trial.model.id)
        if key not in self._cells:
            gates = self._gates_of(trial.dataset)
            self._cells[key] = _Cell(
                case_verdict(
                    gates, trial.model.id, trial.case, least=trial.min_samples, most=trial.samples
                ),
                sequential_tests(gates, trial.model.id, trial.case),
            )
        return self._cells[key]

    def _gates_of(self, dataset: Dataset) -> tuple[GateSpec, ...]:
        """Return a dataset's gates, parsed once."""
        if id(dataset) not in self._gates:
            self._gates[id(dataset)] = tuple(parse_gate(written) for written in dataset.gates)
        return self._gates[id(dataset)]


def _passed(told: Iterable[Outcome | None]) -> Iterator[bool]:
    return (one is Outcome.PASSED for one in told)


def _not_needed(trial: Trial, passes: int, n: int) -> TrialResult:
    """Make the result of a sample that nothing depends on."""
    message = (
        f"not needed: {passes} of {n} samples passed, and no other of the {trial.samples} can "
        "change what is said of this case"
    )
    error = ErrorInfo(type="not_needed", message=message)
    return unanswered(trial, Outcome.SKIPPED, error, beyond=True)
