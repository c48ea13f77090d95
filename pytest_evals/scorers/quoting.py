"""Quote texts and values in messages: on one line, with a length limit."""

from collections.abc import Iterable

from pytest_evals.ground.canonical import Json


def quoted(text: str, *, limit: int = 100) -> str:
    """Quote a text on one line; the middle of a long text is cut, and its length is added."""
    if len(text) <= limit:
        return repr(text)
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]!r} … {text[-tail:]!r} ({len(text)} characters)"


def shown(value: Json, *, limit: int = 100) -> str:
    """Format a JSON value on one line; a long value is cut."""
    import json

    if isinstance(value, str):
        return quoted(value, limit=limit)
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def listed(values: Iterable[Json], *, limit: int = 8) -> str:
    """Format the first values of a list, separated by commas."""
    items = list(values)
    words = ", ".join(shown(item, limit=60) for item in items[:limit])
    return f"{words} and {len(items) - limit} more" if len(items) > limit else words


def as_text(value: Json) -> str:
    """Return a scalar as YAML writes it: ``true``, ``42``, a string unchanged."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
