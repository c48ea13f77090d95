"""How scorers speak of a user's text: quoted, on one line, and never longer than a line."""

from collections.abc import Iterable

from pytest_evals.ground.canonical import Json


def quoted(text: str, *, limit: int = 100) -> str:
    """Quote a text on one line; the middle of a long one is left out, with its length."""
    if len(text) <= limit:
        return repr(text)
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]!r} … {text[-tail:]!r} ({len(text)} characters)"


def shown(value: Json, *, limit: int = 100) -> str:
    """Write a JSON value on one line, cut where it is long."""
    import json

    if isinstance(value, str):
        return quoted(value, limit=limit)
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def listed(values: Iterable[Json], *, limit: int = 8) -> str:
    """Write values one after another, the first ones of many."""
    items = list(values)
    words = ", ".join(shown(item, limit=60) for item in items[:limit])
    return f"{words} and {len(items) - limit} more" if len(items) > limit else words


def as_text(value: Json) -> str:
    """Return the text of a scalar as YAML would write it: ``true``, ``42``, the text itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
