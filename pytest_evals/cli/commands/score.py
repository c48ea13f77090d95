"""``pytest-evals score RUN …``: people's scores of a run's trials, added, imported or exported."""

import argparse
import sys
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_json, add_run, add_store, add_trial
from pytest_evals.cli.output import say, say_json
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from pytest_evals.archive.human_scores import LabelDefaults
    from pytest_evals.storage.base import HumanScore
    from pytest_evals.storage.sqlite import SqliteRunStore


_EPILOG = """\
examples:
  pytest-evals score latest refund --rater ann --name helpful --label pass
  pytest-evals score latest --export labels.csv --template
  pytest-evals score latest --import labels.csv

exit status: 0, or 1 if a score is not valid; 4 for usage."""


class ScoreCommand:
    """The command ``pytest-evals score``."""

    name = "score"
    help = "add a person's score to a trial; import and export such scores"
    description = (
        "Add a person's score to a trial (a label, a value, or both), import scores from a "
        "file, or export all scores of a run with inputs and answers. The latest score of a rater "
        "counts; all are stored."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        add_trial(parser)
        add_store(parser)
        parser.add_argument("--rater", metavar="WHO", help="the person")
        parser.add_argument(
            "--name", metavar="JUDGE", help="the judge or metric that the score is for"
        )
        parser.add_argument(
            "--label", metavar="WORD", help="pass, fail, or one of the judge's labels"
        )
        parser.add_argument(
            "--value", type=_number, metavar="X", help="a value on the judge's scale"
        )
        parser.add_argument("--note", default="", metavar="TEXT", help="the reason")
        parser.add_argument(
            "--import", dest="source", type=Path, metavar="FILE", help="read scores: .csv or .jsonl"
        )
        parser.add_argument(
            "--export",
            dest="target",
            type=Path,
            metavar="FILE",
            help="write all scores with inputs and answers: .csv or .jsonl",
        )
        parser.add_argument(
            "--template",
            action="store_true",
            help="with --export: also an empty row for each trial without a score",
        )
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Add a score, or import or export scores."""
        from pytest_evals.ground.errors import SettingsError

        actions = [args.trial is not None, args.source is not None, args.target is not None]
        if sum(actions) != 1:
            raise SettingsError("name one of: a TRIAL to score, --import or --export")
        if args.template and args.target is None:
            raise SettingsError("--template belongs to --export")
        store = open_runs(args, write=args.target is None)
        try:
            run_id = store.run(args.run_id).id
            if args.trial is not None:
                return _add_score(store, run_id, args)
            return _import(store, run_id, args) if args.source else _export(store, run_id, args)
        finally:
            store.close()


def _number(text: str) -> float:
    """Parse a value."""
    from math import isfinite

    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value


def _add_score(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Add one score.

    Raises:
        SettingsError: the rater, the name or the score is missing.
    """
    from pytest_evals.archive.trial_lookup import find_trial
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.ground.plain_text import neutral
    from pytest_evals.storage.base import HumanScore

    missing = [f"--{name}" for name in ("rater", "name") if not getattr(args, name)]
    if args.label is None and args.value is None:
        missing.append("--label or --value")
    if missing:
        raise SettingsError(f"a score needs {', '.join(missing)}")
    trial = find_trial(args.trial, [row.trial for row in store.rows(run_id)], run_id)
    score = HumanScore(
        rater=args.rater,
        name=args.name,
        value=args.value,
        label=args.label,
        note=args.note,
        at=time(),
    )
    store.label(run_id, trial, score)
    if args.json:
        added = score.model_dump(mode="json")
        say_json({"schema": 1, "run": run_id, "trial": trial, "score": added})
        return 0
    values = " ".join(str(value) for value in (args.label, args.value) if value is not None)
    say(neutral(f"{trial}: {args.name} {values} by {args.rater}", lines=False))
    return 0


def _defaults(args: argparse.Namespace) -> "LabelDefaults":
    """Return what the command line fills in for rows."""
    from pytest_evals.archive.human_scores import LabelDefaults

    return LabelDefaults(name=args.name, rater=args.rater)


def _import(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Add the scores of a file: all of them or, if a row is not valid, none.

    Raises:
        DatasetError: the rows that are not valid.
    """
    from pytest_evals.archive.human_scores import score_identity, score_of_row
    from pytest_evals.ground.errors import DatasetError, Position, Problem
    from pytest_evals.storage.labels import read_labels

    trials = {row.trial: row for row in store.rows(run_id)}
    stored = {(trial, score_identity(score)) for trial, score in store.labels(run_id)}
    now = time()
    problems: list[Problem] = []
    scores: list[tuple[str, HumanScore]] = []
    for i, row in enumerate(read_labels(args.source)):
        try:
            # Ascending times, so that the last of several rows of one rater counts.
            scores.append(score_of_row(row, trials, _defaults(args), now + i * 1e-6))
        except ValueError as error:
            problems.append(Problem(Position(str(args.source), row.line), str(error)))
    if problems:
        raise DatasetError(problems)
    new = [
        (trial, score) for trial, score in scores if (trial, score_identity(score)) not in stored
    ]
    for trial, score in new:
        store.label(run_id, trial, score)
    duplicates = len(scores) - len(new)
    if args.json:
        say_json({"schema": 1, "run": run_id, "added": len(new), "there_already": duplicates})
        return 0
    again = f", {duplicates} were stored already" if duplicates else ""
    say(f"{len(new)} scores added to run {run_id}{again}")
    return 0


def _export(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Write the scores of a run with their inputs and answers."""
    from pytest_evals.archive.human_scores import rows_of_trial
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.storage.labels import SUFFIXES, write_labels

    if args.target.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"--export writes {' or '.join(SUFFIXES)}, found {args.target.name!r}")
    scores: dict[str, list[HumanScore]] = {}
    for trial, score in store.labels(run_id):
        if args.name in {None, score.name}:
            scores.setdefault(trial, []).append(score)
    rows = [
        row
        for result in store.results(run_id)
        for row in rows_of_trial(
            result, scores.get(result.id, []), _defaults(args), template=args.template
        )
    ]
    if not rows:
        print(f"run {run_id} has no scores of people", file=sys.stderr)  # noqa: T201 - error output
        return 1
    write_labels(args.target, rows)
    if args.json:
        say_json({"schema": 1, "run": run_id, "rows": len(rows), "path": str(args.target)})
        return 0
    say(f"{len(rows)} rows written to {args.target}")
    return 0
