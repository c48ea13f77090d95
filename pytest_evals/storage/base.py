"""RunStore: the runs and their trials."""

from collections.abc import Iterator
from typing import Protocol

from pytest_evals.result import TrialResult
from pytest_evals.run import Run


class RunStore(Protocol):
    """Keeps runs. A run is begun, its trials are appended one by one, and it is sealed once."""

    def begin(self, run: Run) -> None:
        """Keep a new run, not sealed."""
        ...

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Keep one trial before returning.

        Args:
            run_id: the run it belongs to.
            record: the result's own JSON text, as it is to be kept.
            result: the same, for the columns that are searched.

        Raises:
            StoreError: it could not be kept, or the run is sealed.
        """
        ...

    def seal(self, run: Run) -> None:
        """Replace the run's record by its final one; nothing can be appended afterwards."""
        ...

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique beginning of its id, or ``latest``.

        Raises:
            StoreError: there is none, with the nearest ids.
        """
        ...

    def runs(self, *, dataset: str | None = None, limit: int | None = None) -> list[Run]:
        """Return runs, newest first."""
        ...

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials in the order they were recorded."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
