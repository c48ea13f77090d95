"""``pytest-evals rescore RUN``: the stored answers of a run scored again, as a new run."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.options import (
    add_calls,
    add_dataset,
    add_judging,
    add_output,
    add_run,
    add_store,
)
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.run_output import print_header, print_verdicts
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.run_record import Run
    from pytest_evals.session.rescore_plan import RescoredDataset

_EPILOG = """\
examples:
  pytest-evals rescore latest                    after an assertion was edited
  pytest-evals rescore latest --judges           judges may be called too
  pytest-evals rescore 20261121-0915 --dataset support --json

The models under test are never called: their stored answers are scored. A case whose input was
edited since is STALE, an error. Judges cost money: without --judges their stored verdicts are used,
and a missing verdict is an error. What was not run then stays so: a run that was cut short fails.
The new run names the run that its answers come from.

`pytest --evals --evals-from RUN` does the same as a test session: with an item for each trial, -k,
-x, workers and reports. Use it for trials of test functions, and to debug failures.

exit status: 0 when every gate passed, and every trial without a gate (as in a session); 1 when one
did not, or nothing could be scored; 4 for usage."""


class RescoreCommand:
    """The command ``pytest-evals rescore``."""

    name = "rescore"
    help = "score the stored answers of a run again, as a new run"
    description = (
        "Score the stored answers of a run with today's scorers, thresholds and gates of its "
        "datasets, and store the outcome as a new run, to be shown, compared and exported like any "
        "other."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        add_store(parser)
        add_dataset(parser)
        parser.add_argument(
            "--judges", action="store_true", help="call judges whose verdict is not stored"
        )
        add_calls(parser)
        add_judging(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Score, evaluate and print; 1 if the new run fails."""
        from pytest_evals.cli.redaction import environment_redactor
        from pytest_evals.config import Settings
        from pytest_evals.registry import Registry
        from pytest_evals.session.rescore_plan import plan_rescore
        from pytest_evals.session.rescoring import Rescoring

        registry = Registry.installed()
        path = store_path(args.store)
        rootdir = rootdir_of(path)
        store = open_runs(args, write=True)
        try:
            run = store.run(args.run_id)
            parts = plan_rescore(store, run, rootdir, registry, dataset=args.dataset)
            settings = Settings(
                rootdir=rootdir,
                store=path.resolve(),
                responses="auto" if args.judges else "replay",
                concurrency=max(1, args.concurrency),
                max_cost=args.max_cost,
                baseline=args.baseline or run.baseline_source,
                strict=args.strict or run.strict,
            )
            rescoring = Rescoring(
                settings=settings,
                registry=registry,
                redactor=environment_redactor(registry),
                store=store,
            )
            rescored = rescoring.rescore(run, parts)
        finally:
            store.close()
        if args.json:
            say_json(_json(run, rescored, parts))
        else:
            _print(Paper.of(args), run, rescored, parts)
        return int(bool(rescored.exit_status))


def _json(run: "Run", rescored: "Run", parts: "Sequence[RescoredDataset]") -> dict[str, object]:
    """Return the outcome as a JSON value."""
    return {
        "schema": 1,
        "run": rescored.model_dump(mode="json"),
        "rescored": run.id,
        "failed": bool(rescored.exit_status),
        "judges_not_asked": sum(part.missing_verdicts for part in parts),
        "not_scored": [
            {"dataset": part.info.name, "reason": reason, "names": names}
            for part in parts
            for reason, names in part.not_scored.items()
        ],
    }


def _print(paper: Paper, run: "Run", rescored: "Run", parts: "Sequence[RescoredDataset]") -> None:
    """Print the new run beside the old one."""
    from pytest_evals.ground.plain_text import counted

    print_header(rescored)
    old = run.counts
    errors = counted(old.errored, "error")
    paper.sentence(f"before   {old.passed} passed, {old.failed} failed, {errors} of {old.total}")
    print_verdicts(rescored)
    missing = sum(part.missing_verdicts for part in parts)
    if missing:
        paper.sentence(
            f"{missing} trials lack a judge's verdict that is not stored; --judges calls the "
            "judges, which may cost money",
            "yellow",
        )
    paper.sentence(
        f"run saved: pytest-evals show {rescored.id}; pytest-evals diff {run.id} {rescored.id}",
        "dim",
    )
