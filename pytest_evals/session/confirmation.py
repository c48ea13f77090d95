"""Confirmation: cases that fail against the baseline run again, before the verdict.

Runs after the last trial, never in a worker. These trials decide breaks alone: they are not trials
of the run, and reach no table, metric or baseline.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import time

from pytest_evals.config import Settings
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.errors import EvalsError
from pytest_evals.ground.notes import Notes
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.engines import Engines
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.plan import Plan
from pytest_evals.session.state import SessionState
from pytest_evals.verdict.diff import ConfirmationPlan

FIRST_SAMPLE = 100_000
"""The number of the first confirmation sample, above all samples of any dataset."""


class Confirmer:
    """Runs the cells of a confirmation plan, within the rest of the session's limits.

    Args:
        state: the session's fixed values.
        plan: the session's datasets.
        engines: makes the engine.
        ledger: knows what the session has spent; counts the calls made here.
        notes: receives why cases could not be confirmed.
        announce: displays a line before the calls.
    """

    def __init__(
        self,
        state: SessionState,
        plan: Plan,
        engines: Engines,
        ledger: Ledger,
        *,
        notes: Notes,
        announce: Callable[[str], None],
    ) -> None:
        self._state = state
        self._plan = plan
        self._engines = engines
        self._ledger = ledger
        self._notes = notes
        self._announce = announce

    def run(self, info: DatasetInfo, confirmation: ConfirmationPlan) -> list[TrialStats]:
        """Run the planned cells again.

        Args:
            info: the dataset.
            confirmation: (case, model) -> the number of further samples.

        Returns:
            The results, which the ledger has too; a trial that could not run is an error among
            them.
        """
        self._ledger.confirmations[info.name] = ()
        if not confirmation.cells:
            return []
        try:
            trials = list(_trials(self._matrix(info), confirmation))
            cases = _count_cases(confirmation)
            self._announce(f"confirming {cases} with {len(trials)} more trials, before the verdict")
            engine = self._engines.for_confirmation(self._settings_left(), self._used())
            engine.prepare(trials)
        except EvalsError as error:
            self._notes.add(f"failing cases could not be confirmed: {error}")
            return []
        engine.start()
        try:
            engine.expect(trials)
            results = []
            for trial in trials:
                result = engine.result(trial)
                self._ledger.summary.count(result, confirms=True)
                results.append(result)
        finally:
            engine.stop()
        self._ledger.confirmations[info.name] = tuple(results)
        return [summarize_trial(result) for result in results]

    def _matrix(self, info: DatasetInfo) -> Matrix:
        """Return the dataset's matrix; with workers, this process has not loaded it yet."""
        matrix = self._plan.matrices.get(info.path)
        return matrix or self._plan.add_file(self._state.settings.rootdir / info.path, info.path)

    def _settings_left(self) -> Settings:
        """Return the settings with the rest of the session's time."""
        settings, run = self._state.settings, self._ledger.run
        if settings.timeout is None or run is None:
            return settings
        elapsed = time() - run.started_at
        return replace(settings, timeout=max(0.001, settings.timeout - elapsed))

    def _used(self) -> WorkerShare:
        """Return the used part of the session's budgets."""
        spent = self._ledger.summary.spent
        return WorkerShare(used_usd=spent.cost_usd, used_tokens=spent.tokens)


def _trials(matrix: Matrix, confirmation: ConfirmationPlan) -> Iterator[Trial]:
    """Yield the trials of a confirmation, in the order of the matrix."""
    for case in matrix.dataset.cases:
        for model in matrix.models:
            count = confirmation.cells.get((case.id, model.id), 0)
            last = FIRST_SAMPLE + count
            for sample in range(FIRST_SAMPLE, last):
                yield Trial(matrix.dataset, case, model, sample, last)


def _count_cases(confirmation: ConfirmationPlan) -> str:
    count = len({case for case, _ in confirmation.cells})
    return "1 case" if count == 1 else f"{count} cases"
