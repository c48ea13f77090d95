"""What is compared or ranked: models of stored runs, as the command line names them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.comparison.side import Operand, Pair, Side
from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.run_baseline import is_replayed
from pytest_evals.verdict.baseline.build import build_baseline


def named(store: "RunStore", words: Iterable[str]) -> list[Operand]:
    """Return the runs and models that are meant by ``RUN`` and ``RUN:MODEL``.

    Raises:
        StoreError: there is no such run, or one is named twice.
    """
    found: list[Operand] = []
    for word in words:
        run, colon, model = word.partition(":")
        one = (store.run(run), model if colon else None)
        if any(one[0].id == other.id and one[1] == its for other, its in found):
            raise StoreError(f"{word} is named twice; name what it is to be compared with")
        found.append(one)
    return found


def pairs(runs: StoredTables, meant: Sequence[Operand], dataset: str, *, every: bool) -> list[Pair]:
    """Return who is compared with whom in one dataset.

    Models that were named are compared with the first one named; the models of one run with its
    first; those of several runs each with the model of the same id in the first run (or one with
    one, where each run has a single model).

    Args:
        runs: the runs.
        meant: what was named, one or more.
        dataset: the dataset's name; every run has it.
        every: whether all pairs are compared, instead of all with the first.

    Raises:
        StoreError: a model is not there, or it is not clear who is compared with whom.
    """
    from pytest_evals.storage.run_baseline import dataset_of

    groups = [
        [
            side_of(runs, run, dataset_of(run, dataset), name)
            for name in ([model] if model else _models(runs, run, dataset))
        ]
        for run, model in meant
    ]
    flat = [side for group in groups for side in group]
    if every or len(groups) == 1 or all(model for _, model in meant):
        if len(flat) < 2:
            raise StoreError(
                f"{flat[0].name} is the only model of dataset {dataset!r} in that run; name "
                "another run or model to compare it with (RUN or RUN:MODEL)"
            )
        ends = [(a, b) for i, a in enumerate(flat) for b in flat[i + 1 :]]
        return _labelled(ends if every else ends[: len(flat) - 1])
    first, rest = groups[0], groups[1:]
    found = [(a, b) for group in rest for b in group for a in first if _match(a, b, first, group)]
    if not found:
        told = "; ".join(", ".join(side.name for side in group) for group in groups)
        raise StoreError(
            f"these runs of dataset {dataset!r} share no model, so it is not clear which are to be "
            f"compared: {told}. Name them as RUN:MODEL"
        )
    return _labelled(found)


def side_of(runs: StoredTables, run: Run, info: DatasetInfo, model: str) -> Side:
    """Return a model of a run.

    Raises:
        StoreError: the run has no such model; the message lists those that it has.
    """
    table = runs.table(run, info.name)
    if model not in table.models:
        raise StoreError(
            f"run {run.id} has no trial of a model {model!r} in dataset {info.name!r}."
            f"{suggest(model, table.models)}"
        )
    lines = build_baseline(table, info, replayed=is_replayed(run)).by_model.get(model, {})
    return Side(run, model, table, lines)


def _labelled(found: Sequence[Pair]) -> list[Pair]:
    """Give sides their labels: the run, the model or both, as those with one reference need."""
    by_reference: dict[str, list[Pair]] = {}
    for pair in found:
        by_reference.setdefault(pair[0].name, []).append(pair)
    return [
        (replace(one, label=label(one, group)), replace(two, label=label(two, group)))
        for group in by_reference.values()
        for one, two in group
    ]


def label(side: Side, group: Sequence[Pair]) -> str:
    """Return the shortest name that tells a side from the others of its group."""
    sides = [one for pair in group for one in pair]
    if len({one.run.id for one in sides}) == 1:
        return side.model
    return side.run.id if len({one.model for one in sides}) == 1 else side.name


def _models(runs: StoredTables, run: "Run", dataset: str) -> tuple[str, ...]:
    models = runs.table(run, dataset).models
    if not models:
        raise StoreError(f"run {run.id} has recorded no trial of {dataset!r}")
    written = [m.id for info in run.datasets if info.name == dataset for m in info.models]
    return tuple(sorted(models, key=[*written, *models].index))


def _match(one: Side, other: Side, ones: Sequence[Side], others: Sequence[Side]) -> bool:
    """Whether two models of two runs are compared."""
    return one.model == other.model or (len(ones) == len(others) == 1)


def shared_datasets(meant: Sequence[Operand], wanted: str | None) -> list[str]:
    """Return the datasets that all runs have, or the one that is wanted.

    Raises:
        StoreError: there is none.
    """
    from pytest_evals.storage.run_baseline import dataset_of

    runs = [run for run, _ in meant]
    if wanted is not None:
        return [dataset_of(run, wanted).name for run in runs][:1]
    names = [info.name for info in runs[0].datasets]
    found = [n for n in names if all(n in {i.name for i in run.datasets} for run in runs)]
    if not found:
        told = "; ".join(
            f"{run.id} has {', '.join(i.name for i in run.datasets) or 'none'}" for run in runs
        )
        raise StoreError(f"these runs share no dataset: {told}")
    return found
