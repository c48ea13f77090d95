"""``pytest-evals show RUN [TRIAL]``: one run, or one trial or all trials of a case in full."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import add_json, add_run, add_store, add_trial, number
from pytest_evals.cli.output import color, say, say_json, width
from pytest_evals.cli.run_output import print_header, print_verdicts
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from pytest_evals.run_record import Run
    from pytest_evals.storage.base import HumanScore, TrialRow
    from pytest_evals.storage.sqlite import SqliteRunStore

_OUTCOMES = {"skipped": "not run", "errored": "error"}
"""Words for outcomes that differ from their names."""

_COLORS = {"passed": "green", "failed": "red", "error": "red", "not run": "yellow"}
_HEADER = ("trial", "outcome", "score", "latency", "tokens", "cost", "error")
_ALIGN = "<<>>>><"
_MOST_REASONS = 20
"""Trials whose reasons ``--failed`` prints."""


_EPILOG = """\
examples:
  pytest-evals show latest
  pytest-evals show latest --failed
  pytest-evals show latest refund-window
  pytest-evals show latest refund-window --transcript

exit status: 0, or 1 if the run or trial does not exist; 4 for usage."""


class ShowCommand:
    """The command ``pytest-evals show``."""

    name = "show"
    help = "show a stored run, or one of its trials"
    description = (
        "Show a stored run with its trials, or one trial, or all trials of a case: inputs, "
        "answers, scores with reasons, tokens, cost and attempts."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        add_trial(parser)
        parser.add_argument(
            "--transcript",
            action="store_true",
            help="only the conversation of a trial: messages and tool calls",
        )
        add_store(parser)
        parser.add_argument(
            "--failed", action="store_true", help="only trials that did not pass, with the reasons"
        )
        parser.add_argument("--limit", type=number, metavar="N", help="at most N trials")
        parser.add_argument(
            "--offset", type=number, default=0, metavar="N", help="skip the first N trials"
        )
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print a run or a trial; 1 if it does not exist."""
        if args.transcript and args.trial is None:
            args.usage_error("--transcript needs a TRIAL")
        store = open_runs(args)
        try:
            run = store.run(args.run_id)
            if args.trial is not None:
                return _show_trials(store, run, args)
            if args.json:
                return _print_json(store, run, args)
            return _show_run(store, run, args)
        finally:
            store.close()


def _show_run(store: "SqliteRunStore", run: "Run", args: argparse.Namespace) -> int:
    """Print the header and the table of trials."""
    from pytest_evals.ground.plain_text import table

    print_header(run)
    print_verdicts(run)
    rows = list(_selected_rows(store, run, args))
    shown = rows[args.offset : None if args.limit is None else args.offset + args.limit]
    say()
    is_one_file = len({row.trial.partition("::")[0] for row in rows}) == 1
    cells = [_cells(row, short=is_one_file) for row in shown]
    lines = table(_HEADER, cells, width=width(), align=_ALIGN) if shown else []
    for i, line in enumerate(lines):
        outcome = cells[i - 1][1] if i else ""
        say(
            line.replace(f" {outcome} ", f" {color(outcome, _COLORS[outcome])} ", 1)
            if outcome in _COLORS
            else color(line, "bold")
            if not i
            else line
        )
    if args.failed:
        _say_reasons(store, run, shown)
    noun = "trials that did not pass" if args.failed else "trials"
    if len(rows) == 1:
        noun = noun.replace("trials", "trial")
    say(f"{len(rows)} {noun}" if len(shown) == len(rows) else f"{len(shown)} of {len(rows)} {noun}")
    return 0


def _say_reasons(store: "SqliteRunStore", run: "Run", rows: "Sequence[TrialRow]") -> None:
    """Print why each of the first trials did not pass."""
    from pytest_evals.ground.plain_text import shorten
    from pytest_evals.metrics.summarize import summarize_trial

    columns = width() or 1000
    for row in rows[:_MOST_REASONS]:
        (*_, result) = store.attempts(run.id, row.trial)
        say()
        say(color(shorten(row.trial.partition("::")[2] or row.trial, columns), "bold"))
        for reason in summarize_trial(result, compared=False).reasons:
            say(f"    {shorten(reason, columns - 4)}")
    if len(rows) > _MOST_REASONS:
        say()
        say(f"the reasons of {len(rows) - _MOST_REASONS} more: --offset {_MOST_REASONS}")
    if rows:
        say()


