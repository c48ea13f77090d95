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
    from pytest_evals.comparison.row import Answer
    from pytest_evals.comparison.side import Operand
    from pytest_evals.stats.corrections import Correction

_EPILOG = """\
examples:
  pytest-evals compare latest                    the models with the first one
  pytest-evals compare latest --group-by tag     the same, also for each tag
  pytest-evals compare latest:gpt latest:claude  two models of a run
  pytest-evals compare 20261120-1702 latest      two runs, model by model
  pytest-evals compare latest --of helpful --md  by a scorer, as Markdown

The first one named is the reference. Each case counts once, by the mean of its samples; what only
one side scored, and what was edited between the runs, is left out and named. The test draws signs
for the changes of the cases (exact up to 13 cases), and its interval agrees with it. The p-values
of all rows shown are corrected together.

exit status: 0 when something was compared, 1 when there is no such thing, 4 for usage."""

_CORRECTIONS: "dict[str, Correction]" = {"holm": "holm", "bh": "benjamini-hochberg", "none": "none"}
_TITLES = {"holm": "Holm", "bh": "Benjamini-Hochberg", "none": "not corrected"}


class CompareCommand:
    """The command ``pytest-evals compare``."""

    name = "compare"
    help = "compare models, within a run or across runs"
    description = (
        "Compare models on the same cases, within a stored run or across runs: which "
        "is better, by how much, and how surely."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "words",
            nargs="+",
            metavar="RUN[:MODEL]",
            help="a run's id, the beginning of one, or `latest`; with a model's id, that model "
            "alone",
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
            help="compare each with each, not all with the first",
        )
        add_output(parser, markdown=True)

    def run(self, args: argparse.Namespace) -> int:
        """Print the comparisons."""
        from pytest_evals.archive.stored_tables import StoredTables
        from pytest_evals.comparison.operands import named, shared_datasets

        store = open_runs(args)
        try:
            meant = named(store, args.words)
            found = _compared(
                args, StoredTables(store), meant, shared_datasets(meant, args.dataset)
            )
        finally:
            store.close()
        if args.json:
            say_json(_json(args, found))
        elif args.md:
            say(_markdown(args, found))
        else:
            _tell(Paper.of(args), args, found)
        return 0


@dataclass(slots=True)
class _Found:
    """What was compared."""

    answers: "list[Answer]"
    left_out: list[str]
    """Datasets that could not be compared, and why."""


def _compared(
    args: argparse.Namespace, runs: "StoredTables", meant: "Sequence[Operand]", names: Sequence[str]
) -> _Found:
    """Compare in all datasets; together they are one family.

    Raises:
        StoreError: a model is not there, or nothing can be compared in any dataset.
        SettingsError: there is no such scorer or key.
    """
    from pytest_evals.comparison.operands import pairs
    from pytest_evals.comparison.pairing import answers, questions
    from pytest_evals.comparison.row import Plan
    from pytest_evals.ground.errors import EvalsError

    plans: list[Plan] = []
    failures: dict[str, EvalsError] = {}
    for name in names:
        try:
            both = pairs(runs, meant, name, every=args.all_pairs)
            asked = questions([side for pair in both for side in pair], args.of, args.group_by)
        except EvalsError as error:
            failures[name] = error
            continue
        plans.append(Plan(name, both, asked))
    if not plans:
        raise next(iter(failures.values()))
    left_out = [f"{name} is left out: {error}" for name, error in failures.items()]
    return _Found(answers(plans, correction=_CORRECTIONS[args.correction]), left_out)


def _head(one: "Answer") -> str:
    """Say who is compared with whom."""
    model = f", {one.reference.model}" if one.reference.label == one.reference.run.id else ""
    return f"{one.dataset}{model}: {one.reference.label} is the reference, paired by case"


def _groups(found: "Sequence[Answer]") -> "list[list[Answer]]":
    """Return the comparisons by dataset and reference."""
    groups: dict[tuple[str, str], list[Answer]] = {}
    for one in found:
        groups.setdefault((one.dataset, one.reference.name), []).append(one)
    return list(groups.values())


def _what(one: "Answer", args: argparse.Namespace) -> str:
    """Return what a row is about: a slice, a scorer, or the whole."""
    if args.group_by != "scorer" and one.question.part is None:
        return "(all)"
    return one.question.part.value if one.question.part is not None else one.question.of


