"""The shards of one run merged into a run of its own, whose gates are evaluated on the union."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import TrialResult
from pytest_evals.run_record import DatasetInfo, Run, new_run_id
from pytest_evals.session.derived_run import DerivedRun
from pytest_evals.shard import Shard, parse_shard
from pytest_evals.storage.baseline_file import NamedBaseline
from pytest_evals.storage.sqlite import SqliteRunStore


@dataclass(frozen=True, slots=True)
class ShardRun:
    """The stored run of one shard."""

    store: SqliteRunStore
    run: Run
    shard: Shard
    source: str
    """The run as the user named it."""


def read_shard(store: SqliteRunStore, run_id: str, source: str) -> ShardRun:
    """Return the run of a shard.

    Raises:
        StoreError: there is no such run, or it is not a shard.
    """
    run = store.run(run_id)
    written = run.options.get("shard")
    if written is None:
        raise StoreError(
            f"{source}: run {run.id} is no shard; run each part with --evals-shard N/M"
        )
    return ShardRun(store, run, parse_shard(str(written)), source)


def check_shards(shards: Sequence[ShardRun]) -> None:
    """Check that the shards are all of one run, each once.

    Raises:
        StoreError: a shard is missing, duplicate or of another run.
    """
    first = shards[0]
    for other in shards[1:]:
        reason = _difference(first, other)
        if reason:
            raise StoreError(
                f"{other.source} (shard {other.shard}) and {first.source} (shard {first.shard}) "
                f"are not of one run: {reason}"
            )
    counts = Counter(part.shard.number for part in shards)
    duplicates = [part for part in shards if counts[part.shard.number] > 1]
    if duplicates:
        names = ", ".join(part.source for part in duplicates)
        raise StoreError(f"duplicate shard {duplicates[0].shard}: {names}")
    missing = [number for number in range(1, first.shard.of + 1) if number not in counts]
    if missing:
        names = ", ".join(f"{number}/{first.shard.of}" for number in missing)
        raise StoreError(f"{'shard' if len(missing) == 1 else 'shards'} {names} missing")


def _difference(part: ShardRun, other: ShardRun) -> str:
    """Return why two shards are not of one run; empty if they are."""
    if part.shard.of != other.shard.of:
        return f"one run was divided into {part.shard.of}, the other into {other.shard.of}"
    if part.run.git and other.run.git and part.run.git.commit != other.run.git.commit:
        return f"their commits are {part.run.git.commit[:9]} and {other.run.git.commit[:9]}"
    if part.run.baseline_source != other.run.baseline_source:
        names = [run.baseline_source or "each dataset's own" for run in (part.run, other.run)]
        return f"their baselines are {names[0]} and {names[1]}"
    return _dataset_difference(_by_name(part.run), _by_name(other.run))


def _dataset_difference(
    infos: Mapping[str, DatasetInfo], other_infos: Mapping[str, DatasetInfo]
) -> str:
    """Return which dataset differs between two shards, and how; empty if none does."""
    for name in infos.keys() | other_infos.keys():
        a, b = infos.get(name), other_infos.get(name)
        if a is None or b is None:
            return f"only one of them holds dataset {name!r}"
        if a.digest != b.digest:
            return f"dataset {name!r} differs"
        if a.models != b.models or a.planned != b.planned:
            return f"dataset {name!r} was run with other models or another number of samples"
    return ""


def _by_name(run: Run) -> dict[str, DatasetInfo]:
    """Return a run's datasets by name."""
    return {info.name: info for info in run.datasets}


def new_merged_run(shards: Sequence[ShardRun]) -> Run:
    """Return the record of the merged run, without trials."""
    first = shards[0].run
    options = {
        name: value for name, value in first.options.items() if name not in {"shard", "store"}
    }
    strict = {"strict": True} if any(part.run.strict for part in shards) else {}
    return Run(
        id=new_run_id(time()),
        started_at=min(part.run.started_at for part in shards),
        datasets=tuple(
            info.model_copy(update={"selected": info.planned}) for info in first.datasets
        ),
        git=first.git,
        versions=first.versions,
        options={**options, **strict, "merged": [part.run.id for part in shards]},
    )


def merge_shards(
    shards: Sequence[ShardRun],
    store: SqliteRunStore,
    merged: Run,
    baselines: Mapping[str, NamedBaseline | None],
    *,
    strict: bool = False,
) -> Run:
    """Write the merged run, evaluate and seal it; return its record.

    Args:
        shards: all shards of the run.
        store: where the merged run is stored.
        merged: its record, from `new_merged_run`.
        baselines: what each dataset is compared with, by its name.
        strict: whether an inconclusive comparison fails.

    Raises:
        StoreError: a trial is in two shards, or a record cannot be read or written.
    """
    results = _union(shards)
    with DerivedRun(store, merged) as derived:
        for result in results:
            derived.record(result)
        for name, samples in _confirmations(shards).items():
            derived.confirm(name, samples)
        return derived.seal(
            derived.evaluate(baselines, strict=strict),
            ended_at=max(part.run.ended_at or part.run.started_at for part in shards),
            notes=[f"shard {part.shard}: {note}" for part in shards for note in part.run.notes],
        )


def _confirmations(shards: Sequence[ShardRun]) -> dict[str, list[TrialResult]]:
    """Return the confirmation samples of all shards, by dataset.

    A dataset has an entry if any shard could confirm, so that a break that another shard left
    unconfirmed is not read as one that needs no confirmation.
    """
    union: dict[str, list[TrialResult]] = {}
    for part in shards:
        for name, samples in part.run.confirmations.items():
            union.setdefault(name, []).extend(samples)
    return union


def _union(shards: Sequence[ShardRun]) -> list[TrialResult]:
    """Return all trials, shard by shard.

    Raises:
        StoreError: a trial is in two shards.
    """
    owners: dict[str, ShardRun] = {}
    results = []
    for part in shards:
        for result in part.store.results(part.run.id):
            if result.id in owners:
                raise StoreError(
                    f"trial {result.id} is in shard {owners[result.id].shard} and in shard "
                    f"{part.shard}: the cases were divided differently. Did the shards use the "
                    "same baselines?"
                )
            owners[result.id] = part
            results.append(result)
    return results
