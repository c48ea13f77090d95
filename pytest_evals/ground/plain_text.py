"""Text for a terminal or a log: escaping, truncation, tables and the format of numbers.

Pure functions. Text from a model or a file passes `neutral` before it is printed. This module knows
nothing of evals.

Number formats. None prints as ``-`` in all of them, because unknown is not zero:

- cost: two significant digits below a cent (``$0.0012``), four decimals below a dollar
  (``$0.1234``), cents above (``$12.34``, ``$1,234.50``); ``$0`` is exactly zero;
- seconds: ``<1 ms``, ``850 ms``, ``3.2 s``, ``42 s``, ``3m 05s``, ``2h 05m``;
- counts: all digits below 100,000 (``12,345``), then three significant ones (``123k``, ``1.23M``).
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

UNKNOWN = "-"
"""Text for an unknown number."""

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters except tab and newline; includes ESC
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the text direction
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible
    "\u2028\u2029"  # line separators
    "\ud800-\udfff"  # lone surrogates, which UTF-8 cannot encode
    "]"
)
_COMMAND = re.compile(
    r"(?<!\S)::(?=[a-z])"  # GitHub: at the start of a line, also indented
    r"|\#(?=\#(?:\[|vso\[|teamcity\[))",  # GitHub, Azure, TeamCity: anywhere in a line
    re.IGNORECASE,
)
_SPACE = re.compile(r"[\n\t]")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_NUMBER = re.compile(r"(-|[<$]?-?[\d.,]+(/\d+)?(k|M|G|%|m|h)?( ?(\d+[sm%]|ms|s))?|)$")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def neutral(text: str, *, lines: bool = True) -> str:
    r"""Escape characters that control a terminal or mislead a reader.

    Control characters (including ``ESC``), direction marks, invisible characters and line
    separators become visible escapes: ``\x1b``, ``\u202e``. ``\r\n`` becomes a newline. Commands
    that the logs of GitHub, Azure and TeamCity obey get a backslash: ``\::error``, ``#\#vso[``.

    Args:
        text: any text, such as a model's response.
        lines: whether newlines and tabs are kept; if false, they are escaped too.
    """
    if not _PLAIN.fullmatch(text):
        text = _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))
    if "::" in text or "##" in text:
        text = _COMMAND.sub(_disarm, text)
    return text if lines else _SPACE.sub(_escape, text)


def _disarm(match: re.Match[str]) -> str:
    """Return a part of a log command with a backslash that makes it a text."""
    return "\\::" if match.group() == "::" else "#\\"


def _escape(match: re.Match[str]) -> str:
    """Return the Python escape of a character."""
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


def display_width(text: str) -> int:
    """Return the display width of a line in columns: wide characters 2, combining ones 0."""
    if text.isascii():
        return len(text)
    return sum(map(_column, text))


def _column(character: str) -> int:
    """Return the display width of one character in columns."""
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """Return a text as one escaped line of at most `width` columns; ``…`` marks a cut."""
    line = neutral(
        " ".join(text.split()) if text[:1].isspace() or "\n" in text else text, lines=False
    )
    if display_width(line) <= width:
        return line
    return _fitting(line, width - 1) + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Return an id as one escaped line of at most `width` columns, with ``…`` in its middle.

    Ids of one family share their beginnings and differ at their ends, so both ends are kept.
    """
    line = neutral(text, lines=False)
    if display_width(line) <= width:
        return line
    if width < 3:
        return shorten(line, width)
    tail = _fitting(line[::-1], (width - 1) // 2)[::-1].lstrip()
    head = _fitting(line, width - 1 - display_width(tail))
    return f"{head}…{tail}"


def _fitting(line: str, room: int) -> str:
    """Return the longest beginning of a line that fits into some columns."""
    for end, character in enumerate(line):
        room -= _column(character)
        if room < 0:
            return line[:end]
    return line


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Return a sentence as lines of at most `width` columns, broken between words.

    Args:
        text: escaped, of one line. A word that is wider than a line is broken inside.
        width: of a line, in columns; at least eight remain beside the indentation.
        indent: number of spaces before each line but the first, where they are part of `text`.
    """
    room = max(8, width - indent)
    lines, line = [], text[:indent]
    empty = True
    for word in text[indent:].split(" "):
        rest = word
        if not empty and display_width(line) + 1 + display_width(rest) - indent > room:
            lines.append(line)
            line, empty = " " * indent, True
        while display_width(line) - indent + display_width(rest) > room and empty:
            part = _fitting(rest, room)
            lines.append(line + part)
            line, rest = " " * indent, rest[len(part) :]
        line += rest if empty else f" {rest}"
        empty = False
    return [*lines, line]


def format_cost(usd: float | None) -> str:
    """Format an amount of USD; see the number formats in the module docstring."""
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
    """Return the number of zeros after the decimal point, after rounding to two digits."""
    return -int(f"{size:.1e}".partition("e")[2]) - 1


def format_seconds(seconds: float | None) -> str:
    """Format a duration; see the number formats in the module docstring."""
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
    """Format a count of tokens or trials; see the number formats in the module docstring."""
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
    """Format rows as an aligned table, one line for each row, without trailing spaces.

    Args:
        header: column titles; empty for no header.
        rows: rows of equal length; each cell is escaped to one line.
        width: maximum line width in columns. The widest cells are shortened to fit, to no less than
            eight columns each, ids (cells without spaces) in the middle. None: no limit.
        align: ``<`` or ``>`` for each column; None right-aligns columns of numbers.
        gap: number of spaces between columns.
    """
    lines = [[neutral(cell, lines=False) for cell in row] for row in [header, *rows] if row]
    if not lines:
        return []
    body = lines[1:] if header else lines
    sides = align or "".join(
        ">" if all(map(_NUMBER.match, column)) else "<" for column in zip(*body, strict=True)
    ).ljust(len(lines[0]), "<")
    widths = [max(map(display_width, column)) for column in zip(*lines, strict=True)]
    if width is not None:
        _squeeze(widths, sum(widths) + gap * (len(widths) - 1) - width)
    return [
        (" " * gap)
        .join(
            _pad(shorten(cell, room) if " " in cell else cut_middle(cell, room), room, side)
            for cell, room, side in zip(row, widths, sides, strict=True)
        )
        .rstrip()
        for row in lines
    ]


def _squeeze(widths: list[int], over: int) -> None:
    """Narrow the widest columns by `over` in total; none becomes narrower than eight."""
    while over > 0 and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
        over -= 1


def _pad(cell: str, room: int, align: str) -> str:
    """Pad a cell to the width of its column."""
    fill = " " * (room - display_width(cell))
    return fill + cell if align == ">" else cell + fill


def use_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour a stream: it is a terminal, not ``dumb``, and ``NO_COLOR`` is unset."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


_CODES = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


def paint(text: str, *styles: str, on: bool) -> str:
    """Add colour codes to a text that is already escaped.

    Args:
        text: the text.
        styles: red, green, yellow, cyan, bold, dim.
        on: whether colours are enabled, see `use_color`.
    """
    if not on or not styles or not text:
        return text
    return f"\x1b[{';'.join(str(_CODES[style]) for style in styles)}m{text}\x1b[0m"


FEWEST_CASES = 3
"""The cases from which an interval is shown: fewer do not show how much cases differ."""


def counted(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[object], limit: int = 5) -> str:
    """Write some names: the first few, and how many more."""
    shown = ", ".join(map(str, names[:limit]))
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
