"""The rows of a leaderboard: which stored runs and models are ranked, and which are tied."""

from collections.abc import Sequence
from pathlib import Path

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.comparison.pooling import drop_edited_cases, pool_tables
from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.ground.plain_text import listed
from pytest_evals.metrics.leaderboard import Entrant, Leaderboard
from pytest_evals.run_record import Run
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.run_baseline import dataset_of, find_run


def find_dataset(store: RunStore, text: str) -> str:
    """Return the name of a dataset, given by its name or its file.

    Raises:
        StoreError: no stored run has it.
    """
    if store.count(dataset=text):
        return text
    infos = {info.name: info for run in store.runs() for info in run.datasets}
    by_file = [name for name, info in infos.items() if Path(info.path).name == Path(text).name]
    if len(by_file) == 1:
        return by_file[0]
    raise StoreError(f"no stored run has a dataset {text!r}.{suggest(text, infos)}")


def ranked_runs(store: RunStore, dataset: str, words: Sequence[str]) -> list[Run]:
    """Return the runs that are ranked, each once.

    Args:
        store: the stored runs.
        dataset: the dataset's name.
        words: the runs as the user names them; empty is the last complete run.

    Raises:
        StoreError: a run does not exist, or has no trial of the dataset.
    """
    runs = {run.id: run for run in (find_run(store, word, dataset) for word in words or ["latest"])}
    for run in runs.values():
        dataset_of(run, dataset)
    return list(runs.values())


def entrants_of(
    tables: StoredTables, runs: Sequence[Run], dataset: str, *, by: str
) -> tuple[list[Entrant], list[str]]:
    """Return the rows of a leaderboard, and notes for its reader.

    Cases that were edited between the runs count only as the newest run defines them.

    Args:
        tables: reads the runs' trials.
        runs: the runs, one or more.
        dataset: the dataset's name.
        by: ``model`` pools the samples of all runs, ``run`` makes a row per run and model.

    Raises:
        StoreError: no run has recorded a trial of the dataset.
    """
    by_run = {run.id: tables.table(run, dataset) for run in runs}
    if not any(len(table) for table in by_run.values()):
        raise StoreError(f"{', '.join(by_run)} recorded no trial of {dataset!r}")
    newest = max(runs, key=lambda run: (run.started_at, run.id))
    comparable, notes = {}, []
    for run_id, table in by_run.items():
        comparable[run_id], edited = drop_edited_cases(table, by_run[newest.id])
        if edited:
            notes.append(
                f"Run {run_id} had other inputs or assertions in {listed(edited)}: its results of "
                "these cases are left out."
            )
    if by == "run":
        several = len(runs) > 1
        return [
            Entrant(f"{run_id}:{model}" if several else model, table, model)
            for run_id, table in comparable.items()
            for model in table.models
        ], notes
    pooled = pool_tables(dataset, list(comparable.values()))
    return [Entrant(model, pooled, model) for model in pooled.models], notes


def ties_of(board: Leaderboard) -> list[str]:
    """Return a sentence for each tie, and for each overlap with rows of a lower rank."""
    sentences = []
    for row in board.rows:
        tied = (row.name, *row.tied)
        if row.tied and row.name == min(tied):
            sentences.append(f"{', '.join(sorted(tied))} are tied.")
        lower = {other.name for other in board.rows if (other.rank or 0) > (row.rank or 0)}
        below = [name for name in row.overlaps if name not in row.tied and name in lower]
        if below:
            sentences.append(
                f"The interval of {row.name} overlaps with that of {', '.join(below)}."
            )
    return list(dict.fromkeys(sentences))
