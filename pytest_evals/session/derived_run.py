"""DerivedRun: a run made of stored answers or of other runs; recorded, evaluated and sealed.

A derived run calls no model under test. Its verdict comes from `verdicts`, as every run's does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.session.evaluation import DatasetEvaluation, RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.tables import TrialTables
from pytest_evals.session.verdicts import evaluate_recorded
from pytest_evals.storage.baseline_file import NamedBaseline
from pytest_evals.storage.sqlite import SqliteRunStore
from pytest_evals.verdict.evaluation import Evaluation


class DerivedRun:
    """Records a derived run; an exception inside the `with` block removes it from the store.

    Args:
        store: where the run is stored.
        run: its record, with its datasets and without trials.
        redact: removes secrets from a trial's record.
    """

    def __init__(
        self, store: SqliteRunStore, run: Run, redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._store = store
        self._redact = redact
        self._run = run
        self.ledger = Ledger()
        """The books of the run."""
        self._tables = TrialTables()

    def __enter__(self) -> Self:
        self._store.begin(self._run)
        self.ledger.open(self._run)
        self.ledger.expect(self._run.datasets, [])
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self._store.abandon(self._run.id)

    def record(self, result: TrialResult) -> None:
        """Record a trial.

        Raises:
            StoreError: it cannot be written.
        """
        result, redacted = self._redacted(result)
        self._store.append(self._run.id, redacted, result)
        self.ledger.record(result)
        self._tables.add(result)

    def confirm(self, dataset: str, results: Iterable[TrialResult]) -> None:
        """Record the confirmation samples of a dataset, which decide its breaks."""
        samples = tuple(self._redacted(it)[0] for it in results)
        self.ledger.confirmations[dataset] = samples
        for sample in samples:
            self.ledger.summary.count(sample, confirms=True)

    def _redacted(self, result: TrialResult) -> tuple[TrialResult, str]:
        """Return a trial and its record, without secrets."""
        record = result.model_dump_json(exclude_defaults=True)
        redacted = self._redact(record)
        if redacted != record:
            result = TrialResult.model_validate_json(redacted)
        return result, redacted

    def evaluate(
        self, baselines: Mapping[str, NamedBaseline | None], *, strict: bool = False
    ) -> dict[str, Evaluation]:
        """Evaluate every dataset.

        Args:
            baselines: what each dataset is compared with, by its name.
            strict: whether an inconclusive comparison fails.
        """
        update = {"confirmations": dict(self.ledger.confirmations)}
        run = self._run.model_copy(update=update)
        return evaluate_recorded(run, self._by_dataset(), baselines, strict=strict)

    def seal(
        self,
        evaluations: Mapping[str, Evaluation],
        *,
        ended_at: float,
        notes: Sequence[str] = (),
    ) -> Run:
        """Seal the run and return its record.

        Args:
            evaluations: by the dataset's name.
            ended_at: Unix time, seconds.
            notes: for the reader.

        Raises:
            StoreError: it cannot be written.
        """
        evaluation = RunEvaluation()
        for name, dataset_evaluation in evaluations.items():
            evaluation.add(name, DatasetEvaluation(dataset_evaluation))
        evaluation.decide(self.ledger)
        status = self._status()
        failed = (
            status is RunStatus.INTERRUPTED
            or bool(self.ledger.failing or self.ledger.unresolved)
            or any(verdict.blocking for verdict in evaluation.gates)
        )
        run = self.ledger.seal(
            ended_at=ended_at,
            exit_status=int(failed),
            status=status,
            notes=tuple(notes),
            **evaluation.as_run_fields(),
        )
        self._store.seal(run)
        return run

    def _status(self) -> RunStatus:
        """Return how complete the run is: a selected trial without a result interrupts it."""
        counts = self.ledger.summary.counts
        selected = sum(info.selected for info in self._run.datasets)
        return (
            RunStatus.INTERRUPTED
            if counts.total - counts.skipped < selected
            else self.ledger.status
        )

    def _by_dataset(self) -> dict[str, TrialTable]:
        """Return the tables of all datasets, empty ones included."""
        return {info.name: self._tables.of(info.name) for info in self._run.datasets}
