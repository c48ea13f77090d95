"""``pytest-evals show RUN [TRIAL]``: one run with its trials, or one trial whole."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.runs import commit_of, when

if TYPE_CHECKING:
    from pytest_evals.run import Run
    from pytest_evals.storage.base import TrialRow
    from pytest_evals.storage.sqlite import SqliteRunStore

WORDS = {"skipped": "not run", "errored": "error"}
"""Outcomes that people know by another word."""

_COLORS = {"passed": "green", "failed": "red", "error": "red", "not run": "yellow"}
_HEADER = ("trial", "outcome", "score", "latency", "tokens", "cost", "error")
_ALIGN = "<<>>>><"


_EPILOG = """\
examples:
  pytest-evals show latest
  pytest-evals show latest --failed
  pytest-evals show latest refund-window
  pytest-evals show latest refund-window --transcript

exit status: 0, or 1 where there is no such run or trial; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.store_options import add_json, add_run, add_store, add_trial, number
    from pytest_evals.cli.tables import Help

    parser = subparsers.add_parser(
        "show",
        help="show a stored run, or one of its trials",
        description="Show a stored run with its trials, or one trial: its questions, answers, "
        "scores with their reasons, tokens, cost and attempts.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    add_run(parser)
    add_trial(parser)
    parser.add_argument(
        "--transcript",
        action="store_true",
        help="of a trial the conversation alone: who said what, with the calls of tools",
    )
    add_store(parser)
    parser.add_argument("--failed", action="store_true", help="only trials that did not pass")
    parser.add_argument("--limit", type=number, metavar="N", help="at most so many trials")
    parser.add_argument(
        "--offset", type=number, default=0, metavar="N", help="leave out the first N trials"
    )
    add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Print a run or a trial; 1 where there is no such thing."""
    from pytest_evals.cli.store_options import open_runs

    if args.transcript and args.trial is None:
        args.usage_error("--transcript needs a TRIAL")
    store = open_runs(args)
    try:
        found = store.run(args.run_id)
        if args.trial is not None:
            return _show_trial(store, found, args)
        if args.json:
            return _print_json(store, found, args)
        return _show_run(store, found, args)
    finally:
        store.close()


def _show_run(store: "SqliteRunStore", found: "Run", args: argparse.Namespace) -> int:
    """Print the header and the table of trials."""
    from pytest_evals.cli.store_options import color, say, width
    from pytest_evals.ground.plain_text import table

    tell_header(found)
    rows = list(_chosen(store, found, args))
    shown = rows[args.offset : None if args.limit is None else args.offset + args.limit]
    say()
    one_file = len({row.trial.partition("::")[0] for row in rows}) == 1
    cells = [_cells(row, short=one_file) for row in shown]
    lines = table(_HEADER, cells, width=width(), align=_ALIGN) if shown else []
    for i, line in enumerate(lines):
        word = cells[i - 1][1] if i else ""
        say(
            line.replace(f" {word} ", f" {color(word, _COLORS[word])} ", 1)
            if word in _COLORS
            else color(line, "bold")
            if not i
            else line
        )
    what = "trials that did not pass" if args.failed else "trials"
    say(f"{len(rows)} {what}" if len(shown) == len(rows) else f"{len(shown)} of {len(rows)} {what}")
    return 0


def _chosen(
    store: "SqliteRunStore", found: "Run", args: argparse.Namespace
) -> Iterator["TrialRow"]:
    """Yield the trials that are asked for."""
    return (row for row in store.rows(found.id) if not args.failed or row.outcome != "passed")


def header(found: "Run") -> Iterator[str]:
    """Yield the lines that say what a run was."""
    from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds

    counts = found.counts
    took = None if found.ended_at is None else max(0.0, found.ended_at - found.started_at)
    yield f"run      {found.id}   {found.status.value}"
    yield f"when     {when(found.started_at)}, took {format_seconds(took)}"
    for info in found.datasets:
        chosen = "" if info.selected == info.planned else f", {info.selected} selected"
        models = ", ".join(model.id for model in info.models)
        yield (
            f"dataset  {info.name} ({info.path}): {info.cases} cases, {info.planned} trials"
            f"{chosen}{f'; {models}' if models else ''}"
        )
    parts = [f"{counts.passed} passed", f"{counts.failed} failed", f"{counts.errored} errors"]
    if counts.skipped:
        parts.append(f"{counts.skipped} not run")
    if counts.unneeded:
        parts.append(f"{counts.unneeded} not needed")
    yield f"trials   {', '.join(parts)} of {counts.total}"
    spent = "" if found.spent_usd is None else f", {format_cost(found.spent_usd)} spent"
    yield f"cost     {format_cost(found.cost_usd)}{spent}, {format_count(found.tokens)} tokens"
    if found.git is not None:
        branch = f" on {found.git.branch}" if found.git.branch else ""
        yield f"commit   {commit_of(found)}{branch}{', with changes' if found.git.dirty else ''}"
    if found.versions:
        yield "versions " + ", ".join(f"{name} {it}" for name, it in sorted(found.versions.items()))
    if found.options:
        yield "options  " + ", ".join(f"{name}={it}" for name, it in sorted(found.options.items()))
    for note in found.notes:
        yield f"note     {note}"


def _word(row: "TrialRow") -> str:
    """Return the word for a trial's outcome."""
    if row.error == "not_needed":
        return "not needed"
    return "tolerated" if row.tolerated else WORDS.get(row.outcome, row.outcome)


def _cells(row: "TrialRow", *, short: bool) -> list[str]:
    """Return a trial's cells."""
    from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds

    return [
        row.trial.partition("::")[2] or row.trial if short else row.trial,
        _word(row),
        "-" if row.score is None else f"{row.score:.2f}",
        format_seconds(row.latency_s),
        format_count(row.tokens),
        format_cost(row.cost_usd),
        row.error or "",
    ]


def _print_json(store: "SqliteRunStore", found: "Run", args: argparse.Namespace) -> int:
    """Print a run and its trials as one JSON value, a trial at a time: a run may be large."""
    import json

    from pytest_evals.reporters.shape import trial_json

    whole = json.dumps({"schema": 1, "run": found.model_dump(mode="json"), "trials": []}, indent=2)
    begun, _, end = whole.rpartition("[]")
    wanted = [row.trial for row in _chosen(store, found, args)]
    last = None if args.limit is None else args.offset + args.limit
    left = set(wanted[args.offset : last])
    sys.stdout.write(f"{begun}[")
    separator = ""
    for result in store.results(found.id):
        if result.id in left:
            sys.stdout.write(f"{separator}\n    {json.dumps(trial_json(result))}")
            separator = ","
    sys.stdout.write(f"\n  ]{end}\n")
    return 0


def _show_trial(store: "SqliteRunStore", found: "Run", args: argparse.Namespace) -> int:
    """Print one trial."""
    from pytest_evals.cli.store_options import say, say_json
    from pytest_evals.cli.transcript import transcript
    from pytest_evals.cli.trial import describe
    from pytest_evals.ground.plain_text import neutral
    from pytest_evals.reporters.shape import trial_json

    trial = find_trial(args.trial, [row.trial for row in store.rows(found.id)], found.id)
    attempts = store.attempts(found.id, trial)
    labels = [score for name, score in store.labels(found.id) if name == trial]
    if args.json:
        told = trial_json(attempts[-1], whole=True)
        told["earlier_attempts"] = [trial_json(result, whole=True) for result in attempts[:-1]]
        told["labels"] = [score.model_dump(mode="json") for score in labels]
        say_json({"schema": 1, "run": found.id, "trial": told})
        return 0
    lines = transcript(attempts[-1]) if args.transcript else describe(attempts, labels)
    for line in lines:
        say(neutral(line))
    return 0


def tell_header(found: "Run") -> None:
    """Print what a run was."""
    from pytest_evals.cli.store_options import say
    from pytest_evals.ground.plain_text import neutral

    for line in header(found):
        say(neutral(line, lines=False))


def tell_verdicts(found: "Run") -> None:
    """Print what the gates said, and the decision."""
    from pytest_evals.cli.store_options import color, say
    from pytest_evals.ground.plain_text import neutral

    for gate in found.gates:
        text = neutral(f"gate {gate['gate']} [{gate['model']}]: {gate['sentence']}")
        say(color(text, "red") if gate["blocking"] else text)
    if found.decision is not None:
        say(color(f"decision: {found.decision['decision']}", "bold"))


def find_trial(wanted: str, trials: Sequence[str], run_id: str) -> str:
    """Return the node id that is meant.

    Args:
        wanted: a node id, the name behind its ``::``, or a part that no other id has.
        trials: the node ids of the run.
        run_id: the run, for the message.

    Raises:
        StoreError: none or several are meant.
    """
    from pytest_evals.ground.errors import StoreError, suggest

    named = [name for name in trials if wanted in {name, name.partition("::")[2]}]
    found = named or [name for name in trials if wanted and wanted in name]
    if len(found) == 1:
        return found[0]
    if not found:
        names = [name.partition("::")[2] or name for name in trials]
        raise StoreError(f"run {run_id} has no trial {wanted!r}.{suggest(wanted, names, limit=5)}")
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise StoreError(
        f"{wanted!r} is part of {len(found)} trials of run {run_id}: {', '.join(found[:5])}{more}; "
        "write more of the one you mean"
    )
