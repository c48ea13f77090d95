"""Parse JSON strictly, and find it in code fences and prose."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.scorers.quoting import shown

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


def find_json(
    text: str,
    *,
    want: type | tuple[type, ...] = (dict, list),
    fits: Callable[[Any], bool] | None = None,
    scalar: bool = True,
) -> Json:
    """Find a JSON value: the whole text, else in a code fence, else in prose.

    Args:
        text: the output.
        want: the accepted Python types of a value in prose.
        fits: prefers the first value for which this is true; without one, the first value counts.
        scalar: whether the whole text, or a code fence, may be a value of another type.

    Raises:
        NotJsonError: there is no JSON value.
    """
    first: Any = _NONE
    wrong: NotJsonError | None = None
    try:
        whole = read_json(text)
        if scalar or isinstance(whole, want):
            return whole
        wrong = NotJsonError(f"it is {shown(whole)}, expected an object or an array")
    except NotJsonError as error:
        wrong = error
    for value in _candidates(text, want, scalar=scalar):
        if fits is None or fits(value):
            return value
        first = value if first is _NONE else first
    if first is _NONE:
        raise wrong
    return first


_NONE: Any = object()


def _candidates(text: str, want: type | tuple[type, ...], *, scalar: bool) -> Iterator[Any]:
    """Yield the values in code fences, then the outermost objects and arrays in prose."""
    for match in _FENCE.finditer(text):
        try:
            value = read_json(match.group(2))
        except NotJsonError:
            continue
        if scalar or isinstance(value, want):
            yield value
    end = 0
    for match in islice(re.finditer(r"[\[{]", text), _TRIES):
        if match.start() < end:
            continue
        try:
            value, after = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, want):
            end = after
            yield value
