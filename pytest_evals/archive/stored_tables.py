"""The trials of stored runs as tables, each run read once."""

from dataclasses import dataclass, field

from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import Run
from pytest_evals.storage.base import RunStore


@dataclass(slots=True)
class StoredTables:
    """Tables of stored runs; a run is read when its first table is asked for."""

    store: RunStore
    _tables: dict[tuple[str, str], TrialTable] = field(default_factory=dict)
    """By run id and dataset name."""

    def table(self, run: Run, dataset: str) -> TrialTable:
        """Return a run's trials of a dataset.

        Raises:
            StoreError: a record cannot be read.
        """
        if not any(run_id == run.id for run_id, _ in self._tables):
            for info in run.datasets:
                self._tables[run.id, info.name] = TrialTable(info.name)
            for result in self.store.results(run.id):
                table = self._tables.setdefault(
                    (run.id, result.dataset), TrialTable(result.dataset)
                )
                table.add(summarize_trial(result))
        return self._tables.get((run.id, dataset), TrialTable(dataset))
