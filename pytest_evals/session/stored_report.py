"""A stored run as a report: with the verdicts of its session, or evaluated against a baseline."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.ground.redaction import Redactor
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.report import Report, redact_report
from pytest_evals.result import TrialResult
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.session.redaction import add_run_secrets
from pytest_evals.session.verdicts import evaluate_recorded
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import NamedBaseline, find_baseline
from pytest_evals.storage.certificates import certificates_of
from pytest_evals.storage.run_baseline import find_run, run_baseline
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.evaluation import Evaluation
from pytest_evals.verdict.gate.spec import GateVerdict


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """Stored runs, and the project of their datasets."""

    store: RunStore
    rootdir: Path
    """The folder that the paths of datasets are relative to."""

    def report(self, run: Run, redactor: Redactor, *, against: str | None = None) -> Report:
        """Return a run as a report.

        Args:
            run: the run.
            redactor: removes secrets.
            against: a baseline as ``--evals-baseline`` names it; None keeps the session's verdicts
                and compares with nothing.

        Raises:
            StoreError: a record or the baseline cannot be read.
        """
        add_run_secrets(redactor, run)
        tables = StoredTables(self.store)
        evaluations = {
            info.name: self._evaluation(run, info, tables.table(run, info.name), against)
            for info in run.datasets
            if len(tables.table(run, info.name))
        }
        if against is not None:
            run = self._decided(run, evaluations)
        report = Report(run, evaluations, self._trials(run), certificates_of(run, self.rootdir))
        return redact_report(report, redactor)

    def _decided(self, run: Run, evaluations: Mapping[str, Evaluation]) -> Run:
        """Return a run with the decision of other evaluations than its session's."""
        gates = [verdict for evaluation in evaluations.values() for verdict in evaluation.gates]
        if not gates:
            return run
        rows = [row for row in self.store.rows(run.id) if not row.tolerated]
        decision = decide(
            gates,
            failing=[row.trial for row in rows if row.outcome == "failed"],
            unresolved=[row.trial for row in rows if row.outcome in {"errored", "skipped"}],
        )
        update = {
            "gates": tuple(verdict.model_dump(mode="json") for verdict in gates),
            "decision": decision.model_dump(mode="json"),
            "exit_status": int(decision.failed),
        }
        return run.model_copy(update=update)

    def _trials(self, run: Run) -> Callable[[], Iterable[TrialResult]]:
        """Return a function that reads a run's trials, in the order in which they ended."""
        return lambda: self.store.results(run.id)

    def _evaluation(
        self, run: Run, info: DatasetInfo, table: TrialTable, against: str | None
    ) -> Evaluation:
        """Evaluate one dataset of a run; without a baseline its stored gates count."""
        baseline = None if against is None else self.find_baseline(against, run, info)
        only = run.model_copy(update={"datasets": (info,)})
        strict = run.strict
        evaluation = evaluate_recorded(
            only, {info.name: table}, {info.name: baseline}, strict=strict
        )[info.name]
        if baseline is not None or not run.gates:
            return evaluation
        gates = [GateVerdict.model_validate(gate) for gate in run.gates]
        stored = tuple(gate for gate in gates if gate.dataset == info.name)
        return evaluation.model_copy(update={"gates": stored})

    def find_baseline(self, source: str, run: Run, info: DatasetInfo) -> NamedBaseline:
        """Return the baseline that a run is compared with; a run is never its own.

        Args:
            source: as ``--evals-baseline`` names it; ``latest`` is the complete run before.
            run: the run.
            info: the dataset.

        Raises:
            StoreError: there is no such baseline, or it is not valid.
        """

        def read_run(name: str) -> Baseline:
            other = find_run(self.store, name, info.name, before=run.id)
            return run_baseline(self.store, other, info.name)

        return find_baseline(
            source,
            rootdir=self.rootdir,
            dataset=info.name,
            dataset_path=self.rootdir / info.path,
            run=read_run,
        )
