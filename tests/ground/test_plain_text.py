"""plaintext: harmless, cut to width, in columns; numbers in words."""

import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.plain_text import (
    cut_middle,
    display_width,
    format_cost,
    format_count,
    format_seconds,
    neutral,
    paint,
    shorten,
    table,
    use_color,
    wrapped,
)

ANY_TEXT = st.text(st.characters(codec=None))
"""Lone surrogates included."""

DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
HARMLESS_FORMATS = "\u00ad\u200c\u200d\u0600\u06dd\u070f\u08e2"


@given(ANY_TEXT)
def test_nothing_that_commands_a_terminal_is_left(text: str) -> None:
    """No control but tab and new line stays, no override of direction, nothing unencodable."""
    shown = neutral(text)
    left = {c for c in shown if unicodedata.category(c) in DANGEROUS} - set("\n\t")
    assert left == set()
    assert not re.search("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", shown)
    assert shown.encode().decode() == shown


@given(ANY_TEXT)
def test_neutral_twice_is_neutral_once(text: str) -> None:
    """What was made harmless is not changed again."""
    assert neutral(neutral(text)) == neutral(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb", r"a\rb"),
        ("a\r\nb", "a\nb"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("é 漢字 👩\u200d🚀", "é 漢字 👩\u200d🚀"),
    ],
)
def test_escapes_are_visible(text: str, expected: str) -> None:
    """What is dangerous is shown, what people write is left."""
    assert neutral(text) == expected


def test_one_line() -> None:
    """New lines and tabs are shown where one line is wanted."""
    assert neutral("a\n\tb", lines=False) == r"a\n\tb"


@given(ANY_TEXT, st.integers(0, 30))
def test_shortened_text_fits(text: str, most: int) -> None:
    """A shortened text is one line that takes no more columns than it may."""
    short = shorten(text, most)
    assert display_width(short) <= most
    assert "\n" not in short


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("thirty days", 11, "thirty days"),
        ("thirty days", 7, "thirty…"),
        ("漢字漢字", 5, "漢字…"),
        ("漢字漢字", 4, "漢…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("first\n  second", 20, "first second"),
        ("x", 0, ""),
    ],
)
def test_shorten(text: str, most: int, expected: str) -> None:
    """Wide characters take two columns, combining ones none."""
    assert shorten(text, most) == expected


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        (None, "-"),
        (0, "$0"),
        (0.0, "$0"),
        (0.00000123, "$0.0000012"),
        (0.000999, "$0.0010"),
        (0.0012, "$0.0012"),
        (0.00994, "$0.0099"),
        (0.00996, "$0.0100"),
        (0.05, "$0.0500"),
        (0.12341, "$0.1234"),
        (0.99994, "$0.9999"),
        (0.99996, "$1.00"),
        (12.344, "$12.34"),
        (1234.5, "$1,234.50"),
    ],
)
def test_cost(usd: float | None, expected: str) -> None:
    """Costs are short and never rounded to nothing."""
    assert format_cost(usd) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.0001, "<1 ms"),
        (0.85, "850 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (3.24, "3.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (3599.6, "1h 00m"),
        (7500, "2h 05m"),
        (360_000, "100h 00m"),
    ],
)
def test_seconds(seconds: float | None, expected: str) -> None:
    """Durations change their unit where they would be rounded up to it."""
    assert format_seconds(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (None, "-"),
        (0, "0"),
        (12_345, "12,345"),
        (99_999, "99,999"),
        (100_000, "100k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_600, "1.00M"),
        (1_234_567, "1.23M"),
        (12_345_678, "12.3M"),
        (1_234_567_890, "1.23G"),
        (12_345_678_901_234, "12,346G"),
    ],
)
def test_count(number: float | None, expected: str) -> None:
    """Counts have all digits while they are short."""
    assert format_count(number) == expected


def test_table() -> None:
    """Numbers stand to the right, texts to the left, no line ends in a space."""
    actual = table(
        ["model", "passed", "cost"], [["gpt", "9/10", "$0.0100"], ["漢字-x", "10/10", "-"]]
    )
    assert actual == [
        "model   passed     cost",
        "gpt       9/10  $0.0100",
        "漢字-x   10/10        -",
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "9/10",
        "9/10 90%",
        "$0.0012",
        "-",
        "850 ms",
        "<1 ms",
        "3.2 s",
        "1m 05s",
        "2h 05m",
        "123k",
        "1.23M",
        "12,345",
        "0.92",
        "",
    ],
)
def test_numbers_stand_to_the_right(cell: str) -> None:
    """Every form that this module writes is taken for a number."""
    assert table(["a" * 12], [[cell]])[1] == cell.rjust(12).rstrip()


