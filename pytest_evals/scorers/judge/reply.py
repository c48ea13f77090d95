"""Parse the reply of a judge: its one verdict, or the reason why there is none. Never a guess.

The verdict may be bare JSON, fenced, or surrounded by prose. Two different verdicts are rejected:
one of them may be a quotation from the output.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pytest_evals.ground.canonical import Json, canonical
from pytest_evals.scorers.quoting import quoted, shown
from pytest_evals.scorers.reasoning import without_reasoning

MAX_CHARS = 200_000
"""The maximum length of a reply."""
_TRIES = 500
_BEGUN = re.compile(r'\{\s*"')
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")


class BadReplyError(ValueError):
    """A reply without a verdict; the message is sent to the judge."""


def read_object(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object in a reply that has all keys.

    Raises:
        BadReplyError: there is none, or there are several different ones.
    """
    if len(text) > MAX_CHARS:
        raise BadReplyError(f"the reply has {len(text)} characters, at most {MAX_CHARS} are read")
    reply = without_reasoning(text).rpartition("</think>")[2].strip()
    if not reply and text.strip():
        raise BadReplyError("the reply is empty after its reasoning")
    if not reply:
        raise BadReplyError("the reply is empty")
    objects = list(_objects(reply))
    whole = [item for item in objects if all(key in item for key in keys)]
    different = {canonical(item): item for item in whole}
    if len(different) > 1:
        raise BadReplyError(f"the reply holds {len(different)} verdicts that differ")
    if different:
        return next(iter(different.values()))
    if objects:
        missing = ", ".join(f"`{key}`" for key in keys if key not in objects[-1])
        raise BadReplyError(f"the JSON object lacks {missing}")
    raise BadReplyError(f"there is no JSON object in the reply {quoted(reply, limit=80)}")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects in a text, up to the first broken object.

    Text after the beginning of a broken object may be part of it, so it is never a verdict.
    """
    end = 0
    for match in islice(re.finditer(r"\{", text), _TRIES):
        if match.start() < end:
            continue
        try:
            value, end = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            if _BEGUN.match(text, match.start()):
                return
            continue
        if isinstance(value, dict):
            yield value


def _no_constant(word: str) -> Json:
    """Reject NaN and the infinities: they are valid in Python and not in JSON."""
    raise ValueError(f"{word} is no JSON")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Reject duplicate keys: they are ambiguous."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate key")
    return made


def _finite(text: str) -> float:
    """Reject a number that overflows to infinity."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once
)


def number_in(data: Mapping[str, Any], key: str, scale: tuple[float, float]) -> float:
    """Return a number within a scale; a string that contains only a number is accepted.

    Raises:
        BadReplyError: it is missing, not a finite number, or outside the scale. It is never
            clamped.
    """
    low, high = scale
    value = _present(data, key)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected a number")
    # Compare before the conversion: a huge integer overflows a float.
    if not low <= value <= high:
        raise BadReplyError(f"`{key}` is {_short(value)}, outside the scale {low:g} to {high:g}")
    return float(value)


def _short(value: float) -> str:
    """Format a number that may have thousands of digits."""
    return f"{value:g}" if abs(value) < 10**15 else f"{'-' if value < 0 else ''}a huge number"


def bool_in(data: Mapping[str, Any], key: str) -> bool:
    """Return true or false; a string is accepted.

    Raises:
        BadReplyError: it is neither.
    """
    value = _present(data, key)
    if isinstance(value, str):
        value = {"true": True, "false": False, "yes": True, "no": False}.get(value.strip().lower())
    if not isinstance(value, bool):
        raise BadReplyError(f"`{key}` is {shown(data[key], limit=60)}, expected true or false")
    return value


def choice_in(data: Mapping[str, Any], key: str, choices: Sequence[str]) -> str:
    """Return one of the choices, case-insensitively.

    Raises:
        BadReplyError: it is none of them.
    """
    value = _present(data, key)
    text = value.strip() if isinstance(value, str) else value
    if text in choices:
        return str(text)
    folded = [choice for choice in choices if str(text).casefold() == choice.casefold()]
    if isinstance(text, str) and len(folded) == 1:
        return folded[0]
    expected = ", ".join(choices)
    raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected one of: {expected}")


def text_in(data: Mapping[str, Any], key: str) -> str:
    """Return a string.

    Raises:
        BadReplyError: it is not a string.
    """
    value = _present(data, key)
    if not isinstance(value, str):
        raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected a text")
    return value


def rows_in(
    data: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], Any]
) -> list[Any]:
    """Return a list of objects, each parsed by `read`.

    Raises:
        BadReplyError: it is not a list of objects, or `read` rejects one.
    """
    value = _present(data, key)
    if not isinstance(value, list):
        raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected a list")
    made: list[Any] = []
    for i, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadReplyError(f"`{key}[{i}]` is {shown(item, limit=60)}, expected an object")
        try:
            made.append(read(item))
        except BadReplyError as error:
            raise BadReplyError(f"in `{key}[{i}]`: {error}") from None
    return made


def _present(data: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key."""
    if key not in data:
        raise BadReplyError(f"the JSON object lacks `{key}`")
    return data[key]
