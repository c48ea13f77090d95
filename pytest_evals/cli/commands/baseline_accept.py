"""``pytest-evals baseline accept``: a stored run added to the committed baselines."""

import argparse

from pytest_evals.cli.options import add_dataset, add_output, add_run, add_store
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

_ACCEPT = """\
examples:
  pytest-evals baseline accept latest
  pytest-evals baseline accept 20261121-0915 --dataset support
  pytest-evals baseline accept latest --reset

It writes exactly what --evals-update-baseline (with --reset: --evals-reset-baseline) writes at the
end of a session. The run is added to the files, whether it was good or bad. A changed definition
replaces the line of its case. Cases that did not run are not changed. Accepting a run again changes
nothing.

exit status: 0 when the files hold the run, 1 when they cannot, 4 for usage."""


class BaselineAcceptCommand:
    """The command ``pytest-evals baseline accept``."""

    name = "accept"
    help = "add a stored run to its datasets' baselines"
    description = "Add a stored run to its datasets' baselines, as its session would have done."
    epilog = _ACCEPT

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        add_store(parser)
        add_dataset(parser)
        parser.add_argument(
            "--reset",
            action="store_true",
            help="replace the lines of what ran, instead of adding this run to them",
        )
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Add a run to its datasets' baselines."""
        from pytest_evals.baselines.acceptance import accept_run

        store = open_runs(args)
        try:
            run = store.run(args.run_id)
            rootdir = rootdir_of(store_path(args.store))
            written = accept_run(store, run, rootdir, dataset=args.dataset, reset=args.reset)
        finally:
            store.close()
        if args.json:
            rows = [
                {
                    "dataset": name,
                    "path": target.shown,
                    "changed": outcome.changed,
                    "lines": outcome.lines,
                }
                for name, target, outcome in written
            ]
            say_json({"schema": 1, "run": run.id, "baselines": rows})
            return 0
        paper = Paper.of(args)
        for _, _, outcome in written:
            paper.sentence(outcome.sentence)
        return 0
