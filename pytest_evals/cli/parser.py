"""The parser of the command line, built from a table of commands."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from pytest_evals.cli.command import Command, CommandGroup
from pytest_evals.ground.version import __version__


class HelpFormatter(argparse.HelpFormatter):
    """Fills paragraphs, but keeps the lines of examples: those that begin with two spaces."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Return a description or an epilog as it is shown."""
        shown: list[str] = []
        for paragraph in text.split("\n\n"):
            filled: list[str] = []
            for line in paragraph.split("\n"):
                before = filled[-1] if filled else "  "
                if line.startswith("  ") or before.startswith("  ") or before == "examples:":
                    filled.append(line)
                else:
                    filled[-1] += f" {line}"
            shown.append(
                "\n".join(
                    line
                    if line.startswith("  ")
                    else super(HelpFormatter, self)._fill_text(line, width, "")
                    for line in filled
                )
            )
        return "\n\n".join(shown)


class Parser(argparse.ArgumentParser):
    """argparse with pytest's exit status for usage errors."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with 4 as pytest does."""
        self.print_usage(sys.stderr)
        self.exit(4, f"{self.prog}: error: {message}\n")


def make_parser(commands: Sequence[Command | CommandGroup]) -> argparse.ArgumentParser:
    """Make the parser of the command line.

    Args:
        commands: the table of commands, in the order of ``--help``.
    """
    parser = Parser(prog="pytest-evals", description="Work with eval datasets and stored runs.")
    parser.add_argument("--version", action="version", version=f"pytest-evals-matrix {__version__}")
    _add_commands(parser, commands, root=parser)
    return parser


def _add_commands(
    parser: argparse.ArgumentParser,
    commands: Sequence[Command | CommandGroup],
    *,
    root: argparse.ArgumentParser,
) -> None:
    """Add commands below a parser."""
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands:
        inner = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            epilog=command.epilog,
            formatter_class=HelpFormatter,
            usage=getattr(command, "usage", None),
        )
        if isinstance(command, CommandGroup):
            _add_commands(inner, command.commands, root=root)
        else:
            command.add_arguments(inner)
            inner.set_defaults(run=command.run, usage_error=inner.error, root_parser=root)
