"""Plain scalars of YAML by the core schema of YAML 1.2. Pure; knows no parser."""

import re

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.written import written_float, written_int
from pytest_evals.loaders.text import clip

_CONSTANTS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
MAY_BE_OTHER = frozenset("~nNtTfF-+.0123456789")
"""First characters of plain scalars that may be something other than a text."""


def plain_scalar(text: str) -> tuple[Json, str | None]:
    """Return the value of a plain scalar, and what is wrong with it; None if nothing is.

    A number that is not finite, or has too many digits, stays a text.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    try:
        integer = _integer(text)
    except ValueError:
        return text, f"found a number of {len(text)} digits; quote it if it is a text"
    if integer is not None:
        return integer, None
    if _FLOAT.fullmatch(text):
        number = written_float(text)
        if number - number == 0:
            return number, None
    elif not _NOT_FINITE.fullmatch(text):
        return text, None
    return text, f"found {clip(text)}, expected a finite number; quote it if it is a text"


def _integer(text: str) -> int | None:
    """Return an integer; None for any other text.

    Raises:
        ValueError: it has more digits than Python converts.
    """
    if _INT.fullmatch(text):
        return written_int(int(text), text)
    if _BASED.fullmatch(text):
        return written_int(int(text[2:], 8 if text[1] == "o" else 16), text)
    return None
