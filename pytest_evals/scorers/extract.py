"""Extract numbers, a box, the letter of a choice, or a code fence from a text. Pure."""

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

from pytest_evals.scorers.boundaries import LETTER


def normalised(text: str) -> str:
    """Return a text in NFKC form, case-folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_NUMBER = re.compile(
    rf"(?<!\.)(?<!{LETTER})[-+\N{{MINUS SIGN}}]?\s?(?:\$|€|£|¥|\uffe5)?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)?(?:(?<=\d)\.\d+|(?<!\d)\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
    r"(?:\s?(?:\N{MULTIPLICATION SIGN}|\\times|\\cdot|[*x\N{MIDDLE DOT}\N{DOT OPERATOR}])\s?10"
    r"(?:\^\s?\{?\s?(?P<power>[-+\N{MINUS SIGN}]?\d{1,3})\s?\}?|(?P<raised>[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]+)))?"
    r"(?:\s?(?P<scale>thousand|million|billion|trillion)\b)?"
)
_GROUPED = re.compile(r"(?<=\d)(?:\{,\}|\\[,;! ]|[\u2009\u202f'\u2019])(?=\d{3}(?!\d))")
"""The marks between groups of digits, besides the comma."""
_FRACTION = re.compile(
    r"(?P<whole>\d+\s?)?\\[dtc]?frac\s*(?:\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d)\s*(\d))"
)
_RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}


def numbers_in(text: str) -> list[str]:
    """Return the numbers in a text as plain decimals, in order.

    Commas and other marks may group digits. A sign, a currency sign, an exponent, a power of ten
    (``3*10^6``), "million" and a fraction of LaTeX are part of the number. Digits inside a word
    (``GPT4``) are ignored.
    """
    numbers = []
    plain = _FRACTION.sub(_quotient, _GROUPED.sub("", text)) if len(text) < _MAX_CHARS else text
    for match in _NUMBER.finditer(plain):
        written = match.group()
        power = (match["power"] or "").replace("\N{MINUS SIGN}", "-")
        power = power or (match["raised"] or "").translate(_RAISED)
        if power or match["scale"]:
            written = written[: len(written) - len(match["scale"] or "")]
            written = re.split(r"\s?(?:[*x\u00d7\u00b7\u22c5]|\\)", written)[0]
        number = re.sub(r"[,\s$€£¥\uffe5]", "", written).replace("\N{MINUS SIGN}", "-")
        if any(c.isdigit() for c in number):
            exponent = int(power or 0) + _SCALES.get(match["scale"] or "", 0)
            numbers.append(_scaled(number, exponent) if exponent else number)
    return numbers


_MAX_CHARS = 1_000_000
"""The length of an output in which marks between groups and fractions are read."""


def _quotient(match: re.Match[str]) -> str:
    """Return the value of a fraction or mixed number of LaTeX as a decimal."""
    above, below = match[2] or match[4], match[3] or match[5]
    if len(match.group()) > 60 or not int(below):
        return match.group()
    value = int(match["whole"] or 0) + Fraction(int(above), int(below))
    return f" {int(value)} " if value.denominator == 1 else f" {float(value)!r} "


def _scaled(number: str, exponent: int) -> str:
    """Multiply a decimal by a power of ten."""
    try:
        return format(Decimal(number).scaleb(exponent), "f")
    except ArithmeticError:
        return number


def boxed(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{…}``, with balanced braces."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    begin = text.index("{", start) + 1
    depth = 1
    for i in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if text[i] in "{}" and text[i - 1] == "\\":
            depth -= {"{": 1, "}": -1}[text[i]]
        if depth == 0:
            return text[begin:i].strip()
    return None


def fenced(text: str) -> str | None:
    """Return the content of the first code fence."""
    match = re.search(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", text, re.DOTALL | re.MULTILINE)
    return match.group(2) if match else None
