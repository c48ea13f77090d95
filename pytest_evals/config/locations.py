"""Locations: where the path in an option's text begins, and options that pytest takes for tests."""

import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from pytest_evals.config.option import Option


def path_in(text: str, folder: Path) -> str:
    """Return a path that begins in a folder; an absolute path is itself."""
    return os.path.normpath(folder / text)


def store_in(text: str, folder: Path) -> str:
    """Return the path of a store; ``none`` is no path."""
    return text if text == "none" else path_in(text, folder)


def report_in(text: str, folder: Path) -> str:
    """Return ``NAME=PATH`` with the path in a folder."""
    name, _, path = text.partition("=")
    return f"{name}={path_in(path.strip(), folder)}" if path.strip() else text


def existing_in(text: str, folder: Path) -> str:
    """Return the path if it exists in a folder, else the text: a run, or a revision."""
    path = Path(path_in(text, folder))
    names_path = "/" in text or "\\" in text or path.suffix
    names_revision = ":" in text and not Path(text).is_absolute()
    return str(path) if path.exists() or (names_path and not names_revision) else text


def address_in(text: str, folder: Path) -> str:
    """Return ``sqlite:PATH`` with the path in a folder; other addresses are unchanged."""
    scheme, _, path = text.partition(":")
    return f"sqlite:{path_in(path, folder)}" if scheme == "sqlite" and path else text


def detached_values(words: Sequence[str], options: Iterable[Option]) -> list[tuple[str, str]]:
    """Return the flags and values of options whose value is a word of its own: ``--opt value``."""
    flags = {option.flag for option in options if option.command_line and not option.switch}
    return [
        (word, value)
        for word, value in pairwise(words)
        if word in flags and not value.startswith("-")
    ]
