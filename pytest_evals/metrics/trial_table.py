"""TrialTable: the TrialStats of one dataset, grouped by model, case, sample and slice."""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.result import TrialResult


class TrialTable:
    """The trials of one dataset, by model, case and sample.

    Args:
        dataset: the dataset's name.
    """

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self._cells: dict[str, dict[str, list[TrialStats]]] = {}
        self._metadata: dict[str, Mapping[str, Any]] = {}
        self._sorted: dict[str, dict[str, list[TrialStats]]] = {}
        self._fair: dict[str, dict[str, list[TrialStats]]] = {}
        self._beyond = False
        self._parts: dict[tuple[str, str], dict[str, dict[str, list[TrialStats]]]] = {}
        self._count = 0

    @classmethod
    def of(cls, dataset: str, results: Iterable[TrialResult]) -> "TrialTable":
        """Return the table of a dataset from a run's records; other datasets are left out."""
        table = cls(dataset)
        for result in results:
            if result.dataset == dataset:
                table.add(summarize_trial(result))
        return table

    def add(self, trial: TrialStats) -> None:
        """Add a trial; it replaces an earlier record of the same sample."""
        shared = (
            self._metadata.setdefault(trial.case, trial.metadata)
            if trial.metadata
            else trial.metadata
        )
        if shared is not trial.metadata and shared == trial.metadata:
            object.__setattr__(trial, "metadata", shared)
        self._sorted.clear()
        self._fair.clear()
        self._parts.clear()
        self._beyond = self._beyond or trial.beyond
        cell = self._cells.setdefault(trial.model, {}).setdefault(trial.case, [])
        for place, before in enumerate(cell):
            if before.sample == trial.sample:
                cell[place] = trial
                return
        cell.append(trial)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[TrialStats]:
        """Yield all trials, by model, case and sample."""
        for model in self._cells:
            yield from self.trials(model)

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in order of first appearance."""
        return tuple(self._cells)

    def trials(self, model: str, part: Slice | None = None) -> list[TrialStats]:
        """Return a model's trials in a slice, in order of case and sample.

        Without a slice, samples beyond the first `min` of their case are included.
        """
        cells = self._whole(model) if part is None else self.cases(model, part)
        return [trial for cell in cells.values() for trial in cell]

    def cases(self, model: str, part: Slice | None = None) -> Mapping[str, list[TrialStats]]:
        """Return a model's trials in a slice, by case, in order of case and sample.

        Samples beyond the first `min` of a case are included only if the slice is that case.
        """
        if part is not None:
            return self.parts(model, part.key).get(part.value, {})
        all_cases = self._whole(model)
        if not self._beyond:
            return all_cases
        if model not in self._fair:
            self._fair[model] = {
                case: [trial for trial in cell if not trial.beyond]
                for case, cell in all_cases.items()
            }
        return self._fair[model]

    def _whole(self, model: str) -> Mapping[str, list[TrialStats]]:
        """Return all trials of a model by case."""
        if model not in self._sorted:
            cells = self._cells.get(model, {})
            in_order = attrgetter("sample")
            self._sorted[model] = {
                case: sorted(cells[case], key=in_order) for case in sorted(cells)
            }
        return self._sorted[model]

    def parts(self, model: str, key: str) -> Mapping[str, Mapping[str, list[TrialStats]]]:
        """Return a model's trials by the value of a slice key, then by case."""
        if (model, key) not in self._parts:
            parts: dict[str, dict[str, list[TrialStats]]] = {}
            cells = self._whole(model) if key == "case" else self.cases(model)
            for case, cell in cells.items():
                for value in cell[0].slice_values(key):
                    parts.setdefault(value, {})[case] = cell
            self._parts[model, key] = parts
        return self._parts[model, key]

    def slices(self, key: str) -> tuple[Slice, ...]:
        """Return the slices of a key (``tag``, ``case``, a metadata key), by name."""
        values = {value for model in self._cells for value in self.parts(model, key)}
        return tuple(Slice(key=key, value=value) for value in sorted(values))

    @property
    def scorers(self) -> tuple[str, ...]:
        """The names of all scorers, including those that could not score, sorted."""
        return tuple(sorted({name for trial in self for name in (*trial.names, *trial.unscored)}))
