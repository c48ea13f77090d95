"""How a JSON value differs from what was wanted: whole, or by subset."""

from collections.abc import Mapping

from pytest_evals.ground.canonical import Json
from pytest_evals.scorers.quoting import shown


def difference(wanted: Json, found: Json, *, exact: bool = False, at: str = "") -> list[str]:
    """Return where `found` is not what is wanted; nothing where it is.

    Numbers are equal when their values are (1 and 1.0), but a bool is no number. Arrays must have
    the same length and order. An object may have more keys than wanted unless `exact`, at every
    depth.

    Args:
        wanted: the JSON value that is asked for.
        found: the value there is.
        exact: whether an object's other keys are a difference.
        at: the way to both, for the messages.
    """
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return [f"{_place(at)} is {shown(found)}, not an object"]
        return _objects(wanted, found, exact=exact, at=at)
    if isinstance(wanted, list | tuple):
        if not isinstance(found, list | tuple):
            return [f"{_place(at)} is {shown(found)}, not an array"]
        if len(wanted) != len(found):
            return [f"{_place(at)} has {len(found)} items, not {len(wanted)}"]
        pairs = enumerate(zip(wanted, found, strict=True))
        return [
            words
            for i, (want, item) in pairs
            for words in difference(want, item, exact=exact, at=f"{at}[{i}]")
        ]
    same = isinstance(wanted, bool) == isinstance(found, bool) and wanted == found
    return [] if same else [f"{_place(at)} is {shown(found)}, not {shown(wanted)}"]


def _objects(
    wanted: Mapping[str, Json], found: Mapping[str, Json], *, exact: bool, at: str
) -> list[str]:
    """Compare two objects."""
    wrong: list[str] = []
    for key, want in wanted.items():
        way = f"{at}.{key}" if at else str(key)
        if key in found:
            wrong += difference(want, found[key], exact=exact, at=way)
        else:
            wrong.append(f"{_place(way)} is missing")
    if exact:
        wrong += [
            f"{_place(f'{at}.{key}' if at else str(key))} is there, unwanted"
            for key in found
            if key not in wanted
        ]
    return wrong


def _place(at: str) -> str:
    """Name a place."""
    return f"`{at}`" if at else "the value"
