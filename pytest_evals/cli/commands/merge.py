"""``pytest-evals merge``: the shards of one run merged, and the gates evaluated on the union."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_json, add_judging, add_store
from pytest_evals.cli.output import say, say_json
from pytest_evals.cli.run_output import print_header, print_verdicts
from pytest_evals.cli.stores import rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.session.merging import ShardRun

_EPILOG = """\
examples:
  pytest-evals merge shard-*/evals.sqlite         the newest run of each file
  pytest-evals merge 20261121-0915 20261121-0917  runs of the store
  pytest-evals merge a.sqlite::20261121-0915 b.sqlite::latest

exit status: 0 when every gate passed (or, without gates, every trial); 1 when one did not, or when
a shard is missing, duplicate or of another run; 4 for usage."""


class MergeCommand:
    """The command ``pytest-evals merge``."""

    name = "merge"
    help = "merge the shards of one run and evaluate the gates on all of it"
    description = (
        "Merge the shards of one run (--evals-shard) into a new run in the store, whose gates are "
        "evaluated on the union. Every shard must be present once, with the same dataset, models "
        "and commit."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "sources",
            nargs="+",
            metavar="SHARD",
            help="a run's id, a store's file (its newest run), or FILE::RUN",
        )
        add_store(parser)
        add_judging(parser)
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Merge, evaluate and print; 1 if the merged run fails."""
        from pytest_evals.config import Settings
        from pytest_evals.session.merging import check_shards, merge_shards, new_merged_run
        from pytest_evals.session.read_baseline import read_baseline
        from pytest_evals.storage.sqlite import SqliteRunStore

        path = store_path(args.store)
        with ExitStack() as stack:
            shards = sorted(_read_shards(args, stack), key=lambda part: part.shard)
            check_shards(shards)
            store = SqliteRunStore(path)
            stack.callback(store.close)
            merged = new_merged_run(shards)
            settings = Settings(
                rootdir=rootdir_of(path),
                store=path.resolve(),
                baseline=args.baseline or merged.baseline_source,
            )
            baselines = {
                info.name: read_baseline(settings, info, merged.id).named
                for info in merged.datasets
            }
            merged = merge_shards(
                shards, store, merged, baselines, strict=args.strict or merged.strict
            )
        failed = bool(merged.exit_status)
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "run": merged.model_dump(mode="json"),
                    "shards": [part.run.id for part in shards],
                    "failed": failed,
                }
            )
        else:
            print_header(merged)
            say(f"shards   {len(shards)} of {len(shards)}")
            print_verdicts(merged)
            say(f"run saved: pytest-evals show {merged.id}")
        return int(failed)


def _read_shards(args: argparse.Namespace, stack: ExitStack) -> "Iterator[ShardRun]":
    """Yield the runs of the shards.

    Raises:
        StoreError: a run cannot be read, or is not a shard.
    """
    from pytest_evals.session.merging import read_shard
    from pytest_evals.storage.sqlite import SqliteRunStore

    stores: dict[Path, SqliteRunStore] = {}
    for source in args.sources:
        file, _, run_id = source.partition("::")
        path = Path(file)
        if not path.is_file():
            path, run_id = store_path(args.store), source
        if path not in stores:
            stores[path] = SqliteRunStore(path, write=False)
            stack.callback(stores[path].close)
        yield read_shard(stores[path], run_id or "latest", source)
