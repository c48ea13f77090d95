"""Replies: the one verdict in what a judge wrote, or why there is none. Never a guess.

A verdict is read where the reply is JSON, where it is fenced, and where prose surrounds it. Two
verdicts that differ are none: a judge may quote one that the answer brought along.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pytest_evals.ground.canonical import Json, canonical
from pytest_evals.scorers.quoting import quoted, shown

MAX_CHARS = 200_000
"""Characters of a reply that are read; a verdict is short."""
_TRIES = 500
_BEGUN = re.compile(r'\{\s*"')
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")


class BadReplyError(ValueError):
    """A reply without a verdict, in words that the judge can be told."""


def read_object(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return the one JSON object in a reply that has all the keys.

    Raises:
        BadReplyError: there is none, or there are several that differ.
    """
    if len(text) > MAX_CHARS:
        raise BadReplyError(f"the reply has {len(text)} characters, at most {MAX_CHARS} are read")
    reply = text.rpartition("</think>")[2].strip()
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
    """Yield the outermost JSON objects anywhere in a text, up to one that is broken.

    What stands behind the beginning of a broken object may be inside it, so it is nobody's verdict.
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
    """Refuse what Python reads and JSON does not know: NaN and the infinities."""
    raise ValueError(f"{word} is no JSON")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Refuse a key that stands twice: which one is meant is anybody's guess."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _finite(text: str) -> float:
    """Refuse a number that is too large to be one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once
)


def number_in(data: Mapping[str, Any], key: str, scale: tuple[float, float]) -> float:
    """Return a number within a scale; a text that is nothing but a number counts as one.

    Raises:
        BadReplyError: it is missing, no finite number, or outside the scale. It is never clamped.
    """
    low, high = scale
    value = _present(data, key)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected a number")
    # Compared before it becomes a float: a huge integer has none.
    if not low <= value <= high:
        raise BadReplyError(f"`{key}` is {_short(value)}, outside the scale {low:g} to {high:g}")
    return float(value)


def _short(value: float) -> str:
    """Write a number that may have thousands of digits."""
    return f"{value:g}" if abs(value) < 10**15 else f"{'-' if value < 0 else ''}a huge number"


def bool_in(data: Mapping[str, Any], key: str) -> bool:
    """Return true or false, also where it is written as a text.

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
    """Return one of the choices, whatever its letters' case.

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
    """Return a text.

    Raises:
        BadReplyError: it is none.
    """
    value = _present(data, key)
    if not isinstance(value, str):
        raise BadReplyError(f"`{key}` is {shown(value, limit=60)}, expected a text")
    return value


def rows_in(
    data: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], Any]
) -> list[Any]:
    """Return a list of objects, each as `read` makes it.

    Raises:
        BadReplyError: it is no such list, or `read` refuses an object.
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
    """Return a key's value."""
    if key not in data:
        raise BadReplyError(f"the JSON object lacks `{key}`")
    return data[key]
