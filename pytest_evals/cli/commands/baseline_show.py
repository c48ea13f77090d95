"""``pytest-evals baseline show``: the committed baselines, model by model and case by case."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import BASELINE_PATHS, add_output, number
from pytest_evals.cli.output import Paper, say_json

if TYPE_CHECKING:
    from pytest_evals.verdict.baseline import Baseline, BaselineLine

_SHOW = """\
examples:
  pytest-evals baseline show evals/support.evals.yaml
  pytest-evals baseline show baselines/support.jsonl --limit 0
  pytest-evals baseline show main:baselines/support.jsonl

exit status: 0, or 1 where there is none or one cannot be read; 4 for usage."""


class BaselineShowCommand:
    """The command ``pytest-evals baseline show``."""

    name = "show"
    help = "show baselines: cases, runs added, pass rates"
    description = (
        "Show baselines: for each model its cases, the runs that were added and the pass rate, "
        "then case by case."
    )
    epilog = _SHOW

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "paths", nargs="*", metavar="PATH", help=f"{BASELINE_PATHS}; or REVISION:PATH of git"
        )
        parser.add_argument(
            "--limit",
            type=number,
            default=40,
            metavar="N",
            help="at most so many lines of each (default: 40; 0 shows all)",
        )
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print baselines."""
        baselines = list(_read(args.paths))
        if args.json:
            rows = [_json(shown, baseline) for shown, baseline in baselines]
            say_json({"schema": 1, "baselines": rows})
            return 0
        paper = Paper.of(args)
        for i, (shown, baseline) in enumerate(baselines):
            if i:
                paper.say()
            _print_baseline(paper, shown, baseline, args.limit)
        return 0


def _read(paths: Sequence[str]) -> "Iterator[tuple[str, Baseline]]":
    """Read the baselines that the user names, also those of a git revision.

    Raises:
        StoreError: a baseline is missing or not valid.
    """
    from pytest_evals.baselines.files import find_files
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.registry import Registry
    from pytest_evals.storage.baseline_file import find_baseline, load_baseline

    def refuse_run(name: str) -> "Baseline":
        raise StoreError(f"{name} is no file; `pytest-evals show {name}` shows a run")

    folder = Path.cwd()
    for text in paths or [""]:
        revision, colon, path = text.partition(":")
        if colon and len(revision) > 1 and path and not Path(text).exists():
            at_revision = find_baseline(
                text,
                rootdir=folder,
                dataset=Path(path).stem,
                dataset_path=folder / "x",
                run=refuse_run,
            )
            yield at_revision.name, at_revision.baseline
            continue
        for file in find_files([text] if text else [], Registry.installed()):
            yield file.shown, load_baseline(file.path, shown=file.shown)


def _print_baseline(paper: Paper, shown: str, baseline: "Baseline", limit: int) -> None:
    """Print a baseline: its models, then its lines."""
    from pytest_evals.ground.plain_text import counted

    cases = {line.case for line in baseline.lines}
    paper.sentence(
        f"{shown}: dataset {baseline.dataset}, {counted(len(cases), 'case')}, "
        f"{counted(len(baseline.models), 'model')}",
        "bold",
    )
    titles = ["model", "cases", "runs", "passed", "rate", "95% interval", "recorded"]
    paper.table(titles, _model_rows(baseline), "<>>>>><")
    paper.say()
    lines = baseline.lines[: limit or None]
    titles = ["case", "passed", "runs", "latency", "cost", "scores"]
    paper.table(titles, [_line_cells(line) for line in lines], "<>>>><")
    if len(lines) < len(baseline.lines):
        more = len(baseline.lines) - len(lines)
        paper.say(f"and {more:,} more (--limit 0 shows all)", "dim")


def _model_rows(baseline: "Baseline") -> list[list[str]]:
    """Return a row of the table for each model."""
    from pytest_evals.baselines.summary import summary_by_model
    from pytest_evals.comparison.numbers import level, span

    return [
        [
            model,
            f"{row['cases']:,}",
            _runs_text(row["runs"]),
            f"{row['passes']:,}/{row['n']:,}",
            level(row["rate"], rate=True),
            span(row["low"], row["high"], row["cases"], rate=True),
            "yes" if row["recorded"] else "no",
        ]
        for model, row in summary_by_model(baseline).items()
    ]


def _line_cells(line: "BaselineLine") -> list[str]:
    """Return the cells of a line."""
    from pytest_evals.ground.plain_text import format_cost, format_seconds

    return [
        f"{line.case}[{line.model}]",
        f"{line.passes}/{line.n}",
        str(len(line.runs)),
        format_seconds(line.mean("latency_s")),
        format_cost(line.mean("cost_usd")),
        ", ".join(f"{name} {line.number(name) or 0:.3g}" for name in line.scorers),
    ]


def _runs_text(runs: Sequence[int]) -> str:
    """Write the smallest and the largest number of runs."""
    lowest, highest = runs
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"


def _json(shown: str, baseline: "Baseline") -> dict[str, Any]:
    """Return a baseline as a JSON value."""
    from pytest_evals.baselines.summary import summary_by_model

    return {
        "path": shown,
        "dataset": baseline.dataset,
        "models": summary_by_model(baseline),
        "lines": [
            {
                "case": line.case,
                "model": line.model,
                "passes": line.passes,
                "n": line.n,
                "runs": len(line.runs),
                "recorded": line.recorded,
                "scores": {name: line.number(name) for name in line.scorers},
                "latency_s": line.mean("latency_s"),
                "cost_usd": line.mean("cost_usd"),
                "digests": line.digests.model_dump(),
            }
            for line in baseline.lines
        ],
    }
