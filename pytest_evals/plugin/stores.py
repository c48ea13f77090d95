"""Opens what a session keeps: the run store and the stored answers, as the settings say."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.dataset import Dataset
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.ground.errors import SettingsError, StoreError, suggest
from pytest_evals.model import Model
from pytest_evals.plugin.hooks import open_shared
from pytest_evals.plugin.session import Evals
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.run import Run
from pytest_evals.storage.base import RunStore

if TYPE_CHECKING:
    from pytest_evals.responses.cassette import CassetteStore
    from pytest_evals.storage.sqlite import SqliteRunStore


def open_runs(evals: Evals, note: Callable[[str], None]) -> RunStore | None:
    """Open the run store; where it cannot be opened, say so and go on without it.

    A sanity run is not kept: it says nothing of any model, and `latest` must not mean it.
    """
    if evals.settings.sanity:
        return None
    from pytest_evals.storage.sqlite import SqliteRunStore

    try:
        store = SqliteRunStore(evals.settings.store_path)
    except StoreError as error:
        note(f"this run is not being kept: {error}")
        return None
    evals.closing.append(store)
    return store


def recorded_run(evals: Evals, dataset: Dataset) -> tuple[tuple[Model, ...], ReplayRun]:
    """Read the answers that a run holds of a dataset.

    Returns:
        The models that were asked, narrowed by ``--evals-model``, and their answers.

    Raises:
        SettingsError: there is no such run, it holds nothing of the dataset, or a model asked for
            is not among its models.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    settings, wanted = evals.settings, evals.settings.from_run or ""
    if not settings.store_path.is_file():
        raise SettingsError(f"--evals-from {wanted}: there is no store at {settings.store}")
    store = SqliteRunStore(settings.store_path)
    try:
        run = _run_of(store, wanted, dataset.name, evals.run_id)
        info = next((one for one in run.datasets if one.name == dataset.name), None)
        if info is None:
            known = ", ".join(one.name for one in run.datasets) or "no dataset"
            raise SettingsError(
                f"--evals-from {wanted}: run {run.id} holds {known}, nothing of {dataset.name!r}"
            )
        results = (one for one in store.results(run.id) if one.dataset == dataset.name)
        recorded = ReplayRun(run.id, results)
    except StoreError as error:
        raise SettingsError(f"--evals-from {wanted}: {error}") from None
    finally:
        store.close()
    models = {model.id: model for model in info.models}
    for name in settings.model:
        if name not in models:
            raise SettingsError(
                f"--evals-model {name}: run {run.id} asked no such model.{suggest(name, models)}"
            )
    return tuple(models[name] for name in settings.model or models), recorded


def _run_of(store: "SqliteRunStore", wanted: str, dataset: str, own: str) -> Run:
    """Return the run that is meant; ``latest`` is the newest that holds the dataset."""
    if wanted != "latest":
        return store.run(wanted)
    for run in store.runs(dataset=dataset):
        if run.id != own and run.counts.total:
            return run
    raise StoreError(f"no stored run holds anything of {dataset!r}")


def open_responses(evals: Evals) -> ResponseStore | None:
    """Open the stored answers: the cassette before the session's own store.

    Returns:
        The store; None where no answers are kept.

    Raises:
        StoreError: what answers are to be replayed from, the cassette or the shared store cannot
            be read.
        SettingsError: a folder of cassettes, and several datasets; no such shared store.
    """
    settings = evals.settings
    if settings.responses == "off":
        return None
    path = cassette_path(evals, {matrix.dataset.name for matrix in evals.matrices.values()})
    if path is None:
        return _over(evals, _own_store(evals), open_shared(evals))
    cassette = open_cassette(evals, path, merge=evals.worker is None)
    kept = _over(evals, _own_store(evals), open_shared(evals))
    evals.cassette = cassette
    return _over(evals, cassette, kept)


def _over(
    evals: Evals, front: ResponseStore | None, back: ResponseStore | None
) -> ResponseStore | None:
    """Put one store before another, where there are both."""
    if front is None or back is None:
        return front or back
    from pytest_evals.responses.layered import LayeredResponseStore

    return LayeredResponseStore(front, back, fill=evals.settings.responses != "replay")


def _own_store(evals: Evals) -> ResponseStore | None:
    """Open the answers in the session's own store; without it a session can still ask.

    What may not be written is still read.

    Raises:
        StoreError: answers are to be replayed, and there is no cassette to replay them from.
    """
    from pytest_evals.responses.sqlite import SqliteResponseStore

    settings, replay = evals.settings, evals.settings.responses == "replay"
    try:
        return SqliteResponseStore(settings.store_path, write=not replay)
    except StoreError as error:
        if replay and settings.cassette is None and settings.shared is None:
            raise
        if not replay:
            evals.notes.append(f"answers are not being stored: {error}")
    try:
        return None if replay else _OnlyRead(settings.store_path)
    except StoreError:
        return None


class _OnlyRead:
    """Stored answers to which none is added, which the user has been told."""

    def __init__(self, path: Path) -> None:
        from pytest_evals.responses.sqlite import SqliteResponseStore

        store = SqliteResponseStore(path, write=False)
        self.get = store.get
        self.nearest = store.nearest
        self.close = store.close

    def put(self, answer: StoredAnswer) -> None:
        """Keep nothing."""


def cassette_path(evals: Evals, datasets: Collection[str]) -> Path | None:
    """Return the cassette's file; None where there is none.

    Args:
        evals: the session.
        datasets: the names of its datasets.

    Raises:
        SettingsError: a folder, which holds one file a dataset, and several datasets.
    """
    given = evals.settings.cassette
    if given is None:
        return None
    path = evals.settings.rootdir / given
    if path.suffix == ".jsonl" and not path.is_dir():
        return path
    names = sorted(datasets)
    if len(names) != 1:
        raise SettingsError(
            f"--evals-cassette {given} is a folder, which holds one cassette a dataset, but this "
            f"session has {len(names)} datasets ({', '.join(names)}); run them one by one, or name "
            "one file for all"
        )
    return path / f"{names[0]}.jsonl"


def open_cassette(evals: Evals, path: Path, *, merge: bool) -> "CassetteStore":
    """Open a cassette.

    Args:
        evals: the session.
        path: its file.
        merge: whether this process merges what all processes of the session recorded.

    Raises:
        StoreError: it cannot be read.
    """
    from pytest_evals.responses.cassette import CassetteStore

    return CassetteStore(
        path,
        redact=evals.redactor.redact_json,
        journals=evals.settings.store_path.parent / "journals",
        merge=merge,
        write=evals.settings.responses != "replay",
    )
