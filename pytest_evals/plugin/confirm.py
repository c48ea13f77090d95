"""Asking again what looks broken beside the baseline, before the verdict.

Where the session is (never on an xdist worker), after the last trial. These answers decide breaks
alone: they are no trials of the run, and reach no table, metric or baseline.
"""

from collections.abc import Iterator
from dataclasses import replace
from time import time
from typing import Any

from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.errors import EvalsError
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.plugin.session import Evals
from pytest_evals.plugin.terminal import fresh_line
from pytest_evals.run import DatasetInfo
from pytest_evals.verdict.diff import ConfirmationPlan

FIRST = 100_000
"""The first sample that is asked again: apart from every sample a dataset could ask for."""


def ask_again(evals: Evals, info: DatasetInfo, plan: ConfirmationPlan) -> list[TrialStats]:
    """Ask the planned cells again, within what is left of the session's limits.

    Args:
        evals: the session.
        info: the dataset.
        plan: (case, model) -> how many more samples.

    Returns:
        What became of them; those that could not be asked are among them as errors.
    """
    recorder: Any = evals.config.pluginmanager.getplugin("evals-recorder")
    try:
        trials = list(_trials(_matrix(evals, info), plan))
        _tell(evals, f"asking {_cells(plan)} again, {len(trials)} trials, before the verdict")
        engine = evals.fresh_engine(_left(evals, recorder), _used(recorder))
        engine.prepare(trials)
    except EvalsError as error:
        recorder.note(f"cases that look broken could not be asked again: {error}")
        return []
    engine.start()
    try:
        engine.expect(trials)
        found = []
        for trial in trials:
            result = engine.result(trial)
            recorder.summary.count(result)
            found.append(summarize_trial(result))
    finally:
        engine.stop()
    return found


def _matrix(evals: Evals, info: DatasetInfo) -> Matrix:
    """Return the dataset's matrix; the controller of workers has not read it yet."""
    known = evals.matrices.get(info.path)
    return known or evals.matrix(evals.settings.rootdir / info.path, info.path)


def _trials(matrix: Matrix, plan: ConfirmationPlan) -> Iterator[Trial]:
    """Yield the trials of a plan, in the order of the matrix."""
    for case in matrix.dataset.cases:
        for model in matrix.models:
            n = plan.cells.get((case.id, model.id), 0)
            for sample in range(FIRST, FIRST + n):
                yield Trial(matrix.dataset, case, model, sample, FIRST + n)


def _cells(plan: ConfirmationPlan) -> str:
    count = len({case for case, _ in plan.cells})
    return "1 case" if count == 1 else f"{count} cases"


def _tell(evals: Evals, text: str) -> None:
    """Say it on a line of its own."""
    reporter: Any = evals.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and evals.config.option.verbose >= 0:
        fresh_line(reporter)
        reporter.write_line(f"evals: {text}")


def _left(evals: Evals, recorder: Any) -> Any:
    """Return the settings with what is left of the session's time."""
    settings = evals.settings
    if settings.timeout is None:
        return settings
    passed = time() - recorder.run.started_at
    return replace(settings, timeout=max(0.001, settings.timeout - passed))


def _used(recorder: Any) -> WorkerShare:
    """Return what the session has spent of its budgets."""
    summary = recorder.summary
    return WorkerShare(used_usd=summary.spent_usd or 0.0, used_tokens=summary.asked_tokens)
