"""What the commands over the store share: which file is meant, and printing what it holds.

Model output is untrusted: texts are made harmless before they are printed, JSON is written in
ASCII.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.plain_text import paint, use_color

if TYPE_CHECKING:
    from pytest_evals.storage.sqlite import SqliteRunStore

STORE = Path(".evals") / "evals.sqlite"


def add_store(parser: argparse.ArgumentParser) -> None:
    """Give a command the option that names the store."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="PATH",
        help="the file that keeps runs and answers; by default $PYTEST_EVALS_STORE, else the "
        "nearest .evals/evals.sqlite in this folder or one above it",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Give a command the run that is meant."""
    parser.add_argument(
        "run_id", metavar="RUN", help="a run's id, the beginning of one, or `latest`"
    )


def add_trial(parser: argparse.ArgumentParser) -> None:
    """Give a command the trial that may be meant."""
    parser.add_argument(
        "trial",
        metavar="TRIAL",
        nargs="?",
        help="a trial's node id, its name, or a part of it that no other trial has",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command the option that has it print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Give a command over one run the option that names one of its datasets."""
    parser.add_argument("--dataset", metavar="NAME", help="only this dataset of the run")


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Give a command that makes a run the options that say how it is judged."""
    parser.add_argument(
        "--baseline", metavar="SOURCE", help="what to compare with, as --evals-baseline names it"
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail where a comparison is inconclusive"
    )


def add_calls(parser: argparse.ArgumentParser) -> None:
    """Give a command that asks judges the options that limit it."""
    parser.add_argument(
        "--concurrency", type=number, default=10, metavar="N", help="calls at once (default: 10)"
    )
    parser.add_argument(
        "--max-cost", type=usd, metavar="USD", help="stop asking when so much is spent"
    )


def number(text: str) -> int:
    """Parse a whole number.

    Raises:
        ArgumentTypeError: it is none, or below 0.
    """
    value = int(text) if text.isdecimal() else -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, found {text!r}")
    return value


def usd(text: str) -> float:
    """Parse an amount of USD.

    Raises:
        ArgumentTypeError: it is no amount, or below 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected an amount, 0 or more, found {text!r}")
    return value


def store_path(given: Path | None) -> Path:
    """Return the store's file: the one given, the environment's, or the nearest one there is.

    Where there is none, the place where it would be made, for the message.
    """
    named = given or os.environ.get("PYTEST_EVALS_STORE")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / STORE).is_file():
            return folder / STORE
    return here / STORE


def open_runs(args: argparse.Namespace, *, write: bool = False) -> "SqliteRunStore":
    """Open the store that a command line means; it is never made here.

    Raises:
        StoreError: there is none, or it cannot be used.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    return SqliteRunStore(store_path(args.store), write=write)


def say(text: str = "") -> None:
    """Print a harmless text, whatever the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201


def say_json(value: Any) -> None:
    """Print a JSON value, in ASCII."""
    print(json.dumps(value, indent=2))  # noqa: T201


def color(text: str, *styles: str) -> str:
    """Colour a harmless text where the output wants colours."""
    return paint(text, *styles, on=use_color(sys.stdout, os.environ))


def width() -> int | None:
    """Return how wide the terminal is; None where the output is no terminal."""
    return get_terminal_size().columns if sys.stdout.isatty() else None