def _titles(args: argparse.Namespace) -> list[str]:
    what = [args.group_by] if args.group_by else []
    return ["", *what, "cases", "mean", "ref", "change", "95% interval", "p", "+/-"]


def _cells(one: "Answer", args: argparse.Namespace) -> list[str]:
    """Return a comparison's cells."""
    from pytest_evals.comparison.numbers import level, p_value, points

    result = one.result
    low, high = (points(x, rate=one.rate) for x in (result.low, result.high))
    return [
        one.candidate.label,
        *([_what(one, args)] if args.group_by else []),
        f"{result.cases:,}",
        level(one.now, rate=one.rate),
        level(one.before, rate=one.rate),
        points(result.change, rate=one.rate),
        f"{low} to {high}" if result.low is not None and one.word != "same" else "-",
        p_value(result.p_adjusted) if result.cases else "-",
        f"{result.better}/{result.worse}",
    ]


def _tell(paper: "Paper", args: argparse.Namespace, found: _Found) -> None:
    from pytest_evals.comparison.sentences import notes, sentence

    colors = {"better": ("green",), "worse": ("red",)}
    for i, group in enumerate(_groups(found.answers)):
        if i:
            paper.say()
        paper.sentence(_head(group[0]), "bold")
        titles = _titles(args)
        align = "<<" + ">" * (len(titles) - 2) if args.group_by else "<" + ">" * (len(titles) - 1)
        paper.table(titles, [_cells(one, args) for one in group], align)
        paper.say()
        for one in group:
            if one.question.part is None or one.result.told:
                paper.sentence(sentence(one), *colors.get(one.word, ()), indent=2, first="*")
        for note in notes(group):
            paper.sentence(note, "dim", indent=2)
    told = [*found.left_out, *_corrected(args, found)]
    if told:
        paper.say()
    for text in told:
        paper.sentence(text, "dim")


def _corrected(args: argparse.Namespace, found: _Found) -> list[str]:
    """Say how p was corrected, where there are several."""
    rows = len(found.answers)
    return [f"p is corrected over {rows} rows: {_TITLES[args.correction]}"] if rows > 1 else []


def _markdown(args: argparse.Namespace, found: _Found) -> str:
    from pytest_evals.comparison.sentences import notes, sentence
    from pytest_evals.reporters.markup import code, prose
    from pytest_evals.reporters.mdtables import table_head, table_row

    parts = []
    for group in _groups(found.answers):
        titles = _titles(args)
        names = 2 if args.group_by else 1
        lines = [table_head(titles, len(titles) - names)]
        for one in group:
            cells = _cells(one, args)
            lines.append(table_row([*map(code, cells[:names]), *cells[names:]]))
        parts.append(f"### {code(group[0].dataset)}, against {code(group[0].reference.label)}")
        parts.append("\n".join(lines))
        told = [sentence(o) for o in group if o.question.part is None or o.result.told]
        parts.append("\n".join(f"- {prose(text)}" for text in (*told, *notes(group))))
    parts += [f"{prose(text)}." for text in (*found.left_out, *_corrected(args, found))]
    return "\n\n".join(parts)


def _json(args: argparse.Namespace, found: _Found) -> dict[str, Any]:
    from dataclasses import asdict

    from pytest_evals.comparison.sentences import notes, sentence

    rows = []
    for one in found.answers:
        numbers = asdict(one.result)
        for left_out in ("name", "dropped"):
            del numbers[left_out]
        rows.append(
            {
                "dataset": one.dataset,
                "reference": {"run": one.reference.run.id, "model": one.reference.model},
                "candidate": {"run": one.candidate.run.id, "model": one.candidate.model},
                "of": one.question.of,
                "slice": one.question.part and one.question.part.model_dump(),
                "verdict": one.word,
                "reference_mean": one.before,
                "candidate_mean": one.now,
                **numbers,
                "too_few_discordant_pairs": one.result.too_few,
                "dropped": [{"case": d.case, "reason": d.reason} for d in one.dropped],
                "sentence": sentence(one),
            }
        )
    told = [*notes(found.answers), *found.left_out]
    return {"schema": 1, "correction": args.correction, "rows": rows, "notes": told}
