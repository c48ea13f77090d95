"""What changed between a baseline and a stored run, and whether it regressed."""

from dataclasses import dataclass
from pathlib import Path

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.comparison.changes import AnswerTexts, DatasetChanges, RunChanges
from pytest_evals.ground.errors import StoreError
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.session.verdicts import evaluate_recorded
from pytest_evals.storage.baseline_file import NamedBaseline, find_baseline, load_baseline
from pytest_evals.storage.run_baseline import dataset_baseline, dataset_of, find_run, is_replayed
from pytest_evals.verdict.baseline import Baseline, build_baseline
from pytest_evals.verdict.gate.declare import parse_gates

_DEFAULT_GATES = ("no regressions",)
"""The comparison of a dataset whose gates declare none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """Compares a stored run with baselines."""

    tables: StoredTables
    """Reads the runs' trials."""
    run: Run
    rootdir: Path
    """The folder that the paths of datasets are relative to."""
    source: str | None = None
    """The baseline as the user named it; None is each dataset's own."""
    strict: bool = False
    """Whether an inconclusive comparison fails."""

    def compare(self, dataset: str | None = None) -> RunChanges:
        """Compare every dataset of the run, or one.

        Raises:
            StoreError: the run has no such dataset, or no dataset can be compared.
        """
        infos = [dataset_of(self.run, dataset)] if dataset else self._compared_datasets()
        outcome = RunChanges(self.run)
        for info in infos:
            try:
                outcome.changes.append(self._compare_dataset(info))
            except StoreError as error:
                outcome.failures.append((info.name, str(error)))
        if not outcome.changes:
            raise StoreError("\n".join(dict.fromkeys(reason for _, reason in outcome.failures)))
        return outcome

    def _compared_datasets(self) -> list[DatasetInfo]:
        """Return the run's datasets; with a file as the baseline only its dataset.

        Raises:
            StoreError: the run has no dataset.
        """
        infos = list(self.run.datasets)
        if not infos:
            raise StoreError(f"run {self.run.id} has no dataset")
        if len(infos) > 1 and self.source is not None and Path(self.source).is_file():
            name = load_baseline(Path(self.source)).dataset
            return [info for info in infos if info.name == name] or infos
        return infos

    def _compare_dataset(self, info: DatasetInfo) -> DatasetChanges:
        """Compare one dataset.

        Raises:
            StoreError: there is no baseline, or a record cannot be read.
        """
        table = self.tables.table(self.run, info.name)
        if not len(table):
            raise StoreError(f"run {self.run.id} has recorded no trial of {info.name!r}")
        baseline, before = self._baseline(info)
        gates = zip(info.gates, parse_gates(info), strict=True)
        declared = tuple(text for text, gate in gates if gate.compares)
        compared = info.model_copy(update={"gates": declared or _DEFAULT_GATES})
        evaluation = evaluate_recorded(
            self.run.model_copy(update={"datasets": (compared,)}),
            {info.name: table},
            {info.name: baseline},
            strict=self.strict,
        )[info.name]
        assert evaluation.diff is not None
        texts = {gate.text for gate in parse_gates(compared)}
        return DatasetChanges(
            info=info,
            diff=evaluation.diff,
            verdicts=[verdict for verdict in evaluation.gates if verdict.gate in texts],
            declared=bool(declared),
            before=before,
            now=AnswerTexts(self.tables.store, self.run, table),
        )

    def _baseline(self, info: DatasetInfo) -> tuple[NamedBaseline, AnswerTexts]:
        """Return a dataset's baseline, and the answers behind it.

        Raises:
            StoreError: there is no such baseline, or it is not valid.
        """
        store = self.tables.store
        if self.source is None:
            return dataset_baseline(info, self.rootdir).required(), AnswerTexts(store)
        # A path on the command line is relative to the working directory.
        path = Path(self.source)
        source = str(path.resolve()) if path.exists() else self.source
        runs: list[Run] = []

        def read_run(name: str) -> Baseline:
            run = find_run(store, name, info.name, before=self.run.id)
            runs.append(run)
            table = self.tables.table(run, info.name)
            return build_baseline(table, dataset_of(run, info.name), replayed=is_replayed(run))

        baseline = find_baseline(
            source,
            rootdir=self.rootdir,
            dataset=info.name,
            dataset_path=self.rootdir / info.path,
            run=read_run,
        )
        if not runs:
            name = baseline.name.replace(source, self.source.rstrip("/"), 1)
            return NamedBaseline(baseline.baseline, name), AnswerTexts(store)
        table = self.tables.table(runs[0], info.name)
        return (
            NamedBaseline(baseline.baseline, f"run {runs[0].id}"),
            AnswerTexts(store, runs[0], table),
        )
