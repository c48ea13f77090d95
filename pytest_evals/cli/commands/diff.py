"""``pytest-evals diff [BASELINE] RUN``: what changed, case by case, and whether it regressed."""

import argparse
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_dataset, add_output, add_store, number
from pytest_evals.cli.output import Paper, say, say_json
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.comparison.changes import RunChanges

_EPILOG = """\
examples:
  pytest-evals diff latest                     against the committed baselines
  pytest-evals diff main: latest               against those on the branch main
  pytest-evals diff latest 20261121-0915       against the complete run before
  pytest-evals diff 20261120-1702 latest --md  two runs, for a pull request

BASELINE is a value of --evals-baseline: a file or a folder of baselines, REVISION:PATH (`main:` is
the dataset's own file there), a run's id or its beginning, or `latest`, the complete run before
RUN. The default is each dataset's own file, baselines/<dataset>.jsonl beside it.

The comparisons that the dataset's gates declare decide whether the run regressed; if they declare
none, `no regressions` of every model decides.

exit status: 0 when nothing regressed; 1 when something did, when a run was interrupted or has too
many errors, or when there is no baseline; an inconclusive comparison is 0, and 1 with --strict; 4
for usage."""


class DiffCommand:
    """The command ``pytest-evals diff``."""

    name = "diff"
    help = "show what changed between a baseline and a run"
    description = (
        "Show what changed between a baseline and a stored run: the cases that "
        "regressed, broke, were fixed or drifted, with scores, answers, tools, tokens, latency "
        "and cost; and whether a regression is statistically significant."
    )
    epilog = _EPILOG
    usage = "pytest-evals diff [BASELINE] RUN [options]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "words",
            nargs="+",
            metavar="[BASELINE] RUN",
            help="what is compared with (see below), and a run's id, the beginning of one, or "
            "`latest`",
        )
        add_store(parser)
        add_dataset(parser)
        parser.add_argument(
            "--strict", action="store_true", help="exit with 1 if a comparison is inconclusive"
        )
        parser.add_argument(
            "--limit",
            type=number,
            default=20,
            metavar="N",
            help="show at most N cases of each class (default: 20; 0 shows all)",
        )
        add_output(parser, markdown=True)

    def run(self, args: argparse.Namespace) -> int:
        """Print the changes; 1 if a comparison fails or could not be made."""
        from pytest_evals.archive.stored_tables import StoredTables
        from pytest_evals.session.run_diff import RunDiff

        if len(args.words) > 2:
            args.usage_error(f"expected [BASELINE] RUN, found {len(args.words)} words")
        *source, run_id = args.words
        store = open_runs(args)
        try:
            run = store.run(run_id)
            changes = RunDiff(
                tables=StoredTables(store),
                run=run,
                source=source[0] if source else run.baseline_source,
                rootdir=rootdir_of(store_path(args.store)),
                strict=args.strict or run.strict,
            ).compare(args.dataset)
            if args.json:
                say_json(_json(changes))
            elif args.md:
                from pytest_evals.cli.diff_markdown import changes_markdown

                say(changes_markdown(changes, limit=args.limit))
            else:
                from pytest_evals.cli.diff_terminal import print_changes

                print_changes(Paper.of(args), changes, limit=args.limit)
            return changes.status
        finally:
            store.close()


def _json(run_changes: "RunChanges") -> dict[str, object]:
    """Return the diffs as a JSON value, in the form of --evals-json."""
    from pytest_evals.reporters.shape import diff_shape

    shape = diff_shape([changes.diff for changes in run_changes.changes])
    assert shape is not None
    verdicts = [
        (verdict, changes.declared)
        for changes in run_changes.changes
        for verdict in changes.verdicts
    ]
    return {
        "schema": 1,
        "run": run_changes.run.id,
        "exit_status": run_changes.status,
        "regressed": any(verdict.verdict == "failed" for verdict, _ in verdicts),
        "gates": [
            {**verdict.model_dump(mode="json"), "declared": declared}
            for verdict, declared in verdicts
        ],
        "diff": shape.model_dump(mode="json"),
        "not_compared": [
            {"dataset": name, "reason": reason} for name, reason in run_changes.failures
        ],
    }
