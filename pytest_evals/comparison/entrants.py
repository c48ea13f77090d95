"""The rows of a leaderboard: which stored runs and models are ranked, and what is tied."""

from collections.abc import Sequence

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.metrics.leaderboard import Entrant, Leaderboard
from pytest_evals.run_record import Run
from pytest_evals.storage.base import RunStore


def find_dataset(store: "RunStore", wanted: str) -> str:
    """Return the name of the dataset that is meant by its name or its file.

    Raises:
        StoreError: no stored run has it.
    """
    from pathlib import Path

    from pytest_evals.ground.errors import StoreError, suggest

    if store.count(dataset=wanted):
        return wanted
    infos = {info.name: info for run in store.runs() for info in run.datasets}
    by_path = [n for n, i in infos.items() if Path(i.path).name == Path(wanted).name]
    if len(by_path) == 1:
        return by_path[0]
    raise StoreError(f"no stored run has a dataset {wanted!r}.{suggest(wanted, infos)}")


def ranked_runs(store: "RunStore", dataset: str, words: Sequence[str]) -> "list[Run]":
    """Return the runs that are ranked, each once.

    Raises:
        StoreError: there is no such run, or it has nothing of the dataset.
    """
    from pytest_evals.storage.run_baseline import dataset_of, find_run

    found = [find_run(store, word, dataset) for word in words or ["latest"]]
    for its in found:
        dataset_of(its, dataset)
    return list({its.id: its for its in found}.values())


def entrants_of(
    runs: "StoredTables", meant: "Sequence[Run]", dataset: str, *, by: str
) -> "tuple[list[Entrant], list[str]]":
    """Return the rows, and what a reader should know of them.

    Cases that were edited between the runs count only as the newest run has them.

    Raises:
        StoreError: nothing was recorded.
    """
    from pytest_evals.comparison.pooling import alike, pooled
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.metrics.leaderboard import Entrant

    tables = {its.id: runs.table(its, dataset) for its in meant}
    if not any(len(table) for table in tables.values()):
        raise StoreError(f"{', '.join(tables)} recorded no trial of {dataset!r}")
    newest = max(meant, key=lambda its: (its.started_at, its.id))
    kept, notes = {}, []
    for run_id, table in tables.items():
        kept[run_id], edited = alike(table, tables[newest.id])
        if edited:
            shown = ", ".join(edited[:5])
            more = f" and {len(edited) - 5} more" if len(edited) > 5 else ""
            notes.append(
                f"Run {run_id} asked other questions, or asserted otherwise, in {shown}{more}: "
                "what it says of these is left out."
            )
    if by == "run":
        several = len(meant) > 1
        return [
            Entrant(f"{run_id}:{model}" if several else model, table, model)
            for run_id, table in kept.items()
            for model in table.models
        ], notes
    whole = pooled(dataset, list(kept.values()))
    return [Entrant(model, whole, model) for model in whole.models], notes


def ties_of(board: "Leaderboard") -> list[str]:
    """Say what is tied and what overlaps, row by row."""
    said = []
    for row in board.rows:
        tied = (row.name, *row.tied)
        if row.tied and row.name == min(tied):
            said.append(f"{', '.join(sorted(tied))} are tied.")
        over = [name for name in row.overlaps if name not in row.tied]
        later = {other.name for other in board.rows if (other.rank or 0) > (row.rank or 0)}
        below = [name for name in over if name in later]
        if below:
            said.append(f"The interval of {row.name} overlaps with that of {', '.join(below)}.")
    return list(dict.fromkeys(said))