@pytest.mark.parametrize("cell", ["20261121-051500-3f9a", "2026-11-21 05:15", "gpt-4", "1a2b3c"])
def test_names_stand_to_the_left(cell: str) -> None:
    """A name or a date that begins with a digit is no number."""
    assert table(["a" * 30], [[cell]])[1] == cell


def test_table_of_nothing() -> None:
    """No rows leave the header; no header leaves nothing."""
    assert table(["a", "b"], []) == ["a  b"]
    assert table([], []) == []


@given(
    st.lists(st.lists(ANY_TEXT, min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(30, 60),
)
def test_a_table_fits(rows: list[list[str]], width: int) -> None:
    """Every line of a table fits, is one line and stands in columns."""
    lines = table(["one", "two", "three"], rows, width=width)
    assert len(lines) == len(rows) + 1
    assert max(map(display_width, lines)) <= width


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_color_is_for_terminals(stream, environ, expected) -> None:
    """Colours only on a terminal, and not where the user wants none."""
    assert use_color(stream, environ) == expected


def test_paint() -> None:
    """Painting is wrapping, or nothing."""
    assert paint("x", "red", "bold", on=True) == "\x1b[31;1mx\x1b[0m"
    assert paint("x", "red", on=False) == "x"


_LOG_COMMANDS = st.sampled_from(
    ["::error::x", "::set-output name=a::b", "##[group]x", "##vso[task]x", "##VSO[a]", "###[x]",
     "##teamcity[message text='x']", " ", "\n", "\t", "\r", "\r\n", "a", ":", "#", "::", "\u2028"]
)  # fmt: skip


def _live(text):
    """Yield the lines that a log parser would obey, written apart from the product's pattern."""
    for line in text.splitlines():
        lowered = line.lower()
        if lowered.lstrip().startswith("::") and lowered.lstrip()[2:3].isalpha():
            yield line
        if any(mark in lowered for mark in ("##[", "##vso[", "##teamcity[")):
            yield line


@given(st.lists(_LOG_COMMANDS | st.text(max_size=3), max_size=6).map("".join), st.booleans())
def test_no_text_of_others_is_a_command_to_a_log(text, lines):
    """Neither at the start of a line, nor indented, nor inside it; and it stays that way."""
    shown = neutral(text, lines=lines)
    assert list(_live(shown)) == []
    assert neutral(shown, lines=lines) == shown
    assert list(_live(shorten(text, 30))) == []


@pytest.mark.parametrize("text", ["tests/test_a.py::test_b", "a :: b", "C++ std::vector", "## Title",
                                  "# [link]", "::", "x::y::z"])  # fmt: skip
def test_other_colons_and_hashes_stay(text):
    """Only commands are changed."""
    assert neutral(text) == text


@given(st.text(), st.integers(3, 40))
def test_an_id_is_cut_in_its_middle(text, width):
    """Its beginning and its end remain, and it fits."""
    short = cut_middle(text, width)
    assert display_width(short) <= width
    if text.isascii() and text.isalnum() and len(text) > width:
        head, tail = short.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(short) == width


@pytest.mark.parametrize("width", [20, 24])
def test_ids_in_a_table_keep_their_ends(width):
    """Ids that differ at their ends remain different."""
    ids = ["claude-sonnet-4-5-20250929-a", "claude-sonnet-4-5-20250929-b"]
    lines = table(["model"], [[name] for name in ids], width=width)
    assert [line[-1] for line in lines[1:]] == ["a", "b"]
    assert all(display_width(line) <= width for line in lines)


@given(st.text(), st.integers(8, 60))
def test_wrapping_loses_nothing_and_fits(text, width):
    """Only spaces between words become new lines, also where characters are wide."""
    text = " ".join(neutral(text, lines=False).split())
    lines = wrapped(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(display_width(line) <= width for line in lines)
