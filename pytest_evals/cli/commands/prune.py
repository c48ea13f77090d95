"""``pytest-evals prune``: removes old runs from the store, but none that is still needed."""

import argparse
from typing import TYPE_CHECKING

from pytest_evals.cli.options import STATUSES, add_output, add_store, moment, number
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.archive.retention import RetentionPlan
    from pytest_evals.storage.sqlite import SqliteRunStore

_EPILOG = """\
examples:
  pytest-evals prune --keep 20           shows what is removed: all but 20
  pytest-evals prune --keep 20 --yes     removes them
  pytest-evals prune --older-than 90d --dataset support --yes

Nothing is removed without --yes. These runs always stay: running ones; those with samples in a
baseline below the project's folder (of runs with the same recorded answers, the newest); those
that people have scored (--labelled removes them too); and those with unreadable records, which are
listed. Baselines of other branches are not read. Stored answers stay, so no call is paid again.

exit status: 0, or 1 for an unreadable record or baseline; 4 for usage."""


class PruneCommand:
    """The command ``pytest-evals prune``."""

    name = "prune"
    help = "remove old runs from the store"
    description = (
        "Remove old runs from the store, with their trials and scores; never one whose "
        "samples a baseline holds."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--keep", type=number, metavar="N", help="keep the newest N runs of each dataset"
        )
        parser.add_argument(
            "--older-than",
            type=moment,
            metavar="TIME",
            help="only runs before a date, or of at least an age (90d)",
        )
        parser.add_argument("--dataset", metavar="NAME", help="only runs of this dataset")
        parser.add_argument("--status", choices=STATUSES, help="only runs of this status")
        parser.add_argument(
            "--labelled", action="store_true", help="also runs that people have scored"
        )
        parser.add_argument(
            "--yes", action="store_true", help="remove them, instead of showing them"
        )
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print the runs to remove, or remove them; 1 for an unreadable record."""
        from pytest_evals.archive.retention import plan_removal, removable_runs

        if args.keep is None and args.older_than is None:
            args.usage_error("name the runs: --keep N, --older-than TIME, or both")
        store = open_runs(args, write=args.yes)
        try:
            candidates = removable_runs(
                store,
                keep=args.keep,
                older_than=args.older_than,
                dataset=args.dataset,
                status=args.status,
            )
            rootdir = rootdir_of(store_path(args.store))
            plan = plan_removal(store, candidates, rootdir, labelled=args.labelled)
            freed = _remove(store, plan) if args.yes else 0
        finally:
            store.close()
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "removed": args.yes,
                    "runs": [run.id for run in plan.removed],
                    "kept": [{"run": run.id, "reason": reason} for run, reason in plan.kept],
                    "unreadable": [
                        {"run": run_id, "error": error} for run_id, error in plan.unreadable
                    ],
                    "freed_bytes": freed,
                }
            )
        else:
            _print(Paper.of(args), plan, done=args.yes, freed=freed)
        return int(bool(plan.unreadable))


def _remove(store: "SqliteRunStore", plan: "RetentionPlan") -> int:
    """Remove the planned runs; return the bytes that the file shrank by."""
    size = store.path.stat().st_size
    for run in plan.removed:
        store.forget(run.id)
    if plan.removed:
        store.compact()
    return max(0, size - store.path.stat().st_size)


def _print(paper: Paper, plan: "RetentionPlan", *, done: bool, freed: int) -> None:
    """Print the plan, and whether it was carried out."""
    from pytest_evals.archive.run_text import format_time
    from pytest_evals.ground.plain_text import counted

    rows = [
        [
            run.id,
            format_time(run.started_at),
            ", ".join(info.name for info in run.datasets) or "-",
            run.status.value,
            f"{run.counts.total:,}",
        ]
        for run in plan.removed
    ]
    if rows:
        paper.table(["run", "when", "dataset", "status", "trials"], rows, "<<<<>")
    for run, reason in plan.kept:
        paper.sentence(f"{run.id} stays: {reason}", "dim")
    for run_id, error in plan.unreadable:
        paper.sentence(f"{run_id} stays: it cannot be read: {error}", "red")
    count = counted(len(plan.removed), "run")
    if done:
        paper.sentence(f"{count} removed, {freed / 1_000_000:.1f} MB freed")
    else:
        paper.sentence(f"{count} to remove{'; --yes removes them' if plan.removed else ''}")
