"""Differences between an expected and an actual JSON value: exact, or by subset."""

from collections.abc import Mapping

from pytest_evals.ground.canonical import Json
from pytest_evals.scorers.boundaries import composed
from pytest_evals.scorers.quoting import shown


def difference(expected: Json, actual: Json, *, exact: bool = False, at: str = "") -> list[str]:
    """Return the differences between two JSON values; empty if there are none.

    Accents are composed. Numbers are compared by value (1 equals 1.0); a bool is never a number.
    Arrays must have the same length and order. An object may have additional keys, at every depth,
    unless `exact`.

    Args:
        expected: the required JSON value.
        actual: the value to check.
        exact: whether additional keys of an object are a difference.
        at: the path to both values, for the messages.
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [f"{_place(at)} is {shown(actual)}, not an object"]
        return _objects(expected, actual, exact=exact, at=at)
    if isinstance(expected, list | tuple):
        if not isinstance(actual, list | tuple):
            return [f"{_place(at)} is {shown(actual)}, not an array"]
        if len(expected) != len(actual):
            return [f"{_place(at)} has {len(actual)} items, not {len(expected)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [
            words
            for i, (want, item) in pairs
            for words in difference(want, item, exact=exact, at=f"{at}[{i}]")
        ]
    if isinstance(expected, str) and isinstance(actual, str):
        expected, actual = composed(expected), composed(actual)
    same = isinstance(expected, bool) == isinstance(actual, bool) and expected == actual
    return [] if same else [f"{_place(at)} is {shown(actual)}, not {shown(expected)}"]


def _objects(
    expected: Mapping[str, Json], actual: Mapping[str, Json], *, exact: bool, at: str
) -> list[str]:
    """Return the differences between two objects."""
    expected, actual = _with_composed_keys(expected), _with_composed_keys(actual)
    wrong: list[str] = []
    for key, value in expected.items():
        key_path = f"{at}.{key}" if at else str(key)
        if key in actual:
            wrong += difference(value, actual[key], exact=exact, at=key_path)
        else:
            wrong.append(f"{_place(key_path)} is missing")
    if exact:
        wrong += [
            f"{_place(f'{at}.{key}' if at else str(key))} is not expected"
            for key in actual
            if key not in expected
        ]
    return wrong


def _with_composed_keys(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return an object whose keys have composed accents; of two equal ones the last counts."""
    if all(key.isascii() for key in value):
        return value
    return {composed(key): item for key, item in value.items()}


def _place(at: str) -> str:
    """Return a path for a message."""
    return f"`{at}`" if at else "the value"
