"""Text for a terminal or a log: made harmless, cut to width, set in columns; numbers in words.

Pure functions, data in, text out. Whatever a model or a file says passes `neutral` before it is
printed. This module knows nothing of evals.

The rules of the numbers, all of which print ``-`` for None (unknown is not zero):

- cost: two significant digits below a cent (``$0.0012``), four decimals below a dollar
  (``$0.1234``), cents from there on (``$12.34``, ``$1,234.50``); ``$0`` is exactly nothing;
- seconds: ``<1 ms``, ``850 ms``, ``3.2 s``, ``42 s``, ``3m 05s``, ``2h 05m``;
- counts: all digits below 100,000 (``12,345``), then three significant ones (``123k``, ``1.23M``).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

UNKNOWN = "-"
"""What stands for a number that is not known."""

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline; escape sequences begin here
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of what follows
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # show as nothing at all
    "\u2028\u2029"  # new lines to some readers
    "\ud800-\udfff"  # halves of characters, which no encoding can write
    "]"
)
_SPACE = re.compile(r"[\n\t]")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_NUMBER = re.compile(r"(-|[<$]?-?[\d.,]+(/\d+)?(k|M|G|%|m|h)?( ?(\d+[sm%]|ms|s))?|)$")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def neutral(text: str, *, lines: bool = True) -> str:
    r"""Show what could command a terminal or deceive a reader, instead of doing it.

    Control characters (``ESC`` included), marks that turn the direction of text, invisible
    characters and line separators become visible escapes: ``\x1b``, ``\u202e``. ``\r\n`` is a
    plain new line.

    Args:
        text: anything, such as a model's answer.
        lines: whether new lines and tabs stay; else they are shown as escapes too.
    """
    if _PLAIN.fullmatch(text):
        return text
    text = _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))
    return text if lines else _SPACE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    """Write a character as Python would in a string."""
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def columns(text: str) -> int:
    """Return how many columns a line of text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_column, text))


def _column(character: str) -> int:
    """Return how many columns one character takes."""
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, most: int) -> str:
    """Make a text one harmless line of at most `most` columns; what is cut off ends in ``…``."""
    line = neutral(
        " ".join(text.split()) if text[:1].isspace() or "\n" in text else text, lines=False
    )
    if columns(line) <= most:
        return line
    room, end = most - 1, 0
    for character in line:
        room -= _column(character)
        if room < 0:
            break
        end += 1
    return line[:end] + "…" if most > 0 else ""


def format_cost(usd: float | None) -> str:
    """Write an amount of USD; the rules stand at the top of this module."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    size = abs(usd)
    if size >= 0.99995:
        return f"${usd:,.2f}"
    if size >= 0.00995:
        return f"${usd:.4f}"
    return f"${usd:.{max(2, _leading_zeros(size) + 2)}f}"


def _leading_zeros(size: float) -> int:
    """Return how many zeros stand between the point and the first digit of two rounded ones."""
    return -int(f"{size:.1e}".partition("e")[2]) - 1


def format_seconds(seconds: float | None) -> str:
    """Write a duration; the rules stand at the top of this module."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.9995:
        thousandths = f"{seconds * 1000:.0f} ms"
        return "<1 ms" if thousandths == "0 ms" and seconds else thousandths
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h {minutes % 60:02d}m"


def format_count(number: float | None) -> str:
    """Write a number of things (tokens, trials); the rules stand at the top of this module."""
    if number is None:
        return UNKNOWN
    if abs(number) < 100_000:
        return f"{number:,.0f}"
    for power, unit in ((3, "k"), (6, "M"), (9, "G")):
        scaled = number / 10**power
        if abs(scaled) < 999.5 or unit == "G":
            digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            return f"{scaled:,.{digits}f}{unit}"
    raise AssertionError


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    align: str | None = None,
    gap: int = 2,
) -> list[str]:
    """Set rows in columns, one text line each, without spaces at their ends.

    Args:
        header: titles of the columns; empty for none.
        rows: cells, all rows equally long; each cell is made one harmless line.
        width: columns a line may take; the widest cells are shortened to meet it, down to eight
            columns each. None: no limit.
        align: ``<`` or ``>`` for each column; None sets columns of numbers to the right.
        gap: spaces between columns.
    """
    lines = [[neutral(cell, lines=False) for cell in row] for row in [header, *rows] if row]
    if not lines:
        return []
    body = lines[1:] if header else lines
    sides = align or "".join(
        ">" if all(map(_NUMBER.match, column)) else "<" for column in zip(*body, strict=True)
    ).ljust(len(lines[0]), "<")
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    if width is not None:
        _squeeze(widths, sum(widths) + gap * (len(widths) - 1) - width)
    return [
        (" " * gap)
        .join(
            _pad(shorten(cell, room), room, side)
            for cell, room, side in zip(row, widths, sides, strict=True)
        )
        .rstrip()
        for row in lines
    ]


def _squeeze(widths: list[int], over: int) -> None:
    """Take columns from the widest until so many are gone or none is wider than eight."""
    while over > 0 and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
        over -= 1


def _pad(cell: str, room: int, align: str) -> str:
    """Fill a cell up to its column's width."""
    fill = " " * (room - columns(cell))
    return fill + cell if align == ">" else cell + fill


def use_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour what goes to a stream: a terminal, not a dumb one, and no ``NO_COLOR``."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


_CODES = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


def paint(text: str, *styles: str, on: bool) -> str:
    """Colour a text that is already harmless.

    Args:
        text: the text.
        styles: red, green, yellow, cyan, bold, dim.
        on: whether to do it at all, see `use_color`.
    """
    if not on or not styles or not text:
        return text
    return f"\x1b[{';'.join(str(_CODES[style]) for style in styles)}m{text}\x1b[0m"
