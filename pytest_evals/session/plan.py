"""Plan: the datasets of a session as matrices of trials.

Loads files and stored runs; knows no engine and no network.
"""

from pathlib import Path

from pytest_evals.dataset import Dataset
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.ground.notes import Notes
from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import load
from pytest_evals.matrix import Matrix
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.redaction import add_dataset_secrets
from pytest_evals.session.state import SessionState


class Plan:
    """The matrices of a session's datasets.

    Args:
        state: the session's fixed values.
        notes: receives what the user must know of the plan.
    """

    def __init__(self, state: SessionState, notes: Notes) -> None:
        self._state = state
        self._notes = notes
        self.matrices: dict[str, Matrix] = {}
        """By the dataset's path, or by the node id of a test function."""
        self.recorded: dict[str, ReplayRun] = {}
        """The answers of the run of ``--evals-from``, by the dataset's name."""

    def add_file(self, path: Path, group: str) -> Matrix:
        """Load a dataset and plan its trials.

        Args:
            path: the file.
            group: its path relative to the rootdir.

        Raises:
            DatasetError: all problems of the file.
            SettingsError: a selected model does not exist, or there are no models.
        """
        context = LoadContext(rootdir=self._state.settings.rootdir, checker=self._state.registry)
        dataset = load(path, context)
        if dataset.path != group:
            dataset = dataset.model_copy(update={"path": group})
        matrix = self.matrix_of(dataset)
        self.matrices[group] = matrix
        return matrix

    def matrix_of(self, dataset: Dataset) -> Matrix:
        """Plan the trials of a dataset, or of the stored run that is replayed.

        Raises:
            SettingsError: a selected model does not exist, or there are no models.
        """
        state, settings = self._state, self._state.settings
        add_dataset_secrets(state.redactor, dataset)
        if settings.sanity:
            from pytest_evals.session.sanity import sanity_matrix

            return sanity_matrix(state, self._notes, dataset)
        if settings.from_run is None:
            from pytest_evals.registry.model_selection import select_models

            models = select_models(state.registry, dataset, settings.model)
            return Matrix(dataset, models, settings.samples)
        from pytest_evals.session.recorded_run import read_recorded_run

        models, recorded = read_recorded_run(settings, dataset, state.run_id)
        self.recorded[dataset.name] = recorded
        return Matrix(dataset, models, case_samples=recorded.samples)

    def cases_of_shard(self, group: str) -> frozenset[str]:
        """Return the ids of the cases of a dataset that this session runs.

        Raises:
            SettingsError: there are more shards than cases.
            StoreError: the baseline, which holds the time each case takes, cannot be read.
        """
        from pytest_evals.session.shards import cases_of_shard

        return cases_of_shard(self._state.settings, self.matrices[group])

    def expected_trials(self, info: DatasetInfo) -> int:
        """Return how many trials of a dataset this session runs without a selection."""
        if self._state.settings.shard is None or info.path not in self.matrices:
            return info.planned
        matrix, ids = self.matrices[info.path], self.cases_of_shard(info.path)
        cases = (case for case in matrix.dataset.cases if case.id in ids)
        return sum(map(matrix.samples_of, cases)) * len(matrix.models)

    def can_confirm(self, info: DatasetInfo) -> bool:
        """Whether cases that look broken can run again.

        The answers of a stored run are confirmed by the samples that it has.
        """
        replay = self.recorded.get(info.name)
        return replay is None or replay.has_confirmations

    def has_judges(self) -> bool:
        """Whether any dataset defines judges."""
        return any(matrix.dataset.judges for matrix in self.matrices.values())

    def infos(self, selected: dict[str, int], *, digests: bool = True) -> tuple[DatasetInfo, ...]:
        """Return what the run stores of its datasets.

        Args:
            selected: the number of selected trials, by the dataset's path.
            digests: whether to compute the datasets' digests, which reads every case.
        """
        return tuple(
            dataset_info(matrix, path, selected.get(path, 0), digest=digests)
            for path, matrix in sorted(self.matrices.items())
        )


def dataset_info(matrix: Matrix, path: str, selected: int, *, digest: bool = True) -> DatasetInfo:
    """Return what a run stores of one dataset."""
    dataset = matrix.dataset
    return DatasetInfo(
        name=dataset.name,
        path=path,
        digest=dataset.digest if digest else "",
        prompt_digest=dataset.prompt.digest if dataset.prompt else None,
        models=tuple(matrix.models),
        cases=len(dataset.cases),
        planned=len(matrix),
        selected=selected,
        gates=dataset.gates,
        max_error_rate=dataset.max_error_rate,
    )