def _selected_rows(
    store: "SqliteRunStore", run: "Run", args: argparse.Namespace
) -> Iterator["TrialRow"]:
    """Yield the trials that the options select."""
    return (row for row in store.rows(run.id) if not args.failed or row.outcome != "passed")


def _outcome(row: "TrialRow") -> str:
    """Return the word for a trial's outcome."""
    if row.error == "not_needed":
        return "not needed"
    return "tolerated" if row.tolerated else _OUTCOMES.get(row.outcome, row.outcome)


def _cells(row: "TrialRow", *, short: bool) -> list[str]:
    """Return a trial's cells."""
    from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds

    return [
        row.trial.partition("::")[2] or row.trial if short else row.trial,
        _outcome(row),
        "-" if row.score is None else f"{row.score:.2f}",
        format_seconds(row.latency_s),
        format_count(row.tokens),
        format_cost(row.cost_usd),
        row.error or "",
    ]


def _print_json(store: "SqliteRunStore", run: "Run", args: argparse.Namespace) -> int:
    """Print a run and its trials as one JSON value, trial by trial because a run can be large."""
    import json

    from pytest_evals.reporters.shape import trial_json

    shape = run.model_dump(mode="json", exclude={"confirmations"})
    empty = json.dumps({"schema": 1, "run": shape, "trials": []}, indent=2)
    start, _, end = empty.rpartition("[]")
    trials = [row.trial for row in _selected_rows(store, run, args)]
    last = None if args.limit is None else args.offset + args.limit
    shown = set(trials[args.offset : last])
    sys.stdout.write(f"{start}[")
    separator = ""
    for result in store.results(run.id):
        if result.id in shown:
            sys.stdout.write(f"{separator}\n    {json.dumps(trial_json(result))}")
            separator = ","
    sys.stdout.write(f"\n  ]{end}\n")
    return 0


def _show_trials(store: "SqliteRunStore", run: "Run", args: argparse.Namespace) -> int:
    """Print one trial, or all trials of a case."""
    from pytest_evals.archive.trial_lookup import find_trials
    from pytest_evals.ground.plain_text import neutral

    names = find_trials(args.trial, [row.trial for row in store.rows(run.id)], run.id)
    if args.json:
        values = [_trial_json(store, run, name) for name in names]
        shape = {"trial": values[0]} if len(values) == 1 else {"trials": values}
        say_json({"schema": 1, "run": run.id, **shape})
        return 0
    for i, name in enumerate(names):
        if i:
            say()
        if args.transcript and len(names) > 1:
            say(color(neutral(name, lines=False), "bold"))
        for line in _trial_lines(store, run, name, transcript=args.transcript):
            say(neutral(line))
    return 0


def _trial_lines(
    store: "SqliteRunStore", run: "Run", name: str, *, transcript: bool
) -> Iterator[str]:
    """Yield the lines on one trial."""
    from pytest_evals.archive.trial_text import describe_trial
    from pytest_evals.reporters import transcript as conversation

    attempts = store.attempts(run.id, name)
    if transcript:
        yield from conversation.transcript(attempts[-1])
    else:
        yield from describe_trial(attempts, _labels(store, run, name))


def _trial_json(store: "SqliteRunStore", run: "Run", name: str) -> "dict[str, Any]":
    """Return one trial as JSON, with its earlier attempts and its labels."""
    from pytest_evals.reporters.shape import trial_json

    attempts = store.attempts(run.id, name)
    value = trial_json(attempts[-1], whole=True)
    value["earlier_attempts"] = [trial_json(result, whole=True) for result in attempts[:-1]]
    labels = _labels(store, run, name)
    return {**value, "labels": [score.model_dump(mode="json") for score in labels]}


def _labels(store: "SqliteRunStore", run: "Run", name: str) -> "list[HumanScore]":
    """Return what people said of a trial."""
    return [score for trial, score in store.labels(run.id) if trial == name]
