"""Error mapping: from the status and body of an HTTP error to an `AnswerError`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import AnswerError, ErrorType
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.parsing import QUOTE_LIMIT, parse_json
from pytest_evals.providers.rate_limit_headers import rate_limit, retry_after

_DETAIL_LIMIT = 4_000
"""Characters of an error's body that are kept."""
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
_Mapped = tuple[ErrorType, bool, str | None]
"""An error's type, whether a retry may help, and what to do."""
_BY_STATUS: Mapping[int, _Mapped] = {
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
class ErrorBody:
    """The body of an HTTP error, read."""

    message: str
    """The server's message; empty if it sent none."""
    text: str
    """Its type, code and message together: the patterns are matched against it."""
    raw: str
    """The beginning of the body."""

    @classmethod
    def read(cls, body: bytes) -> "ErrorBody":
        """Read a body of any shape."""
        raw = body[: _DETAIL_LIMIT * 4].decode("utf-8", "replace")[:_DETAIL_LIMIT]
        try:
            value = parse_json(body)
        except ValueError:
            return cls("", raw, raw)
        message, text = _message_and_text(value)
        return cls(message, text, raw)


def _message_and_text(value: Any) -> tuple[str, str]:
    """Return an error's message, and all of its text."""
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


def map_error(
    status: int, headers: Headers, body: bytes, *, endpoint: str, key: str | None = None
) -> AnswerError:
    """Return the `AnswerError` for an HTTP error.

    Args:
        status: the HTTP status.
        headers: of the response.
        body: of the response.
        endpoint: the model and its address, for the message (``'gpt-5' at https://...``).
        key: the environment variable with the API key, if one was sent.
    """
    error = ErrorBody.read(body)
    type_, transient, hint = _map(status, error.text, headers, key)
    if headers.get("x-should-retry") == "false":
        transient = False
    limits = rate_limit(headers)
    reason = " ".join(error.message.split())
    reason = reason if len(reason) <= QUOTE_LIMIT else reason[:QUOTE_LIMIT] + "…"
    message = f"{endpoint} answered {status}" + (f": {reason}" if reason else "")
    return AnswerError(
        type_,
        f"{message} ({hint})" if hint else message,
        status=status,
        retry_after_s=retry_after(headers, limits) if transient else None,
        transient=transient,
        detail=error.raw or None,
    )


def _map(status: int, text: str, headers: Headers, key: str | None) -> _Mapped:
    """Map a status and an error's text."""
    if status < 400:
        location = headers.get("location", "elsewhere")
        return "invalid_request", False, f"it redirects to {location}, which is not followed"
    if status in {401, 403} and not _FILTERED.search(text):
        hint = f"check the key in {key}" if key else "no key was sent; name one with api_key_env"
        return "unauthorized", False, hint
    if status == 429 and _QUOTA.search(text):
        return _BY_STATUS[402]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return ("overloaded" if _OVERLOADED.search(text) else "provider"), True, None
    return _map_bad_request(text), False, None


def _map_bad_request(text: str) -> ErrorType:
    """Tell the errors with status 400 apart."""
    if _OVERFLOW.search(text):
        return "context_overflow"
    if _FILTERED.search(text):
        return "content_filtered"
    if _NO_MODEL.search(text):
        return "model_not_found"
    return "invalid_request"
