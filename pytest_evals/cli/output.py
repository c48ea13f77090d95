"""Printing: colours, the terminal's width, tables, sentences and JSON.

Model output is untrusted. Every text passes `neutral` here or in the table; JSON is ASCII.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from pytest_evals.comparison.text_changes import Part
from pytest_evals.ground.plain_text import neutral, paint, table, use_color


def say(text: str = "") -> None:
    """Print an escaped text in the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201


def say_json(value: Any) -> None:
    """Print a JSON value, in ASCII."""
    print(json.dumps(value, indent=2))  # noqa: T201


def color(text: str, *styles: str) -> str:
    """Colour an escaped text if the output shows colours."""
    return paint(text, *styles, on=use_color(sys.stdout, os.environ))


def width() -> int | None:
    """Return the width of the terminal; None if the output is not a terminal."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


@dataclass(frozen=True, slots=True)
class Paper:
    """The terminal or file that a command prints to."""

    color: bool
    """Whether colours are shown."""
    width: int | None
    """Columns of the terminal, or ``$COLUMNS`` if exported; else None: no limit."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Paper":
        """Return the output of a command line."""
        mode = getattr(args, "color", "auto")
        color = use_color(sys.stdout, os.environ) if mode == "auto" else mode == "always"
        wide = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
        width = get_terminal_size().columns if wide else None
        return cls(color, width)

    def paint(self, text: str, *styles: str) -> str:
        """Colour an escaped text."""
        return paint(text, *styles, on=self.color)

    def say(self, text: str = "", *styles: str) -> None:
        """Escape and print a line."""
        say(self.paint(neutral(text, lines=False), *styles))

    def sentence(self, text: str, *styles: str, indent: int = 0, first: str = "") -> None:
        """Print a sentence, wrapped to the width.

        Args:
            text: the sentence.
            styles: its colours.
            indent: spaces before each line.
            first: the text in the indentation of the first line.
        """
        room = 10_000 if self.width is None else max(24, self.width - indent)
        text = neutral(text, lines=False)
        lines = wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]
        for i, line in enumerate(lines):
            before = (first if not i else "").ljust(indent)
            say(f"{before}{self.paint(line, *styles)}")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> None:
        """Print rows in columns that fit."""
        for i, line in enumerate(table(header, rows, width=self.width, align=align)):
            say(self.paint(line, "bold") if not i else line)

    def changed(self, parts: Sequence[Part]) -> str:
        """Return a text with its removed and added parts marked."""
        return "".join(
            text
            if mark == " "
            else self.paint(text, "red" if mark == "-" else "green")
            if self.color
            else f"[-{text}-]"
            if mark == "-"
            else f"{{+{text}+}}"
            for mark, text in parts
        )
