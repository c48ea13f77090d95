"""RunRecorder: opens a run, hands every trial to its observers and to the store, and seals it."""

import sys
from collections.abc import Sequence
from time import time

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.version import __version__
from pytest_evals.report import redact_value
from pytest_evals.result import TrialResult
from pytest_evals.run_record import GitInfo, Run, RunStatus
from pytest_evals.session.checkout import GitReader
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.observers import TrialObserver
from pytest_evals.session.session import Session
from pytest_evals.session.writer import TrialWriter
from pytest_evals.storage.base import RunStore


class RunRecorder:
    """Records the run of a session.

    Args:
        session: the session.
        ledger: the run's books.
        observers: receive each trial after the ledger and before the store, in their order.
    """

    def __init__(
        self, session: Session, ledger: Ledger, observers: Sequence[TrialObserver] = ()
    ) -> None:
        self._state = session.state
        self._stores = session.stores
        self._notes = session.notes
        self._mark = session.mark
        self._engines = session.engines
        self._observers = tuple(observers)
        self.ledger = ledger
        self.begun = False
        """Whether the first trial has started."""
        self._store: RunStore | None = None
        self._writer: TrialWriter | None = None
        self._git: GitReader | None = None

    def open(self, versions: dict[str, str] | None = None) -> None:
        """Open the run store and start reading the checkout.

        Args:
            versions: of the host's own parts: the test runner's, for example.
        """
        self._store = self._stores.open_runs()
        self._git = GitReader(self._state.settings.rootdir)
        self._mark.search(self._store, self._git)
        self.ledger.open(
            Run(
                id=self._state.run_id,
                started_at=time(),
                versions={
                    "python": sys.version.split()[0],
                    **(versions or {}),
                    "pytest-evals-matrix": __version__,
                    "platform": sys.platform,
                },
                options=self._state.settings.shown(),
            )
        )

    def _checkout(self) -> GitInfo | None:
        """Return the state of the checkout, as soon as it is read."""
        return None if self._git is None else self._git.result()

    def begin(self) -> None:
        """Begin the run in the store, once: when the first trial starts or is reported."""
        run = self.ledger.run
        if self.begun or run is None:
            return
        self.begun = True
        fields = {
            "datasets": self.ledger.infos,
            "chain": self._mark.get(),
            "git": self._checkout(),
        }
        run = run.model_copy(update=fields)
        self.ledger.open(run)
        if self._store is None:
            return
        try:
            self._store.begin(redact_value(run, self._state.redactor))
            self._writer = TrialWriter(self._store, run.id)
        except StoreError as error:
            self._notes.add(f"this run is not saved: {error}")
            self._store = None

    def add(self, result: TrialResult, record: str, worker: str = "") -> None:
        """Record a trial.

        Args:
            result: the trial, without secrets.
            record: the same as JSON text.
            worker: the id of the worker that ran it; empty without workers.
        """
        self.begin()
        self.ledger.record(result)
        for observer in self._observers:
            observer.add(result, record, worker)
        if self._writer is not None:
            self._writer.add(record, result)

    def seal(self, evaluation: RunEvaluation, *, exit_status: int) -> Run:
        """Write the run's final record.

        Args:
            evaluation: the verdicts.
            exit_status: the session's.
        """
        self._finish_writing()
        self.ledger.arrange()
        self._notes.extend(self.ledger.summary.silent)
        self._notes.extend(self._engines.notes())
        run = self.ledger.seal(
            ended_at=time(),
            exit_status=exit_status,
            notes=tuple(self._notes),
            **evaluation.as_run_fields(),
        )
        complete = run.status is RunStatus.COMPLETE and not run.counts.errored
        names = {info.name for info in self.ledger.infos}
        self._stores.finish_cassette(names, complete=complete)
        if self._store is not None:
            try:
                self._store.seal(redact_value(run, self._state.redactor))
            except StoreError as error:
                self._notes.add(f"the end of this run could not be saved: {error}")
        return run

    def _finish_writing(self) -> None:
        """Wait until all trials are stored."""
        if self._writer is not None:
            try:
                self._writer.close()
            except StoreError as error:
                self._notes.add(f"this run is no longer saved: {error}")
                self._store = None

    def close(self) -> list[StoreError]:
        """Stop writing, also where the run was never sealed; return the errors."""
        if self._writer is not None:
            try:
                self._writer.close()
            except StoreError as error:
                return [error]
        return []
