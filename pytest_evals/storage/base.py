"""RunStore: runs, their trials, and human scores of trials."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus


class TrialRow(NamedTuple):
    """The columns of a trial, which are read without its record."""

    trial: str
    """The node id."""
    dataset: str
    case_id: str
    model_id: str
    sample: int
    outcome: str
    tolerated: bool
    score: float | None
    tokens: int | None
    cost_usd: float | None
    unpriced: bool
    """Whether it has responses of unknown price."""
    latency_s: float | None
    error: str | None
    """The type of the error; None for none."""


class HumanScore(Frozen):
    """A person's score of one trial: a value, a label, or both."""

    rater: str
    """The person."""
    name: str
    """Name of the judge or metric that it corresponds to."""
    value: float | None = Field(default=None, allow_inf_nan=False)
    label: str | None = None
    note: str = ""
    at: float
    """Unix time in seconds. All scores are stored; the latest of a rater, name and trial counts."""


class RunStore(Protocol):
    """Stores runs: a run is begun, its trials are appended, and it is sealed once.

    Runs and trials are in the order they were stored, whatever the clock says. An unsealed run
    whose process has ended is *interrupted*. The counts, tokens and cost of an unsealed run are
    those of its trials so far. If a trial is recorded again (a plugin reran it), every attempt is
    stored and the last one counts.
    """

    def begin(self, run: Run) -> None:
        """Store a new, unsealed run.

        Raises:
            StoreError: it could not be stored, or its id is a duplicate.
        """
        ...

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Store one trial before returning.

        Args:
            run_id: the id of its run.
            record: the JSON text of the result, stored unchanged.
            result: the same result, for the columns.

        Raises:
            StoreError: it could not be stored, there is no such run, or the run is sealed.
        """
        ...

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Store several trials before returning, in order, all or none.

        Args:
            run_id: the id of their run.
            trials: record and result of each, as for `append`.

        Raises:
            StoreError: as `append`.
        """
        ...

    def seal(self, run: Run) -> None:
        """Replace the run's record with its final one; nothing can be appended afterwards.

        Raises:
            StoreError: it could not be stored, there is no such run, it is already sealed, or the
                record says that it is still running.
        """
        ...

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique prefix of its id, or ``latest``.

        Raises:
            StoreError: there is none; suggests similar ids.
        """
        ...

    def runs(
        self,
        *,
        dataset: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Run]:
        """Return runs, newest first, without reading trials.

        Args:
            dataset: only runs with a dataset of this name.
            status: only runs with this status.
            limit: the maximum number of runs; None for all.
            offset: the number of newest runs to skip.
        """
        ...

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return the number of runs."""
        ...

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials in the order they were recorded, the last attempt of each.

        Raises:
            StoreError: there is no such run, or a record cannot be read.
        """
        ...

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the columns of the same trials in the same order, without reading their records."""
        ...

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the current one last; empty if there is none."""
        ...

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Store a human score of a trial, also if its run is sealed.

        Raises:
            StoreError: it could not be stored, or the run has no such trial.
        """
        ...

    def labels(self, run_id: str) -> list[tuple[str, HumanScore]]:
        """Return all human scores of a run with their trials, by time; equal times as stored."""
        ...

    def close(self) -> None:
        """Close the file; unsealed runs are interrupted from now on."""
        ...
