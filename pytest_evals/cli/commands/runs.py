"""``pytest-evals runs``: the list of stored runs."""

import argparse
import sys
from typing import TYPE_CHECKING

from pytest_evals.cli.options import (
    STATUSES,
    add_json,
    add_store,
    commit,
    moment,
    number,
    share,
    until,
)
from pytest_evals.cli.output import say, say_json, width
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from pytest_evals.archive.run_filter import Filter
    from pytest_evals.run_record import Run
    from pytest_evals.storage.base import RunStore

_CHOICES = (
    "dataset",
    "status",
    "model",
    "tag",
    "commit",
    "since",
    "until",
    "min_score",
    "max_score",
)
_HEADER = (
    "run",
    "when",
    "dataset",
    "status",
    "passed",
    "failed",
    "errors",
    "cost",
    "took",
    "commit",
)

_ALIGN = "<<<<>>>>><"


_EPILOG = """\
examples:
  pytest-evals runs
  pytest-evals runs --dataset support --status complete --limit 5
  pytest-evals runs --model gpt --since 7d --max-score 0.8

exit status: 0, or 1 where no run is meant; 4 for usage."""


class RunsCommand:
    """The command ``pytest-evals runs``."""

    name = "runs"
    help = "list the stored runs, newest first"
    description = "List the stored runs, newest first. `pytest-evals show RUN` shows one."
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_store(parser)
        parser.add_argument("--dataset", metavar="NAME", help="only runs of this dataset")
        parser.add_argument("--status", choices=STATUSES, help="only runs that got so far")
        parser.add_argument("--model", metavar="ID", help="only runs that asked this model")
        parser.add_argument("--tag", metavar="TAG", help="only runs with a trial of this tag")
        parser.add_argument(
            "--commit",
            type=commit,
            metavar="SHA",
            help="only runs of this commit, or its beginning",
        )
        parser.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="only runs since then: a date (2026-11-21, 2026-11-21T09:15) or an age (12h, "
            "7d, 2w)",
        )
        parser.add_argument(
            "--until", type=until, metavar="TIME", help="only runs up to then; a date is all of it"
        )
        parser.add_argument(
            "--min-score",
            type=share,
            metavar="X",
            help="only runs whose mean score (of --model, where it is given) is at least so high",
        )
        parser.add_argument(
            "--max-score",
            type=share,
            metavar="X",
            help="only runs whose mean score is at most so high",
        )
        parser.add_argument(
            "--limit", type=number, default=20, metavar="N", help="at most so many (default: 20)"
        )
        parser.add_argument(
            "--offset", type=number, default=0, metavar="N", help="leave out the newest N"
        )
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print the runs; 1 where there is none."""
        from pytest_evals.archive.run_filter import Filter
        from pytest_evals.archive.run_text import when
        from pytest_evals.ground.plain_text import table
        from pytest_evals.run_record import RunStatus

        meant = Filter(
            **{name: getattr(args, name) for name in _CHOICES if name != "status"},
            status=RunStatus(args.status) if args.status else None,
        )
        store = open_runs(args)
        try:
            total, found = _page(store, meant, args.limit, args.offset)
        finally:
            store.close()
        if args.json:
            shown = [item.model_dump(mode="json") for item in found]
            say_json({"schema": 1, "total": total, "offset": args.offset, "runs": shown})
            return 0 if total else 1
        if not total:
            chosen = [
                f"--{name.replace('_', '-')} {when(value) if name in {'since', 'until'} else value}"
                for name in _CHOICES
                if (value := getattr(args, name)) is not None
            ]
            print(  # noqa: T201 - the command's own voice
                f"no runs in {store.path}" + (f" with {' '.join(chosen)}" if chosen else ""),
                file=sys.stderr,
            )
            return 1
        for line in table(_HEADER, [_cells(item) for item in found], width=width(), align=_ALIGN):
            say(line)
        if len(found) < total:
            first = min(args.offset + 1, total)
            say(
                f"{first} to {args.offset + len(found)} of {total} runs"
                if found
                else f"none of {total} runs: --offset {args.offset} leaves out all of them"
            )
        else:
            say(f"{total} {'run' if total == 1 else 'runs'}")
        return 0


def _page(store: "RunStore", meant: "Filter", limit: int, offset: int) -> "tuple[int, list[Run]]":
    """Return how many runs are meant, and those of one page."""
    if not meant.deep:
        total = store.count(dataset=meant.dataset, status=meant.status)
        return total, store.runs(
            dataset=meant.dataset, status=meant.status, limit=limit, offset=offset
        )
    every = list(meant.runs(store))
    return len(every), every[offset : offset + limit]


def _cells(item: "Run") -> list[str]:
    """Return a run's cells."""
    from pytest_evals.archive.run_text import commit_of, when
    from pytest_evals.ground.plain_text import format_cost, format_seconds

    counts = item.counts
    took = None if item.ended_at is None else max(0.0, item.ended_at - item.started_at)
    return [
        item.id,
        when(item.started_at),
        ", ".join(info.name for info in item.datasets) or "-",
        item.status.value,
        f"{counts.passed}/{counts.total}",
        str(counts.failed),
        str(counts.errored) + (f" ({counts.skipped} not run)" if counts.skipped else ""),
        format_cost(item.cost_usd),
        format_seconds(took),
        commit_of(item),
    ]
