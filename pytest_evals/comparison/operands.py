"""The models of stored runs that the user names, and which are compared with which."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_evals.archive.stored_tables import StoredTables
from pytest_evals.comparison.side import Operand, Pair, Side
from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.run_baseline import dataset_of, is_replayed
from pytest_evals.verdict.baseline import build_baseline


def parse_operands(store: RunStore, words: Iterable[str]) -> list[Operand]:
    """Return the runs and models of words of the form ``RUN`` or ``RUN:MODEL``.

    Raises:
        StoreError: a run does not exist, or an operand is given twice.
    """
    operands: list[Operand] = []
    for word in words:
        run_id, colon, model = word.partition(":")
        operand = (store.run(run_id), model if colon else None)
        if any(operand[0].id == run.id and operand[1] == other for run, other in operands):
            raise StoreError(f"{word} is given twice; name something else to compare it with")
        operands.append(operand)
    return operands


def shared_datasets(operands: Sequence[Operand], name: str | None) -> list[str]:
    """Return the datasets that all runs have, or the one of a name.

    Raises:
        StoreError: there is none.
    """
    runs = [run for run, _ in operands]
    if name is not None:
        return [dataset_of(run, name).name for run in runs][:1]
    shared = [
        info.name
        for info in runs[0].datasets
        if all(info.name in {other.name for other in run.datasets} for run in runs)
    ]
    if not shared:
        lists = "; ".join(
            f"{run.id} has {', '.join(info.name for info in run.datasets) or 'none'}"
            for run in runs
        )
        raise StoreError(f"these runs share no dataset: {lists}")
    return shared


def pair_operands(
    tables: StoredTables, operands: Sequence[Operand], dataset: str, *, all_pairs: bool
) -> list[Pair]:
    """Return the pairs that are compared in one dataset.

    Named models are compared with the first one. The models of one run are compared with its
    first. The models of several runs are compared with the same model of the first run, or
    directly if each run has one model.

    Args:
        tables: reads the runs' trials.
        operands: the runs and models, one or more.
        dataset: the dataset's name; every run has it.
        all_pairs: whether every pair is compared, instead of each model with the first.

    Raises:
        StoreError: a model is missing, or the pairs are ambiguous.
    """
    groups = [_sides(tables, operand, dataset) for operand in operands]
    sides = [side for group in groups for side in group]
    if all_pairs or len(groups) == 1 or all(model for _, model in operands):
        if len(sides) < 2:
            raise StoreError(
                f"{sides[0].name} is the only model of dataset {dataset!r} in that run; name "
                "another run or model to compare it with (RUN or RUN:MODEL)"
            )
        pairs = [(a, b) for i, a in enumerate(sides) for b in sides[i + 1 :]]
        return _with_labels(pairs if all_pairs else pairs[: len(sides) - 1])
    references, others = groups[0], groups[1:]
    pairs = [
        (reference, candidate)
        for group in others
        for candidate in group
        for reference in references
        if reference.model == candidate.model or len(references) == len(group) == 1
    ]
    if not pairs:
        names = "; ".join(", ".join(side.name for side in group) for group in groups)
        raise StoreError(
            f"these runs of dataset {dataset!r} share no model, so the pairs are ambiguous: "
            f"{names}. Name them as RUN:MODEL"
        )
    return _with_labels(pairs)


def _sides(tables: StoredTables, operand: Operand, dataset: str) -> list[Side]:
    """Return the models of an operand.

    Raises:
        StoreError: the run has no such model, or no trial of the dataset.
    """
    run, model = operand
    models = [model] if model else _models(tables, run, dataset)
    return [_side(tables, run, dataset_of(run, dataset), name) for name in models]


def _side(tables: StoredTables, run: Run, info: DatasetInfo, model: str) -> Side:
    """Return a model of a run.

    Raises:
        StoreError: the run has no such model; the message suggests one that it has.
    """
    table = tables.table(run, info.name)
    if model not in table.models:
        raise StoreError(
            f"run {run.id} has no trial of a model {model!r} in dataset {info.name!r}."
            f"{suggest(model, table.models)}"
        )
    lines = build_baseline(table, info, replayed=is_replayed(run)).by_model.get(model, {})
    return Side(run, model, table, lines)


def _models(tables: StoredTables, run: Run, dataset: str) -> tuple[str, ...]:
    """Return the models of a run in the order of its dataset.

    Raises:
        StoreError: the run has no trial of the dataset.
    """
    models = tables.table(run, dataset).models
    if not models:
        raise StoreError(f"run {run.id} has recorded no trial of {dataset!r}")
    declared = [model.id for info in run.datasets if info.name == dataset for model in info.models]
    return tuple(sorted(models, key=[*declared, *models].index))


def _with_labels(pairs: Sequence[Pair]) -> list[Pair]:
    """Give sides their labels, the shortest that distinguish those with one reference."""
    by_reference: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_reference.setdefault(pair[0].name, []).append(pair)
    return [
        (
            replace(reference, label=_label(reference, group)),
            replace(candidate, label=_label(candidate, group)),
        )
        for group in by_reference.values()
        for reference, candidate in group
    ]


def _label(side: Side, group: Sequence[Pair]) -> str:
    """Return the shortest name that distinguishes a side from the others of its group."""
    sides = [side for pair in group for side in pair]
    if len({side.run.id for side in sides}) == 1:
        return side.model
    return side.run.id if len({side.model for side in sides}) == 1 else side.name
