"""Ledger: planned, recorded and crashed trials of a run, up to its sealed record. No I/O."""

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus


class Ledger:
    """The books of one run.

    Every planned trial is recorded, crashed or missing. A run with a trial that is missing, crashed
    or not run is never complete.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        """The run's record so far; None before `open`."""
        self.summary = RunSummary()
        """The numbers of the recorded trials."""
        self.infos: tuple[DatasetInfo, ...] = ()
        """The planned datasets; empty until they are known."""
        self.planned: list[str] = []
        """The ids of the planned trials, in order."""
        self.confirmations: dict[str, tuple[TrialResult, ...]] = {}
        """The confirmation samples by dataset, as `Run.confirmations`."""
        self._uncovered: dict[str, Outcome] = {}
        """The outcomes of trials that fail a session, by id."""
        self._collected: list[str] = []
        self._recorded: set[str] = set()
        self._crashed: set[str] = set()

    def open(self, run: Run) -> None:
        """Begin with the record of a run that has no trials yet."""
        self.run = run

    def expect(self, infos: tuple[DatasetInfo, ...], planned: list[str]) -> None:
        """Set the planned datasets and the ids of their selected trials."""
        self.infos = infos
        self.planned = planned

    def expect_collected(self, ids: Iterable[str]) -> None:
        """Set the ids of all collected tests; `expect_infos` tells which of them are trials."""
        self._collected = list(ids)

    def expect_infos(self, infos: tuple[DatasetInfo, ...]) -> None:
        """Set the planned datasets of a session whose tests are collected in workers, once."""
        if not self.infos:
            groups = {info.path for info in infos}
            self.expect(infos, [i for i in self._collected if _group_of(i) & groups])

    def record(self, result: TrialResult) -> None:
        """Record a trial."""
        self._recorded.add(result.id)
        self.summary.add(result)
        self._uncovered.pop(result.id, None)
        allowed = result.outcome is Outcome.PASSED or result.tolerated or result.unneeded
        if not allowed:
            self._uncovered[result.id] = result.outcome

    def crash(self, trial_id: str) -> None:
        """Note that the process running a trial died."""
        self._crashed.add(trial_id)

    @property
    def missing(self) -> list[str]:
        """The planned trials without a record, in order; those that crashed are among them."""
        return [trial for trial in self.planned if trial not in self._recorded]

    @property
    def lost(self) -> list[str]:
        """The planned trials that neither were recorded nor crashed."""
        return [trial for trial in self.missing if trial not in self._crashed]

    @property
    def unresolved(self) -> list[str]:
        """The ids of trials without a result that no gate allows: errors, not run, lost."""
        failed = set(self.failing)
        return [*(trial for trial in self._uncovered if trial not in failed), *self.missing]

    @property
    def failing(self) -> list[str]:
        """The ids of failed trials that no gate tolerates."""
        return [id_ for id_, outcome in self._uncovered.items() if outcome is Outcome.FAILED]

    @property
    def not_run(self) -> int:
        """The number of recorded trials that were not run."""
        return self.summary.counts.skipped

    @property
    def status(self) -> RunStatus:
        """How complete the run is."""
        if self.lost or self.not_run or self._crashed:
            return RunStatus.INTERRUPTED
        if any(info.selected < info.planned for info in self.infos):
            return RunStatus.NARROWED
        return RunStatus.COMPLETE

    def problems(self, *, stopped: bool) -> Iterator[str]:
        """Yield why the session fails whatever its tests say: trials without a result.

        Args:
            stopped: whether the session was cut short, so that missing trials are expected.
        """
        lost = [] if stopped else self.lost
        if lost:
            names = f"{', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}"
            yield (
                f"{len(lost)} of {len(self.planned)} trials have no record, so this session "
                f"fails: {names}"
            )
        if self.not_run:
            yield (
                f"{self.not_run} of {len(self.planned)} trials were not run, so this session "
                f"fails: {self.summary.first_reason}"
            )

    def arrange(self) -> None:
        """Put the summary's rows into the order of datasets and models."""
        self.summary.arrange((info.name, model.id) for info in self.infos for model in info.models)

    def seal(self, *, ended_at: float, exit_status: int, **fields: Any) -> Run:
        """Return the final record. Sealed again with the same values it is the same.

        Args:
            ended_at: Unix time, seconds.
            exit_status: the session's.
            fields: further fields of `Run`: gates, decision, notes.
        """
        assert self.run is not None
        self.arrange()
        self.run = self.run.model_copy(
            update={
                "status": self.status,
                "ended_at": ended_at,
                "datasets": self.infos,
                "counts": self.summary.counts,
                "tokens": self.summary.tokens,
                "cost_usd": self.summary.cost_usd,
                "spent_usd": self.summary.spent_usd,
                "spending": self.summary.spending,
                "confirmations": dict(self.confirmations),
                "exit_status": exit_status,
                **fields,
            }
        )
        return self.run


def _group_of(nodeid: str) -> set[str]:
    """Return the groups a test may belong to: its file, or its test function."""
    return {nodeid.partition("::")[0], nodeid.partition("[")[0]}
