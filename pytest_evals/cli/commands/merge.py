"""``pytest-evals merge``: the shards of one run put together, and the gates judged on the union."""

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_json, add_judging, add_store
from pytest_evals.cli.output import say, say_json
from pytest_evals.cli.run_output import print_header, print_verdicts
from pytest_evals.cli.stores import rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.result import TrialResult
    from pytest_evals.run_record import DatasetInfo, Run
    from pytest_evals.shard import Shard
    from pytest_evals.storage.sqlite import SqliteRunStore

_EPILOG = """\
examples:
  pytest-evals merge shard-*/evals.sqlite         the newest run of each file
  pytest-evals merge 20261121-0915 20261121-0917  runs of the store
  pytest-evals merge a.sqlite::20261121-0915 b.sqlite::latest

exit status: 0 when every gate passed (or, without gates, every trial), 1 when one did not, or when
a shard is missing, doubled or foreign; 4 for usage."""


class MergeCommand:
    """The command ``pytest-evals merge``."""

    name = "merge"
    help = "put the shards of one run together and judge the gates on all of it"
    description = (
        "Put the shards of one run (--evals-shard) together: a new run in the store, "
        "whose gates are judged on the union. Every shard must be there once, of the same dataset, "
        "models and commit."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "sources",
            nargs="+",
            metavar="SHARD",
            help="a run's id, or a store's file, whose newest run is meant, or FILE::RUN",
        )
        add_store(parser)
        add_judging(parser)
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Merge, judge, and print; 1 where a gate failed."""
        from pytest_evals.storage.sqlite import SqliteRunStore

        with ExitStack() as stack:
            parts = _parts(args, stack)
            _check(parts)
            merged = SqliteRunStore(store_path(args.store))
            stack.callback(merged.close)
            whole, failed = _merge(parts, merged, args)
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "run": whole.model_dump(mode="json"),
                    "shards": [part.run.id for part in parts],
                    "failed": failed,
                }
            )
        else:
            _print(whole, len(parts))
        return int(failed)


@dataclass(frozen=True, slots=True)
class _Part:
    """One shard."""

    store: "SqliteRunStore"
    run: "Run"
    shard: "Shard"
    source: str
    """How the user named it."""


def _parts(args: argparse.Namespace, stack: ExitStack) -> list[_Part]:
    """Read the shards' runs.

    Raises:
        StoreError: one cannot be read, or is no shard.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.shard import parse_shard
    from pytest_evals.storage.sqlite import SqliteRunStore

    opened: dict[Path, SqliteRunStore] = {}
    found = []
    for source in args.sources:
        file, _, name = source.partition("::")
        path = Path(file)
        if not path.is_file():
            path, name = store_path(args.store), source
        if path not in opened:
            opened[path] = SqliteRunStore(path, write=False)
            stack.callback(opened[path].close)
        its = opened[path].run(name or "latest")
        written = its.options.get("shard")
        if written is None:
            raise StoreError(
                f"{source}: run {its.id} is no shard; run each part with --evals-shard N/M"
            )
        found.append(_Part(opened[path], its, parse_shard(str(written)), source))
    return sorted(found, key=lambda part: part.shard)


def _check(parts: Sequence[_Part]) -> None:
    """Refuse what is not all of one run.

    Raises:
        StoreError: a shard is missing, doubled or foreign.
    """
    from pytest_evals.ground.errors import StoreError

    first = parts[0]
    for part in parts[1:]:
        why = _foreign(first, part)
        if why:
            raise StoreError(
                f"{part.source} (shard {part.shard}) is foreign to {first.source} "
                f"(shard {first.shard}): {why}"
            )
    seen = Counter(part.shard.number for part in parts)
    doubled = [str(part.source) for part in parts if seen[part.shard.number] > 1]
    if doubled:
        number = next(part.shard for part in parts if seen[part.shard.number] > 1)
        raise StoreError(f"shard {number} is doubled: {', '.join(doubled)}")
    missing = [n for n in range(1, first.shard.of + 1) if n not in seen]
    if missing:
        names = ", ".join(f"{n}/{first.shard.of}" for n in missing)
        raise StoreError(f"{'shard' if len(missing) == 1 else 'shards'} {names} missing")


def _foreign(one: _Part, other: _Part) -> str:
    """Say why two shards are not of one run; empty where they are."""
    if one.shard.of != other.shard.of:
        return f"one run was divided into {one.shard.of}, the other into {other.shard.of}"
    if one.run.git and other.run.git and one.run.git.commit != other.run.git.commit:
        return f"their commits are {one.run.git.commit[:9]} and {other.run.git.commit[:9]}"
    mine, its = _datasets(one.run), _datasets(other.run)
    for name in mine.keys() | its.keys():
        a, b = mine.get(name), its.get(name)
        if a is None or b is None:
            return f"only one of them holds dataset {name!r}"
        if a.digest != b.digest:
            return f"dataset {name!r} differs"
        if a.models != b.models or a.planned != b.planned:
            return f"dataset {name!r} was asked of other models, or another number of times"
    return ""


def _datasets(its: "Run") -> dict[str, "DatasetInfo"]:
    return {info.name: info for info in its.datasets}


def _merge(
    parts: Sequence[_Part], store: "SqliteRunStore", args: argparse.Namespace
) -> "tuple[Run, bool]":
    """Write the union as a run of its own, judged and sealed; returns it and whether it fails.

    Raises:
        StoreError: a trial stands in two shards, or something cannot be read or written.
    """
    from pytest_evals.cli.derived_run import Bars, NewRun
    from pytest_evals.run_record import Run, new_run_id

    first = parts[0].run
    infos = tuple(info.model_copy(update={"selected": info.planned}) for info in first.datasets)
    options = {key: value for key, value in first.options.items() if key not in {"shard", "store"}}
    options["merged"] = [part.run.id for part in parts]
    whole = Run(
        id=new_run_id(time()),
        started_at=min(part.run.started_at for part in parts),
        datasets=infos,
        git=first.git,
        versions=first.versions,
        options=options,
    )
    results = _union(parts)
    bars = Bars(rootdir_of(store_path(args.store)), args.baseline, args.strict)
    found = {info.name: bars.found(whole, info) for info in infos}
    with NewRun(store, whole) as made:
        for result in results:
            made.add(result)
        sealed = made.seal(
            made.judged(found, strict=args.strict),
            ended_at=max(part.run.ended_at or part.run.started_at for part in parts),
            notes=[f"shard {p.shard}: {note}" for p in parts for note in p.run.notes],
        )
    return sealed, bool(sealed.exit_status)


def _union(parts: Sequence[_Part]) -> "list[TrialResult]":
    """Return all trials, shard by shard.

    Raises:
        StoreError: one stands in two shards.
    """
    from pytest_evals.ground.errors import StoreError

    found: dict[str, _Part] = {}
    results = []
    for part in parts:
        for result in part.store.results(part.run.id):
            if result.id in found:
                raise StoreError(
                    f"trial {result.id} stands in shard {found[result.id].shard} and in shard "
                    f"{part.shard}: the cases were divided differently. Were the baselines the "
                    "same?"
                )
            found[result.id] = part
            results.append(result)
    return results


def _print(whole: "Run", shards: int) -> None:
    """Print the run, its models and its verdicts."""
    print_header(whole)
    say(f"shards   {shards} of {shards}")
    print_verdicts(whole)
    say(f"kept: pytest-evals show {whole.id}")
