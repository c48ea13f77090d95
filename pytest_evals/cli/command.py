"""A command of the command line: its Protocol, and groups of commands. Knows no command."""

import argparse
from dataclasses import dataclass
from typing import Protocol


class Command(Protocol):
    """One command: the texts of its ``--help``, its options, and what it does with them."""

    name: str
    """The word on the command line."""
    help: str
    """One line for the list of commands."""
    description: str
    """What the command does."""
    epilog: str
    """Examples that the parser accepts, then the exit statuses."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments and options to its parser."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return the exit status.

        ``args.usage_error(message)`` exits with status 4. ``args.root_parser`` is the parser of
        the whole command line.

        Raises:
            EvalsError: the command fails; its message is printed, and the status is 1.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGroup:
    """A word with commands below it, such as ``baseline``."""

    name: str
    """The word on the command line."""
    help: str
    """One line for the list of commands."""
    description: str
    """What its commands do."""
    epilog: str
    """Examples that the parser accepts."""
    commands: tuple[Command, ...]
    """The commands below it, in the order of ``--help``."""
