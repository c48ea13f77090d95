"""TrialWriter: trials reach the store in batches, while the next ones run.

A trial is in the store a tenth of a second after its report, or at once when `close` returns.
Answers that were paid for are stored by the engine, before a trial is scored.
"""

from pytest_evals.ground.batch_writer import BatchWriter
from pytest_evals.ground.errors import StoreError
from pytest_evals.result import TrialResult
from pytest_evals.storage.base import RunStore

GATHER_S = 0.1
"""Seconds in which trials gather, so that many share a transaction."""


class TrialWriter:
    """Writes the trials of one run.

    Args:
        store: where.
        run_id: the run, which has begun.
    """

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._writer: BatchWriter[tuple[str, TrialResult]] = BatchWriter(
            lambda batch: store.append_all(run_id, batch), name="evals-trials", gather_s=GATHER_S
        )
        self._reported = False

    @property
    def error(self) -> BaseException | None:
        """Why no further trial is written; None while the store works."""
        return self._writer.error

    def add(self, record: str, result: TrialResult) -> None:
        """Queue a trial, in the order of the calls; returns at once."""
        self._writer.add((record, result))

    def close(self) -> None:
        """Return when all trials are written.

        Raises:
            StoreError: trials could not be written; raised once.
        """
        self._writer.close()
        if self.error is None or self._reported:
            return
        self._reported = True
        if isinstance(self.error, StoreError):
            raise self.error
        raise StoreError(f"trials could not be saved: {self.error!r}") from self.error
