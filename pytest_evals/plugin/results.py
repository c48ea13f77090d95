"""TrialResults: waits for the engine's result of a trial, and shows the progress meanwhile."""

from pytest_evals.engine import capture
from pytest_evals.matrix import Trial
from pytest_evals.plugin.terminal.live_line import LiveLine
from pytest_evals.result import TrialResult
from pytest_evals.session.engines import Engines


class TrialResults:
    """Hands over results in the order in which pytest reaches the trials.

    Args:
        engines: has the engine of the planned trials.
        live: the live line; None displays nothing.
    """

    def __init__(self, engines: Engines, live: LiveLine | None) -> None:
        self._engines = engines
        self._live = live

    def wait(self, trial: Trial, *, hold: bool = False) -> TrialResult:
        """Wait for the result of a trial.

        Args:
            trial: the trial.
            hold: whether only reporting follows, and no user code, so that the engine may pause.
        """
        capture.install()
        live = self._live
        tick = None if live is None else live.tick
        result = self._engines.main().result(trial, tick=tick, hold=hold)
        if live is not None:
            live.clear()
        return result
