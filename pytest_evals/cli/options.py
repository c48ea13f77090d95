"""Options that several commands share, and the parsers of their values. One group, one function."""

import argparse
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from time import time
from typing import NoReturn

from pytest_evals.ground.errors import SettingsError


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the store."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="PATH",
        help="the file of runs and answers; by default $PYTEST_EVALS_STORE, else the "
        "nearest .evals/evals.sqlite in this folder or one above it",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a run."""
    parser.add_argument("run_id", metavar="RUN", help="a run's id or its beginning, or `latest`")


def add_trial(parser: argparse.ArgumentParser) -> None:
    """Add the argument that may name a trial."""
    parser.add_argument(
        "trial",
        metavar="TRIAL",
        nargs="?",
        help="a trial's node id, its name, a part that only it has, or (in show) a case's id",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_output(parser: argparse.ArgumentParser, *, markdown: bool = False) -> None:
    """Add the options of the output: JSON, Markdown, colours."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    if markdown:
        form.add_argument("--md", action="store_true", help="print Markdown, for a pull request")
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal unless NO_COLOR is set (auto, the default), always or never",
    )


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the option that names one dataset of the run."""
    parser.add_argument("--dataset", metavar="NAME", help="only this dataset of the run")


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that evaluates a run: baseline, strictness."""
    parser.add_argument(
        "--baseline", metavar="SOURCE", help="the baseline, as --evals-baseline names it"
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail if a comparison is inconclusive"
    )


def add_calls(parser: argparse.ArgumentParser) -> None:
    """Add the options that limit the calls of judges."""
    parser.add_argument(
        "--concurrency", type=number, default=10, metavar="N", help="calls at once (default: 10)"
    )
    parser.add_argument(
        "--max-cost", type=usd, metavar="USD", help="make no more calls when this is spent"
    )


def number(text: str) -> int:
    """Parse a whole number.

    Raises:
        ArgumentTypeError: it is not a whole number, or is below 0.
    """
    value = int(text) if text.isdecimal() else -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, found {text!r}")
    return value


def usd(text: str) -> float:
    """Parse an amount of USD.

    Raises:
        ArgumentTypeError: it is not an amount, or is below 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected an amount, 0 or more, found {text!r}")
    return value


_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")


_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


_COMMIT = 4


def moment(text: str, *, end: bool = False) -> float:
    """Parse a time: an age (``12h``, ``7d``, ``2w``) or a date, with a time or without.

    Args:
        text: the value; a date is local.
        end: whether a date without a time is the end of the day.

    Raises:
        ArgumentTypeError: it is neither.
    """
    age = _AGE.fullmatch(text)
    if age:
        return time() - float(age[1]) * _SECONDS[age[2]]
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a date (2026-11-21, 2026-11-21T09:15) or an age (90m, 12h, 7d, 2w), found "
            f"{text!r}"
        ) from None
    if end and len(text) <= len("2026-11-21"):
        parsed = parsed.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return parsed.timestamp()


def until(text: str) -> float:
    """Parse the end of a period: a date includes its whole day."""
    return moment(text, end=True)


def commit(text: str) -> str:
    """Parse the beginning of a commit.

    Raises:
        ArgumentTypeError: it is not hexadecimal, or too short.
    """
    if not re.fullmatch(r"[0-9a-f]+", text.lower()) or len(text) < _COMMIT:
        raise argparse.ArgumentTypeError(
            f"expected {_COMMIT} or more digits of a commit, found {text!r}"
        )
    return text.lower()


def share(text: str) -> float:
    """Parse a score.

    Raises:
        ArgumentTypeError: it is no number.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value


BASELINE_PATHS = (
    "a baseline's file, a folder of them, or a dataset's file; by default every baseline below "
    "this folder"
)
"""Help for the paths of baselines."""


STATUSES = ("complete", "narrowed", "interrupted", "running")
"""The words of `--status`."""


def weights(texts: Sequence[str], usage_error: Callable[[str], NoReturn]) -> dict[str, float]:
    """Parse ``name=2,other=1``; whether the names exist is checked later.

    Args:
        texts: the values of the option.
        usage_error: reports a value that is not ``NAME=NUMBER``, and exits.

    Raises:
        SettingsError: a name is given twice.
    """
    parsed: dict[str, float] = {}
    for part in (part.strip() for text in texts for part in text.split(",") if part.strip()):
        name, _, number = (word.strip() for word in part.rpartition("="))
        try:
            weight = float(number)
        except ValueError:
            usage_error(f"--weights: expected NAME=NUMBER, found {part!r}")
        if not name:
            usage_error(f"--weights: expected NAME=NUMBER, found {part!r}")
        if name in parsed:
            raise SettingsError(f"--weights: {name!r} is given twice")
        parsed[name] = weight
    return parsed
