"""How the commands over the store are printed: colours, width, changes of numbers and of texts.

Everything that is printed passes `neutral` here or in the table; nothing is decided here.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from pytest_evals.cli.store_options import say
from pytest_evals.ground.plain_text import UNKNOWN, neutral, paint, shorten, table, use_color

MINUS = "\N{MINUS SIGN}"
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_WORDS = 2000
_MOST_SHOWN = 400
_ALIKE = 0.4
"""Texts that share fewer of their words are shown one after the other."""
_CONTEXT = 32
_MOST_LINES = 16


class Help(argparse.HelpFormatter):
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
                    line if line.startswith("  ") else super(Help, self)._fill_text(line, width, "")
                    for line in filled
                )
            )
        return "\n\n".join(shown)


def add_output(parser: argparse.ArgumentParser, *, markdown: bool = False) -> None:
    """Give a command the options that say how it prints."""
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


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed on."""

    color: bool
    """Whether colours are wanted."""
    width: int | None
    """Columns of the terminal, or of ``$COLUMNS`` where that is exported; else None: no limit."""

    @classmethod
    def of(cls, args: argparse.Namespace) -> "Paper":
        """Return what a command line prints on."""
        wanted = getattr(args, "color", "auto")
        color = use_color(sys.stdout, os.environ) if wanted == "auto" else wanted == "always"
        wide = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
        width = get_terminal_size().columns if wide else None
        return cls(color, width)

    def paint(self, text: str, *styles: str) -> str:
        """Colour a harmless text."""
        return paint(text, *styles, on=self.color)

    def say(self, text: str = "", *styles: str) -> None:
        """Print a line, made harmless."""
        say(self.paint(neutral(text, lines=False), *styles))

    def sentence(self, text: str, *styles: str, indent: int = 0, first: str = "") -> None:
        """Print a sentence over as many lines as it takes.

        Args:
            text: the sentence.
            styles: its colours.
            indent: spaces before each line.
            first: what stands in these spaces on the first line.
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

    def changed(self, parts: "Sequence[Part]") -> str:
        """Return a text with what was taken out and what was put in."""
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


Part = tuple[str, str]
"""A piece of a changed text: a space (it stayed), ``-`` (taken out) or ``+`` (put in); the text."""


def words_changed(before: str, now: str) -> list[Part]:
    """Return how one line became another, word by word; long stretches that stayed are cut.

    Args:
        before: the text before; it is made harmless and set on one line.
        now: the text now.
    """
    one, two = (_words(text) for text in (before, now))
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    same = (one[i] for a, _, n in matcher.get_matching_blocks() for i in range(a, a + n))
    words = max(sum(not word.isspace() for word in side) for side in (one, two))
    if sum(not word.isspace() for word in same) < _ALIKE * words:
        old, new = (shorten("".join(side), _MOST_SHOWN) for side in (one, two))
        return [part for part in (("-", old), (" ", " "), ("+", new)) if part[1]]
    parts: list[Part] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        old, new = "".join(one[a:b]), "".join(two[c:d])
        if kind == "equal":
            last = b == len(one) and d == len(two)
            parts.append((" ", _cut(old, start=not (a or c), end=last)))
            continue
        parts += [("-", old)] if old else []
        parts += [("+", new)] if new else []
    return parts


def _words(text: str) -> list[str]:
    return _WORD.findall(neutral(" ".join(text.split()), lines=False))[:_MOST_WORDS]


def _cut(text: str, *, start: bool, end: bool) -> str:
    """Cut what stayed the same to what stands beside a change."""
    if len(text) <= 2 * _CONTEXT + 5:
        return text
    head = "" if start else text[:_CONTEXT]
    return f"{head} ... {'' if end else text[-_CONTEXT:]}".lstrip(" " if start else "")


def lines_changed(before: str, now: str) -> Iterator[Part]:
    """Yield how a text of several lines became another: the changed lines and one around them."""
    one, two = (neutral(text).expandtabs(4).split("\n") for text in (before, now))
    changed = [
        line for line in unified_diff(one, two, n=1, lineterm="") if not line.startswith("@@")
    ][2:]
    for line in changed[:_MOST_LINES]:
        yield line[0], line[1:]
    if len(changed) > _MOST_LINES:
        yield " ", f"... {len(changed) - _MOST_LINES} more changed lines"


def points(change: float | None, *, rate: bool) -> str:
    """Write a change with its sign: of a rate in points of 100, else as it is."""
    if change is None:
        return UNKNOWN
    text = f"{abs(100 * change):.1f}" if rate else f"{abs(change):.3g}"
    zero = float(text) == 0
    return text if zero else f"{MINUS if change < 0 else '+'}{text}"


def level(value: float | None, *, rate: bool) -> str:
    """Write a rate in percent, or a score as it is."""
    if value is None:
        return UNKNOWN
    return f"{100 * value:.1f}%" if rate else f"{value:.3g}"


def span(low: float | None, high: float | None, *, rate: bool) -> str:
    """Write an interval."""
    if low is None or high is None:
        return UNKNOWN
    return f"{level(low, rate=rate)} to {level(high, rate=rate)}"


def p_value(p: float | None) -> str:
    """Write a p-value."""
    if p is None:
        return UNKNOWN
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[Any], most: int = 5) -> str:
    """Write some names: the first few, and how many more."""
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
