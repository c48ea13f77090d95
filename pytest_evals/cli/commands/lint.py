"""``pytest-evals lint FILE…``: everything that is wrong with datasets, without running them."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.ground.errors import Problem
    from pytest_evals.loaders.base import Checker


_EPILOG = """\
examples:
  pytest-evals lint evals/support.evals.yaml
  pytest-evals lint *.evals.yaml --json

exit status: 0 when nothing is wrong, 1 for a problem, 4 for usage."""


class LintCommand:
    """The command ``pytest-evals lint``."""

    name = "lint"
    help = "check dataset files"
    description = (
        "Check dataset files and print every problem as path:line:column: message. "
        "Exits with 1 for a problem."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a dataset")
        parser.add_argument(
            "--rootdir",
            type=Path,
            metavar="DIR",
            help="included files stay below it (default: the nearest folder above each file "
            "that holds a pytest configuration or a repository)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: argparse.Namespace) -> int:
        """Print the problems; 1 if there is one."""
        from pytest_evals.registry import Registry

        problems = find_problems(args.files, Registry.installed(), rootdir=args.rootdir)
        if args.json:
            rows = [
                {
                    "path": problem.where.path,
                    "line": problem.where.line,
                    "column": problem.where.column,
                    "message": problem.message,
                }
                for problem in problems
            ]
            print(json.dumps(rows, indent=2))  # noqa: T201 - the command's output
        else:
            from pytest_evals.ground.plain_text import neutral

            for problem in problems:
                print(neutral(str(problem)))  # noqa: T201 - the command's output
            print(_summary(len(problems), len(args.files)), file=sys.stderr)  # noqa: T201 - the same
        return 1 if problems else 0


def find_problems(
    files: Iterable[Path], checker: "Checker", *, rootdir: Path | None
) -> "list[Problem]":
    """Return all problems of some datasets.

    Args:
        files: the datasets.
        checker: knows the scorers and providers.
        rootdir: what included files stay below; None finds it for each file as pytest would.
    """
    from pytest_evals.ground.errors import DatasetError
    from pytest_evals.registry.datasets import load_dataset

    problems: list[Problem] = []
    for path in files:
        try:
            load_dataset(path, checker, rootdir=rootdir)
        except DatasetError as error:
            problems.extend(error.problems)
    return problems


def _summary(problems: int, files: int) -> str:
    """Say how it went in one line."""
    count = (
        "no problem" if problems == 0 else "1 problem" if problems == 1 else f"{problems} problems"
    )
    return f"{count} in {'1 file' if files == 1 else f'{files} files'}"
