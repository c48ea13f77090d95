"""``pytest-evals compare RUN[:MODEL]…``: models or runs against each other, paired by case."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.tables import Help, add_output

if TYPE_CHECKING:
    from pytest_evals.cli.compare_operands import Named, Runs
    from pytest_evals.cli.pairing import Answer
    from pytest_evals.cli.tables import Paper
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


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.store_options import add_store

    parser = subparsers.add_parser(
        "compare",
        help="compare models, within a run or across runs",
        description="Compare models on the same cases, within a stored run or across runs: which "
        "is better, by how much, and how surely.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="RUN[:MODEL]",
        help="a run's id, the beginning of one, or `latest`; with a model's id, that model alone",
    )
    add_store(parser)
    parser.add_argument("--dataset", metavar="NAME", help="only this dataset of the runs")
    parser.add_argument(
        "--of",
        metavar="SCORER",
        help="compare by this scorer's values, or by `score`, the weighted mean of all (default: "
        "pass@1, the share of samples that pass)",
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
        help="for having looked at several rows: holm (the default), bh (Benjamini-Hochberg, for "
        "exploring), or none",
    )
    parser.add_argument(
        "--all-pairs", action="store_true", help="compare each with each, not all with the first"
    )
    add_output(parser, markdown=True)
    parser.set_defaults(run=run)


@dataclass(slots=True)
class _Found:
    """What was compared."""

    answers: "list[Answer]"
    left_out: list[str]
    """Datasets that could not be compared, and why."""


def run(args: argparse.Namespace) -> int:
    """Print the comparisons."""
    from pytest_evals.cli.compare_operands import Runs, named, shared_datasets
    from pytest_evals.cli.store_options import open_runs, say, say_json
    from pytest_evals.cli.tables import Paper

    store = open_runs(args)
    try:
        meant = named(store, args.words)
        found = _compared(args, Runs(store), meant, shared_datasets(meant, args.dataset))
    finally:
        store.close()
    if args.json:
        say_json(_json(args, found))
    elif args.md:
        say(_markdown(args, found))
    else:
        _tell(Paper.of(args), args, found)
    return 0


def _compared(
    args: argparse.Namespace, runs: "Runs", meant: "Sequence[Named]", names: Sequence[str]
) -> _Found:
    """Compare in all datasets; together they are one family.

    Raises:
        StoreError: a model is not there, or nothing can be compared in any dataset.
        SettingsError: there is no such scorer or key.
    """
    from pytest_evals.cli.compare_operands import pairs
    from pytest_evals.cli.pairing import Plan, answers, questions
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
    from pytest_evals.cli.tables import level, p_value, points

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


def sentence(one: "Answer") -> str:
    """Say one comparison in words."""
    from pytest_evals.cli.tables import counted, points

    result, unit = one.result, " points" if one.rate else ""
    who = f"{one.candidate.label} and {one.reference.label}"
    where = "" if one.question.part is None else f" on {one.question.part}"
    where += "" if one.question.of == "pass@1" else f" in {one.question.of}"
    if not result.cases:
        return f"{who}{where}: no case was scored on both sides."
    cases = counted(result.cases, "case")
    if one.word == "same":
        of = "any of " if result.cases > 1 else ""
        return f"{who}{where}: no difference on {of}{cases}.{_few(one)}"
    if one.word != "unclear":
        change = points(abs(result.change or 0), rate=one.rate).removeprefix("+")
        return (
            f"{one.candidate.label} is {one.word} than {one.reference.label}{where} by "
            f"{change}{unit} (95 % interval {points(result.low, rate=one.rate)} to "
            f"{points(result.high, rate=one.rate)}; {_p(one)})."
        )
    said = f"{who}{where} cannot be told apart by {cases}: "
    said += f"{result.better} better, {result.worse} worse, {_p(one)}."
    said += _few(one)
    if result.smallest is not None and (not one.rate or result.smallest <= 1):
        size = points(result.smallest, rate=one.rate).removeprefix("+")
        said += f" The smallest difference these cases could have shown is {size}{unit}."
    return said


def _p(one: "Answer") -> str:
    from pytest_evals.cli.tables import p_value

    text = p_value(one.result.p_adjusted)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def _few(one: "Answer") -> str:
    """Say that too few cases differ for any test, where that is so."""
    result = one.result
    if not result.too_few:
        return ""
    differ = result.better + result.worse
    told = (
        "no case differs"
        if not differ
        else "1 case differs"
        if differ == 1
        else (f"{differ} cases differ")
    )
    return (
        f" Too few discordant pairs: {told}, and {result.changes_needed} must, all to one side, "
        "before noise is ruled out."
    )


def notes(found: "Sequence[Answer]") -> Iterator[str]:
    """Yield what else a reader should know: the cases left out, and errors."""
    from pytest_evals.cli.tables import counted

    said = set()
    for one in found:
        if one.question.part is not None:
            continue
        reasons: dict[str, list[str]] = {}
        for item in one.dropped:
            reasons.setdefault(item.reason, []).append(item.case)
        for reason, cases in reasons.items():
            shown = ", ".join(cases[:5]) + (f" and {len(cases) - 5} more" if cases[5:] else "")
            said.add(f"not compared: {shown} ({reason})")
        for side in (one.reference, one.candidate):
            trials = side.table.trials(side.model)
            silent = sum(not trial.scored and not trial.unneeded for trial in trials)
            if silent:
                said.add(
                    f"{side.label}: {silent} of {counted(len(trials), 'trial')} have no answer or "
                    "no score and are left out; if these are the hard ones, it looks better than "
                    "it is"
                )
    yield from sorted(said)


def _tell(paper: "Paper", args: argparse.Namespace, found: _Found) -> None:
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
