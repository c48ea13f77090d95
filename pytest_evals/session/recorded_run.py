"""Recorded runs: the stored answers that ``--evals-from`` scores again."""

from typing import TYPE_CHECKING

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.ground.errors import SettingsError, StoreError, suggest
from pytest_evals.model import Model
from pytest_evals.run_record import Run

if TYPE_CHECKING:
    from pytest_evals.storage.sqlite import SqliteRunStore


def read_recorded_run(
    settings: Settings, dataset: Dataset, run_id: str
) -> tuple[tuple[Model, ...], ReplayRun]:
    """Read the answers a run stores of a dataset.

    Args:
        settings: the session's.
        dataset: the dataset.
        run_id: the session's run, which ``latest`` never means.

    Returns:
        The run's models, narrowed by ``--evals-model``, and their answers.

    Raises:
        SettingsError: there is no such run, it has no trial of the dataset, or a selected model is
            not one of its models.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    source = settings.from_run or ""
    if not settings.store_path.is_file():
        raise SettingsError(f"--evals-from {source}: there is no store at {settings.store}")
    store = SqliteRunStore(settings.store_path)
    try:
        run = _find(store, source, dataset.name, run_id)
        info = next((info for info in run.datasets if info.name == dataset.name), None)
        if info is None:
            names = ", ".join(info.name for info in run.datasets) or "no dataset"
            raise SettingsError(
                f"--evals-from {source}: run {run.id} holds {names}, nothing of {dataset.name!r}"
            )
        results = (result for result in store.results(run.id) if result.dataset == dataset.name)
        recorded = ReplayRun(run.id, results, run.confirmations.get(dataset.name))
    except StoreError as error:
        raise SettingsError(f"--evals-from {source}: {error}") from None
    finally:
        store.close()
    models = {model.id: model for model in info.models}
    for name in settings.model:
        if name not in models:
            raise SettingsError(
                f"--evals-model {name}: run {run.id} asked no such model.{suggest(name, models)}"
            )
    return tuple(models[name] for name in settings.model or models), recorded


def _find(store: "SqliteRunStore", source: str, dataset: str, run_id: str) -> Run:
    """Return the run; ``latest`` is the newest run with trials of the dataset."""
    if source != "latest":
        return store.run(source)
    for run in store.runs(dataset=dataset):
        if run.id != run_id and run.counts.total:
            return run
    raise StoreError(f"no stored run holds anything of {dataset!r}")
