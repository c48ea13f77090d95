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
    from pytest_evals.run_record import Run

_FILTERS = (
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

exit status: 0, or 1 if no run matches; 4 for usage."""


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
        parser.add_argument("--status", choices=STATUSES, help="only runs of this status")
        parser.add_argument("--model", metavar="ID", help="only runs that called this model")
        parser.add_argument("--tag", metavar="TAG", help="only runs with a trial of this tag")
        parser.add_argument(
            "--commit",
            type=commit,
            metavar="SHA",
            help="only runs of this commit, given in full or by its beginning",
        )
        parser.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="only runs since a time: a date (2026-11-21, 2026-11-21T09:15) or an age (12h, "
            "7d, 2w)",
        )
        parser.add_argument(
            "--until",
            type=until,
            metavar="TIME",
            help="only runs until a time; a date includes its whole day",
        )
        parser.add_argument(
            "--min-score",
            type=share,
            metavar="X",
            help="only runs whose mean score (with --model, of that model) is at least X",
        )
        parser.add_argument(
            "--max-score",
            type=share,
            metavar="X",
            help="only runs whose mean score is at most X",
        )
        parser.add_argument(
            "--limit", type=number, default=20, metavar="N", help="at most N runs (default: 20)"
        )
        parser.add_argument(
            "--offset", type=number, default=0, metavar="N", help="skip the newest N runs"
        )
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print the runs; 1 if there is none."""
        from pytest_evals.archive.run_filter import RunFilter
        from pytest_evals.ground.plain_text import table
        from pytest_evals.run_record import RunStatus

        run_filter = RunFilter(
            **{name: getattr(args, name) for name in _FILTERS if name != "status"},
            status=RunStatus(args.status) if args.status else None,
        )
        store = open_runs(args)
        try:
            total, runs = run_filter.page(store, limit=args.limit, offset=args.offset)
        finally:
            store.close()
        if args.json:
            rows = [run.model_dump(mode="json", exclude={"confirmations"}) for run in runs]
            say_json({"schema": 1, "total": total, "offset": args.offset, "runs": rows})
            return 0 if total else 1
        if not total:
            options = _options(args)
            print(  # noqa: T201 - the command's error output
                f"no runs in {store.path}" + (f" with {options}" if options else ""),
                file=sys.stderr,
            )
            return 1
        for line in table(_HEADER, [_cells(run) for run in runs], width=width(), align=_ALIGN):
            say(line)
        say(_footer(len(runs), total, args.offset))
        return 0


def _options(args: argparse.Namespace) -> str:
    """Write the filters of the command line as options."""
    from pytest_evals.archive.run_text import format_time

    times = {"since", "until"}
    return " ".join(
        f"--{name.replace('_', '-')} {format_time(value) if name in times else value}"
        for name in _FILTERS
        if (value := getattr(args, name)) is not None
    )


def _footer(shown: int, total: int, offset: int) -> str:
    """Write how many runs are shown, of how many."""
    if shown >= total:
        return f"{total} {'run' if total == 1 else 'runs'}"
    if not shown:
        return f"none of {total} runs: --offset {offset} skips all of them"
    return f"{min(offset + 1, total)} to {offset + shown} of {total} runs"


def _cells(run: "Run") -> list[str]:
    """Return the cells of a run."""
    from pytest_evals.archive.run_text import format_time, short_commit
    from pytest_evals.ground.plain_text import format_cost, format_seconds

    counts = run.counts
    seconds = None if run.ended_at is None else max(0.0, run.ended_at - run.started_at)
    return [
        run.id,
        format_time(run.started_at),
        ", ".join(info.name for info in run.datasets) or "-",
        run.status.value,
        f"{counts.passed}/{counts.total}",
        str(counts.failed),
        str(counts.errored) + (f" ({counts.skipped} not run)" if counts.skipped else ""),
        format_cost(run.cost_usd),
        format_seconds(seconds),
        short_commit(run),
    ]
