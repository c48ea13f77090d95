"""TrialObserver: receives every recorded trial of a session."""

from typing import Protocol

from pytest_evals.result import TrialResult


class TrialObserver(Protocol):
    """Receives trials, in the order in which they are recorded.

    `recording.RunRecorder` calls its observers one after the other, in the order of its tuple.
    """

    def add(self, result: TrialResult, record: str, worker: str) -> None:
        """Receive one trial.

        Args:
            result: the trial.
            record: the same trial as JSON text, without secrets.
            worker: the id of the worker that ran it; empty without workers.
        """
        ...
