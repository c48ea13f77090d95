"""What a server says of its limits: ``Retry-After`` and the rate-limit headers, in one shape."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "limit_requests": (
        "x-ratelimit-limit-requests",
        "anthropic-ratelimit-requests-limit",
        "x-ratelimit-limit",
        "ratelimit-limit",
    ),
    "remaining_requests": (
        "x-ratelimit-remaining-requests",
        "anthropic-ratelimit-requests-remaining",
        "x-ratelimit-remaining",
        "ratelimit-remaining",
    ),
    "reset_requests_s": (
        "x-ratelimit-reset-requests",
        "anthropic-ratelimit-requests-reset",
        "x-ratelimit-reset",
        "ratelimit-reset",
    ),
    "limit_tokens": ("x-ratelimit-limit-tokens", "anthropic-ratelimit-tokens-limit"),
    "remaining_tokens": ("x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining"),
    "reset_tokens_s": ("x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH_S = 1_000_000_000
"""A bare number from here on is a moment and not a length of time."""


def rate_limit(headers: "httpx.Headers") -> dict[str, Any]:
    """Return what the headers say of limits; empty where they say nothing.

    Keys: ``limit_requests``, ``remaining_requests``, ``limit_tokens``, ``remaining_tokens``
    (counts) and ``reset_requests_s``, ``reset_tokens_s`` (seconds from now). Of a header that
    stands twice the stricter value is taken: the fewer left, the later reset.
    """
    state: dict[str, Any] = {}
    present = set(headers.keys())
    for key, names in _HEADERS.items():
        for name in names:
            if name not in present:
                continue
            parse = _seconds if key.endswith("_s") else _count
            values = [v for v in map(parse, headers.get_list(name)) if v is not None]
            if values:
                state[key] = max(values) if key.endswith("_s") else min(values)
                break
    return state


def retry_after(headers: "httpx.Headers", state: Mapping[str, Any]) -> float | None:
    """Return how long a server asks to wait, in seconds; None where it does not say.

    ``Retry-After`` is read as seconds or as a date (against the server's own ``Date``, so that
    clocks need not agree), ``retry-after-ms`` as milliseconds; without them, the reset of the limit
    that is used up.

    Args:
        headers: the response's.
        state: what `rate_limit` made of them.
    """
    waits = [v / 1000 for v in map(_number, headers.get_list("retry-after-ms")) if v is not None]
    if not waits:
        now = _moment(headers.get("date")) or time()
        found = (_wait(text, now) for text in headers.get_list("retry-after"))
        waits = [wait for wait in found if wait is not None]
    if waits:
        return max(waits)
    spent = [
        state[f"reset_{kind}_s"]
        for kind in ("requests", "tokens")
        if state.get(f"remaining_{kind}") == 0 and f"reset_{kind}_s" in state
    ]
    return max(spent, default=None)


def _wait(text: str, now: float) -> float | None:
    """Read one ``Retry-After``."""
    seconds = _number(text)
    if seconds is not None:
        return seconds
    moment = _moment(text)
    return None if moment is None else max(0.0, moment - now)


def _moment(text: str | None) -> float | None:
    """Read an HTTP date, as seconds since the epoch."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    """Read a number of at least 0."""
    return float(text) if re.fullmatch(r"\s*\d{1,15}(\.\d{1,9})?\s*", text) else None


def _count(text: str) -> int | None:
    """Read a count; of ``100, 100;w=60`` the first."""
    found = re.match(r"\s*(\d{1,15})\b", text)
    return int(found[1]) if found else None


def _seconds(text: str) -> float | None:
    """Read seconds from now: ``1s``, ``6m0s``, ``120ms``, ``12.5``, an epoch or an ISO date."""
    number = _number(text)
    if number is not None:
        return number if number < _EPOCH_S else max(0.0, number - time())
    text = text.strip()
    if re.fullmatch(f"(?:{_PART.pattern})+", text):
        return float(sum(float(n) * _UNITS_S[unit] for n, unit in _PART.findall(text)))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time()) if moment.tzinfo else None
