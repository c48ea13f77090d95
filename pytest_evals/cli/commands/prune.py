"""``pytest-evals prune``: old runs taken out of the store, but none that still matters."""

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_output, add_store, moment, number
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.archive.retention import RetentionPlan
    from pytest_evals.run_record import Run
    from pytest_evals.storage.sqlite import SqliteRunStore

_EPILOG = """\
examples:
  pytest-evals prune --keep 20           what would go: all but the newest 20
  pytest-evals prune --keep 20 --yes     take them out
  pytest-evals prune --older-than 90d --dataset support --yes

Nothing is taken out without --yes. What stays in any case: runs that still go on, runs of which a
baseline below the project's folder holds samples (of runs with the same recorded answers, the
newest), runs that people have scored (--labelled takes these too), and runs whose records cannot
be read, which are named. Baselines of other branches are not looked at. Stored answers stay, so
nothing is paid for again.

exit status: 0, or 1 where a record or a baseline cannot be read; 4 for usage."""


class PruneCommand:
    """The command ``pytest-evals prune``."""

    name = "prune"
    help = "take old runs out of the store"
    description = (
        "Take old runs out of the store, with their trials and scores; never one that "
        "a baseline names."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        from pytest_evals.cli.options import STATUSES

        parser.add_argument(
            "--keep", type=number, metavar="N", help="leave the newest N runs of each dataset"
        )
        parser.add_argument(
            "--older-than",
            type=moment,
            metavar="TIME",
            help="only runs before: a date or an age (90d)",
        )
        parser.add_argument("--dataset", metavar="NAME", help="only runs of this dataset")
        parser.add_argument("--status", choices=STATUSES, help="only runs that got so far")
        parser.add_argument(
            "--labelled", action="store_true", help="also runs that people have scored"
        )
        parser.add_argument("--yes", action="store_true", help="do it, instead of showing it")
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Show, or do, what is to be done."""
        from pytest_evals.archive.retention import plan_removal

        if args.keep is None and args.older_than is None:
            args.usage_error("say which: --keep N, --older-than TIME, or both")
        store = open_runs(args, write=args.yes)
        try:
            old = _old(store, args)
            plan = plan_removal(
                store, old, rootdir_of(store_path(args.store)), labelled=args.labelled
            )
            before = store.path.stat().st_size
            for its in plan.gone if args.yes else ():
                store.forget(its.id)
            if args.yes and plan.gone:
                store.compact()
            freed = max(0, before - store.path.stat().st_size)
        finally:
            store.close()
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "removed": args.yes,
                    "runs": [its.id for its in plan.gone],
                    "kept": [{"run": its.id, "reason": why} for its, why in plan.kept],
                    "unreadable": [{"run": name, "error": why} for name, why in plan.broken],
                    "freed_bytes": freed,
                }
            )
        else:
            _tell(Paper.of(args), plan, done=args.yes, freed=freed)
        return int(bool(plan.broken))


def _old(store: "SqliteRunStore", args: argparse.Namespace) -> "list[Run]":
    """Return the runs that are old enough, newest first.

    Raises:
        StoreError: a run's own record cannot be read, or there is no such dataset.
    """
    from pytest_evals.ground.errors import StoreError, suggest
    from pytest_evals.run_record import RunStatus

    every = store.runs()
    names = {info.name for its in every for info in its.datasets}
    if args.dataset is not None and args.dataset not in names:
        raise StoreError(
            f"no stored run has a dataset {args.dataset!r}.{suggest(args.dataset, names)}"
        )
    seen: Counter[str] = Counter()
    found = []
    for its in every:
        mine = [info.name for info in its.datasets] or [""]
        if args.dataset is not None and args.dataset not in mine:
            continue
        if args.status is not None and its.status != args.status:
            continue
        seen.update(mine)
        newest = args.keep is not None and any(seen[name] <= args.keep for name in mine)
        young = args.older_than is not None and its.started_at >= args.older_than
        if not newest and not young and its.status is not RunStatus.RUNNING:
            found.append(its)
    return found


def _tell(paper: object, plan: "RetentionPlan", *, done: bool, freed: int) -> None:
    from pytest_evals.archive.run_text import when
    from pytest_evals.ground.plain_text import counted

    assert isinstance(paper, Paper)
    rows = [
        [
            its.id,
            when(its.started_at),
            ", ".join(info.name for info in its.datasets) or "-",
            its.status.value,
            f"{its.counts.total:,}",
        ]
        for its in plan.gone
    ]
    if rows:
        paper.table(["run", "when", "dataset", "status", "trials"], rows, "<<<<>")
    for its, why in plan.kept:
        paper.sentence(f"{its.id} stays: {why}", "dim")
    for name, why in plan.broken:
        paper.sentence(f"{name} stays: it cannot be read: {why}", "red")
    count = counted(len(plan.gone), "run")
    if done:
        paper.sentence(f"{count} taken out, {freed / 1_000_000:.1f} MB freed")
    else:
        paper.sentence(f"{count} would go{'; --yes takes them out' if plan.gone else ''}")
