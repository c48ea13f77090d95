"""``pytest-evals score RUN …``: what people say of a run's trials, given, imported or exported."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.result import TrialResult
    from pytest_evals.storage.base import HumanScore, TrialRow
    from pytest_evals.storage.labels import LabelRow
    from pytest_evals.storage.sqlite import SqliteRunStore


_EPILOG = """\
examples:
  pytest-evals score latest refund --rater ann --name helpful --label pass
  pytest-evals score latest --export labels.csv --template
  pytest-evals score latest --import labels.csv

exit status: 0, or 1 where something could not be taken; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.store_options import add_json, add_run, add_store, add_trial
    from pytest_evals.cli.tables import Help

    parser = subparsers.add_parser(
        "score",
        help="add a person's score to a trial; import and export such scores",
        description="Say what a person thinks of a trial (a label, a value, or both), import such "
        "scores from a file, or export all of a run with the questions and answers. The latest of "
        "a rater counts; all are kept.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    add_run(parser)
    add_trial(parser)
    add_store(parser)
    parser.add_argument("--rater", metavar="WHO", help="who says it")
    parser.add_argument(
        "--name", metavar="JUDGE", help="what is judged: a judge's or a metric's name"
    )
    parser.add_argument("--label", metavar="WORD", help="pass, fail, or one of the judge's labels")
    parser.add_argument("--value", type=_number, metavar="X", help="on the judge's own scale")
    parser.add_argument("--note", default="", metavar="TEXT", help="why")
    parser.add_argument(
        "--import", dest="source", type=Path, metavar="FILE", help="read scores: .csv or .jsonl"
    )
    parser.add_argument(
        "--export",
        dest="target",
        type=Path,
        metavar="FILE",
        help="write all scores with their questions and answers: .csv or .jsonl",
    )
    parser.add_argument(
        "--template",
        action="store_true",
        help="with --export: also the trials that nobody has scored yet, to be filled in",
    )
    add_json(parser)
    parser.set_defaults(run=run)


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


def run(args: argparse.Namespace) -> int:
    """Do what is asked."""
    from pytest_evals.cli.store_options import open_runs
    from pytest_evals.ground.errors import SettingsError

    ways = [args.trial is not None, args.source is not None, args.target is not None]
    if sum(ways) != 1:
        raise SettingsError("say what is to be done: a TRIAL to score, --import or --export")
    if args.template and args.target is None:
        raise SettingsError("--template belongs to --export")
    store = open_runs(args, write=args.target is None)
    try:
        run_id = store.run(args.run_id).id
        if args.trial is not None:
            return _one(store, run_id, args)
        return _import(store, run_id, args) if args.source else _export(store, run_id, args)
    finally:
        store.close()


def _one(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Keep one score.

    Raises:
        SettingsError: who says what is not said.
    """
    from pytest_evals.cli.show import find_trial
    from pytest_evals.cli.store_options import say, say_json
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
        given = score.model_dump(mode="json")
        say_json({"schema": 1, "run": run_id, "trial": trial, "score": given})
        return 0
    told = " ".join(str(part) for part in (args.label, args.value) if part is not None)
    say(neutral(f"{trial}: {args.name} {told} by {args.rater}", lines=False))
    return 0


def _import(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Keep the scores of a file: all of them or, where a row is wrong, none.

    Raises:
        DatasetError: rows that are not right.
    """
    from pytest_evals.cli.store_options import say, say_json
    from pytest_evals.ground.errors import DatasetError, Position, Problem
    from pytest_evals.storage.labels import read_labels

    trials = {row.trial: row for row in store.rows(run_id)}
    known = {(t, s) for t, s in ((t, _same(s)) for t, s in store.labels(run_id))}
    now = time()
    problems: list[Problem] = []
    kept: list[tuple[str, HumanScore]] = []
    for i, row in enumerate(read_labels(args.source)):
        try:
            # A moment apart, so that of equal raters the later row counts.
            kept.append(_scored(row, trials, args, now + i * 1e-6))
        except ValueError as error:
            problems.append(Problem(Position(str(args.source), row.line), str(error)))
    if problems:
        raise DatasetError(problems)
    new = [(trial, score) for trial, score in kept if (trial, _same(score)) not in known]
    for trial, score in new:
        store.label(run_id, trial, score)
    if args.json:
        there = len(kept) - len(new)
        say_json({"schema": 1, "run": run_id, "added": len(new), "there_already": there})
        return 0
    again = f", {len(kept) - len(new)} were there already" if len(new) < len(kept) else ""
    say(f"{len(new)} scores added to run {run_id}{again}")
    return 0


def _same(score: "HumanScore") -> tuple[object, ...]:
    """Return what tells a score from another one, whenever it was given."""
    return (score.rater, score.name, score.value, score.label, score.note)


def _scored(
    row: "LabelRow", trials: "dict[str, TrialRow]", args: argparse.Namespace, at: float
) -> "tuple[str, HumanScore]":
    """Return the trial a row means and what it says.

    Raises:
        ValueError: no trial or several are meant, or it is not said what is judged.
    """
    from pytest_evals.ground.errors import suggest
    from pytest_evals.storage.base import HumanScore

    name = row.name or args.name
    if name is None:
        raise ValueError("the row has no `name` of what is judged; give it one, or --name")
    trial = row.trial
    if trial is None:
        found = [
            known.trial
            for known in trials.values()
            if known.case_id == row.case
            and row.model in {None, known.model_id}
            and row.sample in {None, known.sample}
        ]
        if len(found) != 1:
            raise ValueError(
                f"{len(found)} trials of this run are of case {row.case!r}, model {row.model!r}, "
                f"sample {row.sample}; a row means one"
            )
        trial = found[0]
    if trial not in trials:
        raise ValueError(f"the run has no trial {trial!r}.{suggest(trial, trials)}")
    rater = row.rater if row.rater != "anonymous" or not args.rater else args.rater
    return trial, HumanScore(
        rater=rater,
        name=name,
        value=row.value,
        label=row.label,
        note=row.note,
        at=at if row.at is None else row.at,
    )


def _export(store: "SqliteRunStore", run_id: str, args: argparse.Namespace) -> int:
    """Write the scores of a run with what was asked and answered."""
    from pytest_evals.cli.store_options import say, say_json
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.storage.labels import SUFFIXES, write_labels

    if args.target.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"--export writes {' or '.join(SUFFIXES)}, found {args.target.name!r}")
    said: dict[str, list[HumanScore]] = {}
    for trial, score in store.labels(run_id):
        if args.name in {None, score.name}:
            said.setdefault(trial, []).append(score)
    rows = [row for result in store.results(run_id) for row in _rows(result, said, args)]
    if not rows:
        print(f"run {run_id} has no scores of people", file=sys.stderr)  # noqa: T201 - its voice
        return 1
    write_labels(args.target, rows)
    if args.json:
        say_json({"schema": 1, "run": run_id, "rows": len(rows), "path": str(args.target)})
        return 0
    say(f"{len(rows)} rows written to {args.target}")
    return 0


def _rows(
    result: "TrialResult", said: "dict[str, list[HumanScore]]", args: argparse.Namespace
) -> "Sequence[LabelRow]":
    """Return a trial's rows: one a score, or an open one where it has none and that is wanted."""
    from pytest_evals.storage.labels import LabelRow

    scores = said.get(result.id, [])
    answered = result.answer is not None
    if not scores and not (args.template and answered):
        return ()
    asked = next((e.request.input for e in result.answers), None)
    common = {
        "trial": result.id,
        "case": result.case_id,
        "model": result.model_id,
        "sample": result.sample,
        "input": asked,
        "answer": result.answer,
    }
    if not scores:
        open_row = {**common, "name": args.name, "rater": args.rater or "anonymous"}
        return (LabelRow.model_construct(**open_row),)
    return [
        LabelRow(
            **common,
            name=score.name,
            rater=score.rater,
            label=score.label,
            value=score.value,
            note=score.note,
            at=score.at,
        )
        for score in scores
        if score.label is not None or score.value is not None
    ]
