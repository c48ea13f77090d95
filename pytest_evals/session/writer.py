"""TrialWriter: a thread that writes trials into the store, some at a time, while the next ones run.

A trial is in the store a tenth of a second after its report, or at once when `close` returns.
Answers that were paid for are stored by the engine, before a trial is scored.
"""

import threading

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import TrialResult
from pytest_evals.storage.base import RunStore

GATHER_S = 0.1
"""Seconds in which trials gather, so that many share a transaction."""


class TrialWriter:
    """Keeps the trials of one run.

    Args:
        store: where.
        run_id: the run, which has begun.
    """

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._waiting: list[tuple[str, TrialResult]] = []
        self._change = threading.Condition()
        self._end = threading.Event()
        self._told = False
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None
        """Why nothing is kept any further; None while all is well."""

    def add(self, record: str, result: TrialResult) -> None:
        """Take a trial, in the order of the calls; returns at once."""
        with self._change:
            if self.error is not None:
                return
            self._waiting.append((record, result))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="evals-writer", daemon=True)
                self._thread.start()
            if len(self._waiting) == 1:
                self._change.notify()

    def close(self) -> None:
        """Return when all is kept.

        Raises:
            StoreError: trials could not be kept; said once.
        """
        self._end.set()
        with self._change:
            self._change.notify()
        if self._thread is not None:
            self._thread.join()
        if self.error is None or self._told:
            return
        self._told = True
        if isinstance(self.error, StoreError):
            raise self.error
        raise StoreError(f"trials could not be kept: {self.error!r}") from self.error

    def _work(self) -> None:
        """Write what waits, until there is nothing more to come."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._end.is_set())
                if not self._waiting:
                    return
            self._end.wait(GATHER_S)
            with self._change:
                batch, self._waiting = self._waiting, []
            try:
                self._store.append_all(self._run_id, batch)
            except BaseException as error:  # noqa: BLE001 - it is told where the session can see it
                with self._change:
                    self.error = error
                    self._waiting.clear()
                return
