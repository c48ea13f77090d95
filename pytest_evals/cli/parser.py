"""The parser of the command line, built from a table of commands."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from pytest_evals.cli.argparse_compat import HelpFormatter
from pytest_evals.cli.command import Command, CommandGroup
from pytest_evals.ground.version import __version__


class Parser(argparse.ArgumentParser):
    """argparse with pytest's exit status for usage errors, and a record of what was added."""

    def __init__(self, **settings: Any) -> None:
        self.arguments: list[argparse.Action] = []
        """Its own arguments and options, in the order in which they were added."""
        self.below: dict[str, Parser] = {}
        """The parsers of the commands below it, by name."""
        super().__init__(**settings)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an argument or an option."""
        action = super().add_argument(*names, **settings)
        self.arguments.append(action)
        return action

    def walk(self, *path: str) -> "Iterator[tuple[tuple[str, ...], Parser]]":
        """Yield this parser and all below it, each with the words that lead to it."""
        yield path, self
        for name, parser in self.below.items():
            yield from parser.walk(*path, name)

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and exit with 4 as pytest does."""
        self.print_usage(sys.stderr)
        self.exit(4, f"{self.prog}: error: {message}\n")


def make_parser(commands: Sequence[Command | CommandGroup]) -> Parser:
    """Make the parser of the command line.

    Args:
        commands: the table of commands, in the order of ``--help``.
    """
    parser = Parser(prog="pytest-evals", description="Work with eval datasets and stored runs.")
    parser.add_argument("--version", action="version", version=f"pytest-evals-matrix {__version__}")
    _add_commands(parser, commands, root=parser)
    return parser


def _add_commands(
    parser: Parser, commands: Sequence[Command | CommandGroup], *, root: Parser
) -> None:
    """Add commands below a parser."""
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for command in commands:
        inner = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            epilog=command.epilog,
            formatter_class=HelpFormatter,
            usage=getattr(command, "usage", None),
        )
        parser.below[command.name] = inner
        if isinstance(command, CommandGroup):
            _add_commands(inner, command.commands, root=root)
        else:
            command.add_arguments(inner)
            inner.set_defaults(run=command.run, usage_error=inner.error, root_parser=root)
