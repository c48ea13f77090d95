"""The ``pytest-evals`` command: what can be done without pytest, over datasets and the store.

Each subcommand is a file with ``add(subparsers)``. This module imports them only when it runs.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from pytest_evals.ground.version import __version__

COMMANDS = (
    "init",
    "lint",
    "schema",
    "plugins",
    "completion",
    "runs",
    "show",
    "diff",
    "compare",
    "leaderboard",
    "baseline",
    "export",
    "import",
    "curate",
    "score",
    "calibrate",
    "merge",
    "rescore",
    "estimate",
    "prune",
)

_MODULES = {"import": "import_"}
"""The files of commands whose names Python keeps for itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0 when all is well, 1 when something was found (lint problems, nothing matched), 4 for usage,
    130 after Ctrl-C.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    from pytest_evals.ground.errors import EvalsError

    try:
        return int(args.run(args))
    except EvalsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command's own voice
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the same
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with every subcommand."""
    parser = _Parser(prog="pytest-evals", description="Work with eval datasets and stored runs.")
    parser.add_argument("--version", action="version", version=f"pytest-evals-matrix {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"{__name__}.{_MODULES.get(name, name)}").add(subparsers)
    return parser


class _Parser(argparse.ArgumentParser):
    """argparse with pytest's exit status for usage errors."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        """Say what is wrong and exit with 4, as pytest does."""
        self.print_usage(sys.stderr)
        self.exit(4, f"{self.prog}: error: {message}\n")
