"""LookaheadWindow: which trial may start now, and whom to wake. Pure: no asyncio, thread or clock.

The host takes results in the order in which it expects them. Trials start in that order, and at
most `size` of them run or are ready ahead of the host. The caller guards the window with a lock.
"""

import itertools
from collections import deque
from collections.abc import Iterable
from enum import Enum

from pytest_evals.matrix import Trial
from pytest_evals.result import TrialResult


class Wake(Enum):
    """Whether the host is to be woken after a result."""

    NOW = "now"
    SOON = "soon"
    """A few results may gather first: waking for each one costs a fifth more processor time."""
    NO = "no"


class LookaheadWindow:
    """Trials that are expected, running and ready.

    Args:
        size: how many trials may be ahead of the host.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._queue: deque[Trial] = deque()
        self._positions: dict[str, int] = {}
        """The place of each trial in the host's order; -1 for one that was never expected."""
        self._counter = itertools.count()
        self._ahead: dict[str, int] = {}
        """Positions of the started trials that the host has not come to, in order of start."""
        self._running: set[str] = set()
        self._results: dict[str, TrialResult] = {}
        self._wanted: str | None = None

    @property
    def waiting(self) -> int:
        """How many expected trials have not started."""
        return len(self._queue)

    @property
    def ready(self) -> int:
        """How many results the host has not taken."""
        return len(self._results)

    @property
    def ahead(self) -> int:
        """How many trials hold a place in the window."""
        return len(self._ahead)

    def expect(self, trials: Iterable[Trial]) -> None:
        """Queue trials in the order in which the host will take them; known ones are left out."""
        for trial in trials:
            if trial.id not in self._positions:
                self._positions[trial.id] = next(self._counter)
                self._queue.append(trial)

    def expect_only(self, trials: Iterable[Trial]) -> None:
        """Replace the queue; running and ready trials stay."""
        self.drop_queue()
        self.expect(trials)

    def drop_queue(self) -> None:
        """Forget the trials that have not started."""
        for trial in self._queue:
            del self._positions[trial.id]
        self._queue.clear()

    def want(self, trial: Trial) -> bool:
        """Put the trial the host waits for first; return whether it has yet to start.

        A trial whose result was taken (a rerun), or that was never expected, is queued again.
        """
        self._wanted = trial.id
        if self.has_begun(trial.id):
            return False
        if trial.id not in self._positions:
            self._positions[trial.id] = -1
            self._queue.appendleft(trial)
        elif self._queue[0].id != trial.id:
            self._queue = deque(other for other in self._queue if other.id != trial.id)
            self._queue.appendleft(trial)
        return True

    def stop_waiting(self) -> None:
        """Note that the host waits for no trial."""
        self._wanted = None

    def has_begun(self, trial_id: str) -> bool:
        """Whether a trial runs or is ready."""
        return trial_id in self._running or trial_id in self._results

    def start(self) -> Trial | None:
        """Start the next trial that may start now; None if the window is full or none is queued.

        The trial that the host waits for always may: it is not ahead of the host.
        """
        if not self._queue:
            return None
        is_wanted = self._queue[0].id == self._wanted
        if not is_wanted and len(self._ahead) >= self.size:
            return None
        trial = self._queue.popleft()
        if not is_wanted:
            self._ahead[trial.id] = self._positions[trial.id]
        self._running.add(trial.id)
        return trial

    def hasten(self, trial_id: str) -> Trial | None:
        """Start a queued trial that another one depends on, outside the window; None if absent."""
        trial = next((queued for queued in self._queue if queued.id == trial_id), None)
        if trial is not None:
            self._queue.remove(trial)
            self._running.add(trial_id)
        return trial

    def release_place(self, trial_id: str) -> bool:
        """Free the place of a running trial that waits for others; return whether it had one."""
        return self._ahead.pop(trial_id, None) is not None

    def finish(self, trial_id: str, result: TrialResult) -> Wake:
        """Keep a trial's result for the host."""
        self._running.discard(trial_id)
        self._results[trial_id] = result
        enough = not self._running or len(self._results) * 8 >= self.size
        if enough and self._wanted in self._results:
            return Wake.NOW
        return Wake.SOON if self._wanted == trial_id else Wake.NO

    def take(self, trial_id: str) -> TrialResult | None:
        """Hand a result over, once, and free the places up to it; None if it is not ready."""
        result = self._results.pop(trial_id, None)
        if result is not None:
            self._wanted = None
            self._ahead.pop(trial_id, None)
            self._pass(self._positions.pop(trial_id))
        return result

    def _pass(self, position: int) -> None:
        """Free the places of the trials that the host has come to or left out."""
        while self._ahead:
            first = next(iter(self._ahead))
            if self._ahead[first] > position:
                return
            del self._ahead[first]

    @property
    def needs_refill(self) -> bool:
        """Whether trials wait and a quarter of the window is free (starting each alone is slow)."""
        room = self.size - len(self._ahead)
        return bool(self._queue) and (room * 4 >= self.size or not self._ahead)
