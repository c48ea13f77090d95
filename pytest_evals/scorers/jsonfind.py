"""Parse JSON strictly, and find it in code fences and prose."""

import json
import re
from itertools import islice
from typing import Any

from pytest_evals.ground.canonical import Json

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", re.DOTALL | re.MULTILINE)
_TRIES = 200
"""The maximum number of positions at which a JSON value is tried."""


class NotJsonError(ValueError):
    """A text is not JSON; the message says why."""


def _no_constant(word: str) -> Json:
    """Reject NaN and the infinities: they are valid in Python and not in JSON."""
    raise NotJsonError(f"it contains {word}, which is not valid JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def read_json(text: str) -> Json:
    """Parse a text that contains one JSON value and whitespace.

    Raises:
        NotJsonError: the text is not JSON; with the position.
    """
    try:
        return _DECODER.decode(text)
    except NotJsonError:
        raise
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJsonError("it is nested too deep to be parsed") from None
    except ValueError as error:
        raise NotJsonError(str(error)) from None


def find_json(text: str, *, want: type | tuple[type, ...] = (dict, list)) -> Json:
    """Find a JSON value: the whole text, else in a code fence, else the first one in prose.

    Args:
        text: the output.
        want: the accepted Python types of a value in prose.

    Raises:
        NotJsonError: there is no JSON value.
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
    """Return the first object or array in a text; `_NONE` without one."""
    for match in islice(re.finditer(r"[\[{]", text), _TRIES):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, want):
            return value
    return _NONE
