"""``pytest-evals compare RUN[:MODEL]…``: models or runs against each other, paired by case."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import add_output, add_store
from pytest_evals.cli.output import Paper, say, say_json
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from pytest_evals.archive.stored_tables import StoredTables
    from pytest_evals.comparison.row import ComparisonRow
    from pytest_evals.comparison.side import Operand
    from pytest_evals.stats.corrections import Correction

_EPILOG = """\
examples:
  pytest-evals compare latest                    each model with the first
  pytest-evals compare latest --group-by tag     the same, also for each tag
  pytest-evals compare latest:gpt latest:claude  two models of a run
  pytest-evals compare 20261120-1702 latest      two runs, model by model
  pytest-evals compare latest --of helpful --md  by a scorer, as Markdown

The first operand is the reference. Each case counts once, by the mean of its samples. Cases that
only one side scored, or that were edited between the runs, are left out and listed. The test is a
sign-flip test over cases (exact up to 13 cases), and its interval agrees with it. The p-values of
all rows are corrected together.

exit status: 0 when something was compared, 1 when a run or model does not exist, 4 for usage."""

_CORRECTIONS: "dict[str, Correction]" = {"holm": "holm", "bh": "benjamini-hochberg", "none": "none"}
_TITLES = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": "not corrected"}


class CompareCommand:
    """The command ``pytest-evals compare``."""

    name = "compare"
    help = "compare models, within a run or across runs"
    description = (
        "Compare models on the same cases, within a stored run or across runs: which "
        "is better, by how much, and with which significance."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "words",
            nargs="+",
            metavar="RUN[:MODEL]",
            help="a run's id or its beginning, or `latest`; with :MODEL only that model",
        )
        add_store(parser)
        parser.add_argument("--dataset", metavar="NAME", help="only this dataset of the runs")
        parser.add_argument(
            "--of",
            metavar="SCORER",
            help="compare by this scorer's values, or by `score`, the weighted mean of all "
            "(default: pass@1, the share of samples that pass)",
        )
        parser.add_argument(
            "--group-by",
            metavar="KEY",
            help="also compare for each `tag`, each `scorer`, or each value of a metadata key",
        )
        parser.add_argument(
            "--correction",
            choices=_CORRECTIONS,
            default="holm",
            help="for having looked at several rows: holm (the default), bh "
            "(Benjamini-Hochberg, for exploring), or none",
        )
        parser.add_argument(
            "--all-pairs",
            action="store_true",
            help="compare every pair, instead of each model with the first",
        )
        add_output(parser, markdown=True)

    def run(self, args: argparse.Namespace) -> int:
        """Print the comparisons."""
        from pytest_evals.archive.stored_tables import StoredTables
        from pytest_evals.comparison.operands import parse_operands, shared_datasets

        store = open_runs(args)
        try:
            operands = parse_operands(store, args.words)
            datasets = shared_datasets(operands, args.dataset)
            comparisons = _compare(args, StoredTables(store), operands, datasets)
        finally:
            store.close()
        if args.json:
            say_json(_json(args, comparisons))
        elif args.md:
            say(_markdown(args, comparisons))
        else:
            _print(Paper.of(args), args, comparisons)
        return 0


@dataclass(slots=True)
class _Comparisons:
    """All comparisons of a command line."""

    rows: "list[ComparisonRow]"
    left_out: list[str]
    """Datasets that could not be compared, each with the reason."""

    def groups(self) -> "list[list[ComparisonRow]]":
        """Return the rows by dataset and reference."""
        groups: dict[tuple[str, str], list[ComparisonRow]] = {}
        for row in self.rows:
            groups.setdefault((row.dataset, row.reference.name), []).append(row)
        return list(groups.values())


def _compare(
    args: argparse.Namespace,
    tables: "StoredTables",
    operands: "Sequence[Operand]",
    datasets: Sequence[str],
) -> _Comparisons:
    """Compare in all datasets; the p-values of all rows are one family.

    Raises:
        StoreError: a model is missing, or no dataset can be compared.
        SettingsError: there is no such scorer or key.
    """
    from pytest_evals.comparison.operands import pair_operands
    from pytest_evals.comparison.pairing import compare_pairs, measures_of
    from pytest_evals.comparison.row import ComparisonPlan
    from pytest_evals.ground.errors import EvalsError

    plans: list[ComparisonPlan] = []
    failures: dict[str, EvalsError] = {}
    for name in datasets:
        try:
            pairs = pair_operands(tables, operands, name, all_pairs=args.all_pairs)
            sides = [side for pair in pairs for side in pair]
            plans.append(ComparisonPlan(name, pairs, measures_of(sides, args.of, args.group_by)))
        except EvalsError as error:
            failures[name] = error
    if not plans:
        raise next(iter(failures.values()))
    left_out = [f"{name} is left out: {error}" for name, error in failures.items()]
    return _Comparisons(compare_pairs(plans, correction=_CORRECTIONS[args.correction]), left_out)


def _heading(row: "ComparisonRow") -> str:
    """Return the heading of a group."""
    model = f", {row.reference.model}" if row.reference.label == row.reference.run.id else ""
    return f"{row.dataset}{model}: {row.reference.label} is the reference, paired by case"


def _scope(row: "ComparisonRow", args: argparse.Namespace) -> str:
    """Return what a row is about: a slice, a scorer, or all cases."""
    if args.group_by != "scorer" and row.measure.part is None:
        return "(all)"
    return row.measure.part.value if row.measure.part is not None else row.measure.of


def _titles(args: argparse.Namespace) -> list[str]:
    """Return the titles of the columns."""
    scope = [args.group_by] if args.group_by else []
    return ["", *scope, "cases", "mean", "ref", "change", "95% interval", "p", "+/-"]


def _cells(row: "ComparisonRow", args: argparse.Namespace) -> list[str]:
    """Return the cells of a row."""
    from pytest_evals.comparison.numbers import change_span, level, p_value, points
    from pytest_evals.ground.plain_text import UNKNOWN

    result = row.result
    interval = change_span(result.low, result.high, result.cases, rate=row.is_rate)
    return [
        row.candidate.label,
        *([_scope(row, args)] if args.group_by else []),
        f"{result.cases:,}",
        level(row.candidate_mean, rate=row.is_rate),
        level(row.reference_mean, rate=row.is_rate),
        points(result.change, rate=row.is_rate),
        interval if row.word != "same" else UNKNOWN,
        p_value(result.p_adjusted) if result.cases else "-",
        f"{result.better}/{result.worse}",
    ]


def _is_worth_a_sentence(row: "ComparisonRow") -> bool:
    """Whether a row is about all cases, or significant."""
    return row.measure.part is None or row.result.is_significant


def _print(paper: Paper, args: argparse.Namespace, comparisons: _Comparisons) -> None:
    """Print tables, sentences and notes."""
    from pytest_evals.comparison.sentences import row_notes, row_sentence

    colors = {"better": ("green",), "worse": ("red",)}
    titles = _titles(args)
    align = "<<" + ">" * (len(titles) - 2) if args.group_by else "<" + ">" * (len(titles) - 1)
    for i, rows in enumerate(comparisons.groups()):
        if i:
            paper.say()
        paper.sentence(_heading(rows[0]), "bold")
        paper.table(titles, [_cells(row, args) for row in rows], align)
        paper.say()
        for row in filter(_is_worth_a_sentence, rows):
            paper.sentence(row_sentence(row), *colors.get(row.word, ()), indent=2, first="*")
        for note in row_notes(rows):
            paper.sentence(note, "dim", indent=2)
    footer = [*comparisons.left_out, *_correction_note(args, comparisons)]
    if footer:
        paper.say()
    for text in footer:
        paper.sentence(text, "dim")


def _correction_note(args: argparse.Namespace, comparisons: _Comparisons) -> list[str]:
    """Return a note on the correction of p, for several rows."""
    rows = len(comparisons.rows)
    return [f"p is corrected over {rows} rows: {_TITLES[args.correction]}"] if rows > 1 else []


def _markdown(args: argparse.Namespace, comparisons: _Comparisons) -> str:
    """Return the comparisons as Markdown."""
    from pytest_evals.comparison.sentences import row_notes, row_sentence
    from pytest_evals.reporters.markup import code, prose
    from pytest_evals.reporters.mdtables import table_head, table_row

    parts = []
    titles = _titles(args)
    names = 2 if args.group_by else 1
    for rows in comparisons.groups():
        lines = [table_head(titles, len(titles) - names)]
        for row in rows:
            cells = _cells(row, args)
            lines.append(table_row([*map(code, cells[:names]), *cells[names:]]))
        parts.append(f"### {code(rows[0].dataset)}, against {code(rows[0].reference.label)}")
        parts.append("\n".join(lines))
        sentences = [row_sentence(row) for row in filter(_is_worth_a_sentence, rows)]
        parts.append("\n".join(f"- {prose(text)}" for text in (*sentences, *row_notes(rows))))
    footer = (*comparisons.left_out, *_correction_note(args, comparisons))
    parts += [f"{prose(text)}." for text in footer]
    return "\n\n".join(parts)


def _json(args: argparse.Namespace, comparisons: _Comparisons) -> dict[str, Any]:
    """Return the comparisons as a JSON value."""
    from pytest_evals.comparison.sentences import row_notes

    return {
        "schema": 1,
        "correction": args.correction,
        "rows": [_json_row(row) for row in comparisons.rows],
        "notes": [*row_notes(comparisons.rows), *comparisons.left_out],
    }


def _json_row(row: "ComparisonRow") -> dict[str, Any]:
    """Return a row as a JSON value."""
    from dataclasses import asdict

    from pytest_evals.comparison.sentences import row_sentence

    numbers = asdict(row.result)
    for name in ("name", "dropped"):
        del numbers[name]
    return {
        "dataset": row.dataset,
        "reference": {"run": row.reference.run.id, "model": row.reference.model},
        "candidate": {"run": row.candidate.run.id, "model": row.candidate.model},
        "of": row.measure.of,
        "slice": row.measure.part and row.measure.part.model_dump(),
        "verdict": row.word,
        "reference_mean": row.reference_mean,
        "candidate_mean": row.candidate_mean,
        **numbers,
        "too_few_discordant_pairs": row.result.too_few,
        "dropped": [{"case": drop.case, "reason": drop.reason} for drop in row.dropped],
        "sentence": row_sentence(row),
    }
