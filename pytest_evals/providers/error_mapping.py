"""From a server's refusal to an `AnswerError`: what its status and its body say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.providers.parsing import MOST_SHOWN, parse_json
from pytest_evals.providers.rate_limit_headers import rate_limit, retry_after

if TYPE_CHECKING:
    import httpx

_MOST_DETAIL = 4_000
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context window"
    r"|available context size|prompt is too long|context[_ ]overflow|too many (?:input )?tokens",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content management policy|responsibleai"
    r"|content filtering policy|safety system",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|model_not_exist|not_found_error"
    r"|model\b.{0,80}\b(?:does not exist|not found|is not supported)",
    re.IGNORECASE | re.DOTALL,
)
_QUOTA = re.compile(
    r"insufficient_quota|billing_hard_limit|billing_not_active|insufficient (?:credit|balance)",
    re.IGNORECASE,
)
_Kind = tuple[ErrorType, bool, str | None]
"""An error's type, whether asking again may help, and what to do."""
_BY_STATUS: Mapping[int, _Kind] = {
    402: ("rate_limit", False, "the account has no credit left"),
    404: ("model_not_found", False, "check the model's name and the address"),
    408: ("timeout", True, None),
    409: ("provider", True, None),
    425: ("provider", True, None),
    429: ("rate_limit", True, None),
    503: ("overloaded", True, None),
    529: ("overloaded", True, None),
}
_OVERLOADED = re.compile(r"overloaded|slow_down|unavailable_error", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server's error says."""

    status: int
    message: str
    """Its own words; empty where it gave none."""
    words: str
    """Its type, code and message together: what the patterns are looked for in."""
    body: str
    """The beginning of its body."""

    @classmethod
    def read(cls, status: int, body: bytes) -> "Refusal":
        """Read an error's body, whatever its shape."""
        text = body[: _MOST_DETAIL * 4].decode("utf-8", "replace")[:_MOST_DETAIL]
        try:
            value = parse_json(body)
        except ValueError:
            return cls(status, "", text, text)
        message, words = _said(value)
        return cls(status, message, words, text)


def _said(value: Any) -> tuple[str, str]:
    """Return an error's message, and all of its words."""
    if not isinstance(value, dict):
        return (value, value) if isinstance(value, str) else ("", "")
    error = value.get("error", value)
    if isinstance(error, str):
        return error, f"{error} {value.get('message', '')} {value.get('code', '')}"
    if not isinstance(error, dict):
        return "", str(error)
    message = error.get("message") or error.get("detail") or ""
    message = message if isinstance(message, str) else str(message)
    return message, " ".join(str(error.get(key, "")) for key in ("type", "code", "status")) + (
        f" {message}"
    )


def fault(
    status: int, headers: "httpx.Headers", body: bytes, *, asked: str, key: str | None = None
) -> AnswerError:
    """Make the error of a response that is none.

    Args:
        status: the HTTP status.
        headers: the response's.
        body: its body.
        asked: who was asked for what, for the message (``'gpt-5' at https://...``).
        key: the environment variable that the key was read from, where there was one.
    """
    refusal = Refusal.read(status, body)
    kind, transient, hint = _kind(refusal, headers, key)
    if headers.get("x-should-retry") == "false":
        transient = False
    state = rate_limit(headers)
    said = " ".join(refusal.message.split())
    said = said if len(said) <= MOST_SHOWN else said[:MOST_SHOWN] + "…"
    message = f"{asked} answered {status}" + (f": {said}" if said else "")
    return AnswerError(
        kind,
        f"{message} ({hint})" if hint else message,
        status=status,
        retry_after_s=retry_after(headers, state) if transient else None,
        transient=transient,
        detail=refusal.body or None,
    )


def _kind(refusal: Refusal, headers: "httpx.Headers", key: str | None) -> _Kind:
    """Tell what a refusal is."""
    status, words = refusal.status, refusal.words
    if status < 400:
        place = headers.get("location", "elsewhere")
        return "invalid_request", False, f"it redirects to {place}, which is not followed"
    if status in {401, 403} and not _FILTERED.search(words):
        told = f"check the key in {key}" if key else "no key was sent; name one with api_key_env"
        return "unauthorized", False, told
    if status == 429 and _QUOTA.search(words):
        return _BY_STATUS[402]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return ("overloaded" if _OVERLOADED.search(words) else "provider"), True, None
    return _client_error(words), False, None


def _client_error(words: str) -> ErrorType:
    """Tell the refusals apart that share status 400."""
    if _OVERFLOW.search(words):
        return "context_overflow"
    if _FILTERED.search(words):
        return "content_filtered"
    if _NO_MODEL.search(words):
        return "model_not_found"
    return "invalid_request"
