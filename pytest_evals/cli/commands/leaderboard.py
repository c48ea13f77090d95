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

A row that lacks a score that others have has no rank: leaving out what is hard must not help.
--renormalise ranks it by what it has. `*` marks the front: no other row is as good and cheaper, or
better and as cheap. p is the paired test against the first row, corrected over all rows (Holm).

exit status: 0 when something was ranked, 1 when there is no such thing, 4 for usage."""


class LeaderboardCommand:
    """The command ``pytest-evals leaderboard``."""

    name = "leaderboard"
    help = "rank the models of a dataset"
    description = (
        "Rank the models (or runs) of a dataset by their weighted scores, with n, "
        "interval, cost and latency in every row; ties, overlaps and what is incomplete are said."
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
            help="a run's id, the beginning of one, or `latest`; may be given several times "
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

        wanted = weights(args.weights, args.usage_error)
        store = open_runs(args)
        try:
            name = find_dataset(store, args.dataset)
            meant = ranked_runs(store, name, args.runs or [])
            entrants, notes = entrants_of(StoredTables(store), meant, name, by=args.by)
        finally:
            store.close()
        board = rank_entrants(name, entrants, wanted or None, renormalise=args.renormalise)
        notes += ties_of(board)
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "runs": [run.id for run in meant],
                    **board.model_dump(mode="json"),
                    "notes": [*board.notes, *notes],
                }
            )
        elif args.md:
            say(_markdown(board, meant, notes))
        else:
            _tell(Paper.of(args), board, meant, notes)
        return 0


def _titles(board: "Leaderboard") -> list[str]:
    value = "value" if len(board.weights) > 1 else next(iter(board.weights))
    return ["#", "", value, "95% interval", "n", "errors", "cost", "latency", "p", ""]


def _cells(row: "LeaderboardRow") -> list[str]:
    """Return a row's cells."""
    from pytest_evals.comparison.numbers import p_value
    from pytest_evals.ground.plain_text import UNKNOWN, format_cost, format_seconds

    interval = UNKNOWN
    if row.low is not None and row.high is not None:
        interval = f"{row.low:.2f} to {row.high:.2f}"
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
    return "-" if value is None else f"{value:.3f}"


def _parts(board: "Leaderboard") -> tuple[list[str], list[list[str]]]:
    """Return the table of the weighted scores: its head and its rows."""
    head = ["", *(f"{name} ({share:.0%})" for name, share in board.weights.items())]
    rows = [
        [row.name, *(_number(row.parts[name].value) for name in board.weights)]
        for row in board.rows
    ]
    return head, rows


def _brief(board: "Leaderboard", notes: list[str]) -> "tuple[Leaderboard, list[str]]":
    """Call rows that are a run and a model by the model and the end of the run's id."""
    names = {}
    for row in board.rows:
        run_id, colon, model = row.name.partition(":")
        if colon and run_id in notes[0]:
            names[row.name] = f"{model} ({run_id[-4:]})"
    if len(set(names.values())) < len(board.rows):
        return board, notes
    text = board.model_dump_json()
    for name, brief in names.items():
        text = text.replace(name, brief)
        notes = [note.replace(name, brief) for note in notes]
    return type(board).model_validate_json(text), notes


def _tell(
    paper: "Paper", board: "Leaderboard", meant: "Sequence[Run]", notes: Sequence[str]
) -> None:
    head = f"{board.dataset}: run{'s' * (len(meant) > 1)} {', '.join(its.id for its in meant)}"
    board, told = _brief(board, [head, *board.notes, *notes])
    paper.sentence(told[0], "bold")
    paper.table(_titles(board), [_cells(row) for row in board.rows], "><" + ">" * 8)
    paper.sentence("cost and latency are means of a trial; * is on the cost-quality front", "dim")
    if len(board.weights) > 1:
        titles, rows = _parts(board)
        paper.say()
        paper.table(titles, rows, "<" + ">" * len(board.weights))
    if told[1:]:
        paper.say()
    for note in told[1:]:
        paper.sentence(note, indent=2, first="*")


def _markdown(board: "Leaderboard", meant: "Sequence[Run]", notes: Sequence[str]) -> str:
    from pytest_evals.reporters.markup import code, prose
    from pytest_evals.reporters.mdtables import table_head, table_row

    titles = _titles(board)
    lines = [table_head([code(t) if t and t not in _PLAIN else t for t in titles], len(titles) - 2)]
    for one in board.rows:
        rank, name, *cells, front = _cells(one)
        lines.append(table_row([rank, code(name), *cells, "✓" if front else ""]))
    if len(board.weights) > 1:
        names, rows = _parts(board)
        lines += ["", table_head(["", *map(code, names[1:])], len(names) - 1)]
        lines += [table_row([code(cells[0]), *cells[1:]]) for cells in rows]
    ids = ", ".join(code(its.id) for its in meant)
    told = "\n".join(f"- {prose(note)}" for note in (*board.notes, *notes))
    return f"### {code(board.dataset)}, {ids}\n\n" + "\n".join(lines) + f"\n\n{told}".rstrip()


_PLAIN = {"#", "value", "95% interval", "n", "errors", "cost", "latency", "p"}
