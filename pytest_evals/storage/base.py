"""RunStore: the runs, their trials, and what people said of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.result import TrialResult
from pytest_evals.run import Run, RunStatus


class TrialRow(NamedTuple):
    """What is known of a trial without reading its record."""

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
    """Whether something was answered at an unknown price."""
    latency_s: float | None
    error: str | None
    """The type of the error, where there is one."""


class HumanScore(Frozen):
    """What a person says of one trial: a value, a label, or both."""

    rater: str
    """Who says it."""
    name: str
    """What is judged: a judge's or a metric's name."""
    value: float | None = Field(default=None, allow_inf_nan=False)
    label: str | None = None
    note: str = ""
    at: float
    """Unix time, seconds. The latest of a rater, name and trial counts; all are kept."""


class RunStore(Protocol):
    """Keeps runs. A run is begun, its trials are appended one by one, and it is sealed once.

    Runs and trials stand in the order in which they came, whatever the clock said. A run that is
    not sealed and whose process is gone is *interrupted*; its counts, tokens and cost are those of
    the trials it has. Where a trial is recorded again (a plugin reran it), every attempt is kept
    and the last one counts.
    """

    def begin(self, run: Run) -> None:
        """Keep a new run, not sealed.

        Raises:
            StoreError: it could not be kept, or there is one of that id.
        """
        ...

    def append(self, run_id: str, record: str, result: TrialResult) -> None:
        """Keep one trial before returning.

        Args:
            run_id: the run it belongs to.
            record: the result's own JSON text, as it is to be kept.
            result: the same, for the columns that are searched.

        Raises:
            StoreError: it could not be kept, there is no such run, or the run is sealed.
        """
        ...

    def append_all(self, run_id: str, trials: Sequence[tuple[str, TrialResult]]) -> None:
        """Keep several trials before returning, in their order, or none of them.

        Args:
            run_id: the run they belong to.
            trials: each one's record and result, as for `append`.

        Raises:
            StoreError: as `append`.
        """
        ...

    def seal(self, run: Run) -> None:
        """Replace the run's record by its final one; nothing can be appended afterwards.

        Raises:
            StoreError: it could not be kept, there is no such run, it is sealed already, or the
                record says that it is still running.
        """
        ...

    def run(self, run_id: str) -> Run:
        """Return one run by id, by a unique beginning of its id, or ``latest``.

        Raises:
            StoreError: there is none, with the nearest ids.
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
        """Return runs, newest first. No trial is read.

        Args:
            dataset: only runs of a dataset of this name.
            status: only runs that got so far.
            limit: at most so many.
            offset: after leaving out so many.
        """
        ...

    def count(self, *, dataset: str | None = None, status: RunStatus | None = None) -> int:
        """Return how many runs there are."""
        ...

    def results(self, run_id: str) -> Iterator[TrialResult]:
        """Yield a run's trials in the order they were recorded, the last attempt of each.

        Raises:
            StoreError: there is no such run, or a record cannot be read.
        """
        ...

    def rows(self, run_id: str) -> Iterator[TrialRow]:
        """Yield the same trials in the same order, without reading their records."""
        ...

    def attempts(self, run_id: str, trial: str) -> list[TrialResult]:
        """Return every attempt of one trial, the one that counts last; empty if there is none."""
        ...

    def label(self, run_id: str, trial: str, score: HumanScore) -> None:
        """Keep what a person says of a trial, also of a sealed run's.

        Raises:
            StoreError: it could not be kept, or the run has no such trial.
        """
        ...

    def labels(self, run_id: str) -> list[tuple[str, HumanScore]]:
        """Return all human scores of a run with their trials, by time; equal times as recorded."""
        ...

    def close(self) -> None:
        """Let go of the file; a run that is not sealed is interrupted from here on."""
        ...
