"""``pytest-evals baseline check``: problems of baselines, and their stale lines."""

import argparse
from typing import TYPE_CHECKING

from pytest_evals.cli.options import BASELINE_PATHS, add_output
from pytest_evals.cli.output import Paper, say_json

if TYPE_CHECKING:
    from pytest_evals.baselines.staleness_report import StalenessReport

_CHECK = """\
examples:
  pytest-evals baseline check
  pytest-evals baseline check evals/support.evals.yaml --strict

A line is stale when the input or the assertions of its case changed. It is not compared until a run
of the case is added. A changed prompt or model makes no line stale; the output mentions it.

exit status: 0 when every file is valid; 1 when one is not (truncated, edited by hand, an unresolved
merge, of a newer version), with file:line for each problem. With --strict it is also 1 when lines
are stale, or cases and lines do not match. 4 for usage."""


class BaselineCheckCommand:
    """The command ``pytest-evals baseline check``."""

    name = "check"
    help = "check baselines for problems and stale lines"
    description = (
        "Read baselines and print their problems, line by line. Compare them with their "
        "datasets and print stale lines."
    )
    epilog = _CHECK

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("paths", nargs="*", metavar="PATH", help=BASELINE_PATHS)
        parser.add_argument("--strict", action="store_true", help="exit with 1 for stale lines too")
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Print the problems and the stale lines; 1 for a problem."""
        from pytest_evals.baselines.files import find_files
        from pytest_evals.baselines.staleness import check_baseline
        from pytest_evals.registry import Registry

        registry = Registry.installed()
        reports = [check_baseline(file, registry) for file in find_files(args.paths, registry)]
        failed = any(report.problems or (args.strict and report.stale) for report in reports)
        if args.json:
            rows = [report.json() for report in reports]
            say_json({"schema": 1, "ok": not failed, "baselines": rows})
            return int(failed)
        paper = Paper.of(args)
        for report in reports:
            _print_report(paper, report, strict=args.strict)
        return int(failed)


def _print_report(paper: Paper, report: "StalenessReport", *, strict: bool) -> None:
    """Print the report of one baseline."""
    from pytest_evals.ground.plain_text import counted

    for problem in report.problems:
        paper.sentence(problem, "red")
    if report.problems:
        return
    paper.sentence(f"{report.shown}: whole, {counted(report.lines, 'line')}", "green")
    for label, cases in report.groups():
        styles = ("red",) if strict and label in report.STALE else ("yellow",)
        paper.sentence(f"{label}: {', '.join(cases)}", *styles, indent=2)
    for note in report.notes:
        paper.sentence(note, "dim", indent=2)
