"""``pytest-evals leaderboard DATASET``: models or runs ranked, with what a rank hides."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_output, add_store, weights
from pytest_evals.cli.output import Paper, say, say_json
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from pytest_evals.metrics.leaderboard import Leaderboard, LeaderboardRow
    from pytest_evals.run_record import Run

_EPILOG = """\
examples:
  pytest-evals leaderboard support               by the samples that pass
  pytest-evals leaderboard support --weights helpful=2,tone=1
  pytest-evals leaderboard support --run 20261120-1702 --run latest
  pytest-evals leaderboard support --run 20261120-1702 --run latest --by run

A row that lacks a score of other rows has no rank, so that skipping hard cases cannot help.
--renormalise ranks it by the scores that it has. `*` marks the Pareto front: no other row is as
good and cheaper, or better and as cheap. p is the paired test against the first row, corrected over
all rows (Holm).

exit status: 0 when something was ranked, 1 when a run or dataset does not exist, 4 for usage."""


class LeaderboardCommand:
    """The command ``pytest-evals leaderboard``."""

    name = "leaderboard"
    help = "rank the models of a dataset"
    description = (
        "Rank the models (or runs) of a dataset by their weighted scores, with n, "
        "interval, cost and latency in every row, and notes on ties, overlaps and gaps."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("dataset", metavar="DATASET", help="the dataset's name, or its file")
        parser.add_argument(
            "--run",
            action="append",
            dest="runs",
            metavar="RUN",
            help="a run's id or its beginning, or `latest`; repeatable "
            "(default: the dataset's last complete run)",
        )
        parser.add_argument(
            "--weights",
            action="append",
            default=[],
            metavar="NAME=NUMBER,...",
            help="scorers and their weights; `pass@1` and `score` are names too (default: "
            "pass@1=1)",
        )
        parser.add_argument(
            "--renormalise",
            action="store_true",
            help="rank rows that lack a score or cases too, by those they have",
        )
        parser.add_argument(
            "--by",
            choices=("model", "run"),
            default="model",
            help="a row for each model, its samples of all runs together (the default), or for "
            "each model of each run",
        )
        add_store(parser)
        add_output(parser, markdown=True)

    def run(self, args: argparse.Namespace) -> int:
        """Print the ranks."""
        from pytest_evals.archive.stored_tables import StoredTables
        from pytest_evals.comparison.entrants import entrants_of, find_dataset, ranked_runs, ties_of
        from pytest_evals.metrics.rank import rank_entrants

        weight_by_name = weights(args.weights, args.usage_error)
        store = open_runs(args)
        try:
            dataset = find_dataset(store, args.dataset)
            runs = ranked_runs(store, dataset, args.runs or [])
            entrants, notes = entrants_of(StoredTables(store), runs, dataset, by=args.by)
        finally:
            store.close()
        board = rank_entrants(
            dataset, entrants, weight_by_name or None, renormalise=args.renormalise
        )
        notes += ties_of(board)
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "runs": [run.id for run in runs],
                    **board.model_dump(mode="json"),
                    "notes": [*board.notes, *notes],
                }
            )
        elif args.md:
            say(_markdown(board, runs, notes))
        else:
            _print(Paper.of(args), board, runs, notes)
        return 0


_WORD_TITLES = {"#", "value", "95% interval", "n", "errors", "cost", "latency", "p"}
"""Titles of columns that are words, not names of scorers."""


def _titles(board: "Leaderboard") -> list[str]:
    """Return the titles of the columns."""
    value = "value" if len(board.weights) > 1 else next(iter(board.weights))
    return ["#", "", value, "95% interval", "n", "errors", "cost", "latency", "p", ""]


def _cells(row: "LeaderboardRow") -> list[str]:
    """Return the cells of a row."""
    from pytest_evals.comparison.numbers import p_value
    from pytest_evals.ground.plain_text import UNKNOWN, format_cost, format_seconds
    from pytest_evals.metrics.metric import interval_text

    interval = interval_text(row.low, row.high, "score", row.cases, "{:.2f}".format) or UNKNOWN
    return [
        str(row.rank or "-"),
        row.name,
        _number(row.value),
        interval,
        f"{row.n:,}",
        f"{row.errored:,}",
        format_cost(row.cost_usd),
        format_seconds(row.latency_s),
        p_value(row.p_first),
        "*" if row.front else "",
    ]


def _number(value: float | None) -> str:
    """Write a value; a dash for none."""
    return "-" if value is None else f"{value:.3f}"


def _parts(board: "Leaderboard") -> tuple[list[str], list[list[str]]]:
    """Return the table of the weighted scores: its titles and its rows."""
    titles = ["", *(f"{name} ({share:.0%})" for name, share in board.weights.items())]
    rows = [
        [row.name, *(_number(row.parts[name].value) for name in board.weights)]
        for row in board.rows
    ]
    return titles, rows


def _shorten_names(board: "Leaderboard", notes: list[str]) -> "tuple[Leaderboard, list[str]]":
    """Replace names of the form run:model by the model and the end of the run's id."""
    names = {}
    for row in board.rows:
        run_id, colon, model = row.name.partition(":")
        if colon and run_id in notes[0]:
            names[row.name] = f"{model} ({run_id[-4:]})"
    if len(set(names.values())) < len(board.rows):
        return board, notes
    text = board.model_dump_json()
    for name, short in names.items():
        text = text.replace(name, short)
        notes = [note.replace(name, short) for note in notes]
    return type(board).model_validate_json(text), notes


def _print(paper: Paper, board: "Leaderboard", runs: "Sequence[Run]", notes: Sequence[str]) -> None:
    """Print the tables, then the notes."""
    ids = ", ".join(run.id for run in runs)
    heading = f"{board.dataset}: run{'s' * (len(runs) > 1)} {ids}"
    board, lines = _shorten_names(board, [heading, *board.notes, *notes])
    paper.sentence(lines[0], "bold")
    paper.table(_titles(board), [_cells(row) for row in board.rows], "><" + ">" * 8)
    paper.sentence("cost and latency are means of a trial; * is on the cost-quality front", "dim")
    if len(board.weights) > 1:
        titles, rows = _parts(board)
        paper.say()
        paper.table(titles, rows, "<" + ">" * len(board.weights))
    if lines[1:]:
        paper.say()
    for note in lines[1:]:
        paper.sentence(note, indent=2, first="*")


def _markdown(board: "Leaderboard", runs: "Sequence[Run]", notes: Sequence[str]) -> str:
    """Return the leaderboard as Markdown."""
    from pytest_evals.reporters.markup import code, prose
    from pytest_evals.reporters.mdtables import table_head, table_row

    titles = [code(it) if it and it not in _WORD_TITLES else it for it in _titles(board)]
    lines = [table_head(titles, len(titles) - 2)]
    for row in board.rows:
        rank, name, *cells, front = _cells(row)
        lines.append(table_row([rank, code(name), *cells, "✓" if front else ""]))
    if len(board.weights) > 1:
        names, rows = _parts(board)
        lines += ["", table_head(["", *map(code, names[1:])], len(names) - 1)]
        lines += [table_row([code(cells[0]), *cells[1:]]) for cells in rows]
    ids = ", ".join(code(run.id) for run in runs)
    bullets = "\n".join(f"- {prose(note)}" for note in (*board.notes, *notes))
    return f"### {code(board.dataset)}, {ids}\n\n" + "\n".join(lines) + f"\n\n{bullets}".rstrip()
