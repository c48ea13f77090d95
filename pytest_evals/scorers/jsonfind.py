"""JSON in an answer: read strictly, and found when fenced or surrounded by prose."""

import json
import re
from itertools import islice
from typing import Any

from pytest_evals.ground.canonical import Json

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", re.DOTALL | re.MULTILINE)
_TRIES = 200
"""Places in a text where a JSON value may begin that are tried."""


class NotJsonError(ValueError):
    """A text is not JSON, with the reason."""


def _no_constant(word: str) -> Json:
    """Refuse what Python reads and JSON does not know."""
    raise NotJsonError(f"it uses {word}, which JSON does not know")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def read_json(text: str) -> Json:
    """Read a text that is one JSON value and nothing else but white space.

    Raises:
        NotJsonError: it is not, with the place.
    """
    try:
        return _DECODER.decode(text)
    except NotJsonError:
        raise
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJsonError("it is nested too deep to be read") from None
    except ValueError as error:
        raise NotJsonError(str(error)) from None


def find_json(text: str, *, want: type | tuple[type, ...] = (dict, list)) -> Json:
    """Find a JSON value: the whole text, else in a code fence, else the first that stands in prose.

    Args:
        text: the answer.
        want: the Python types of what is looked for in prose.

    Raises:
        NotJsonError: there is none.
    """
    try:
        return read_json(text)
    except NotJsonError as error:
        first = error
    for match in _FENCE.finditer(text):
        try:
            return read_json(match.group(2))
        except NotJsonError:
            continue
    value = _in_prose(text, want)
    if value is _NONE:
        raise first
    return value


_NONE: Any = object()


def _in_prose(text: str, want: type | tuple[type, ...]) -> Json:
    """Return the first value that begins with a bracket anywhere in a text."""
    for match in islice(re.finditer(r"[\[{]", text), _TRIES):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, want):
            return value
    return _NONE
