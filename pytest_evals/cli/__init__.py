"""The ``pytest-evals`` command: datasets and stored runs without a pytest session.

``command`` is the Protocol of a command, ``commands/`` holds one file per command and their table,
``options`` the options that several commands share, ``parser`` builds argparse's parser from the
table, ``stores`` finds the store, ``output`` prints. What a command computes comes from the
packages below: a command parses, calls and prints.
"""

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0 is success, 1 means that something was found (lint problems, no match), 4 is a usage error,
    130 an interrupt by Ctrl-C.
    """
    from pytest_evals.ground.errors import EvalsError
    from pytest_evals.ground.installation import missing_package

    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except ModuleNotFoundError as error:
        problem = missing_package(error)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201 - the command's error output
        return 4
    except EvalsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command's error output
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the command's error output
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    from pytest_evals.cli.commands import COMMANDS
    from pytest_evals.cli.parser import make_parser

    return make_parser(COMMANDS)
