"""The rate limits of a server, read from ``Retry-After`` and the rate-limit headers."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from pytest_evals.providers.headers import Headers

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
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h|d)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH_S = 1_000_000_000
"""From here on a bare number is a unix time, not a duration."""
_EPOCH_MS = 100_000_000_000
"""From here on a bare number is a unix time in milliseconds (OpenRouter)."""


def rate_limit(headers: Headers) -> dict[str, Any]:
    """Return the rate limits that the headers report; empty if they report none.

    Keys: ``limit_requests``, ``remaining_requests``, ``limit_tokens``, ``remaining_tokens``
    (counts) and ``reset_requests_s``, ``reset_tokens_s`` (seconds from now). The stricter value of
    a duplicate header counts: the fewer remaining, the later reset.
    """
    limits: dict[str, Any] = {}
    for key, names in _HEADERS.items():
        for name in names:
            if name not in headers:
                continue
            parse = _seconds if key.endswith("_s") else _count
            values = [v for v in map(parse, headers.get_list(name)) if v is not None]
            if values:
                limits[key] = max(values) if key.endswith("_s") else min(values)
                break
    return limits


def retry_after(headers: Headers, limits: Mapping[str, Any]) -> float | None:
    """Return the seconds that a server asks to wait; None if it does not say.

    ``Retry-After`` is seconds or a date (compared with the server's own ``Date``, so that clocks
    need not agree), ``retry-after-ms`` is milliseconds. Without them the reset of an exhausted
    limit counts.

    Args:
        headers: of the response.
        limits: the result of `rate_limit` for them.
    """
    waits = [v / 1000 for v in map(_number, headers.get_list("retry-after-ms")) if v is not None]
    if not waits:
        now = _unix_time(headers.get("date")) or time()
        parsed = (_wait(text, now) for text in headers.get_list("retry-after"))
        waits = [wait for wait in parsed if wait is not None]
    if waits:
        return max(waits)
    resets = [
        limits[f"reset_{unit}_s"]
        for unit in ("requests", "tokens")
        if limits.get(f"remaining_{unit}") == 0 and f"reset_{unit}_s" in limits
    ]
    return max(resets, default=None)


def _wait(text: str, now: float) -> float | None:
    """Read one ``Retry-After``."""
    seconds = _number(text)
    if seconds is not None:
        return seconds
    moment = _unix_time(text)
    return None if moment is None else max(0.0, moment - now)


def _unix_time(text: str | None) -> float | None:
    """Read an HTTP date."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    """Read a number of at least 0."""
    return float(text) if re.fullmatch(r"\s*\d{1,15}(\.\d{1,9})?\s*", text) else None


def _count(text: str) -> int | None:
    """Read a count; the first one of ``100, 100;w=60``."""
    match = re.match(r"\s*(\d{1,15})\b", text)
    return int(match[1]) if match else None


def _seconds(text: str) -> float | None:
    """Read seconds from now: ``1s``, ``6m0s``, ``120ms``, ``12.5``, a unix time or an ISO date."""
    number = _number(text)
    if number is not None and number >= _EPOCH_S:
        return max(0.0, (number / 1000 if number >= _EPOCH_MS else number) - time())
    seconds = duration_s(text)
    if seconds is not None:
        return seconds
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time()) if moment.tzinfo else None


def duration_s(text: str) -> float | None:
    """Read a duration in seconds: ``12.5``, ``1s``, ``6m0s``, ``120ms``, ``3 seconds``."""
    number = _number(text)
    if number is not None:
        return number
    compact = re.sub(r"\s+", "", text.lower())
    compact = re.sub(r"(?<=\d)(?:seconds?|secs?)", "s", compact)
    compact = re.sub(r"(?<=\d)(?:minutes?|mins?)", "m", compact)
    compact = re.sub(r"(?<=\d)(?:milliseconds?|millis)", "ms", compact)
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", compact):
        return None
    return float(sum(float(n) * _UNITS_S[unit] for n, unit in _DURATION.findall(compact)))
