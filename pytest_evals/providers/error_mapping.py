"""Error mapping: from the status and body of an HTTP error to an `AnswerError`.

`error_rules` has the table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers.error_rules import CHALLENGE, PAGE, RULES, STATUSES, Form, Rule
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.parsing import QUOTE_LIMIT, parse_json
from pytest_evals.providers.rate_limit_headers import duration_s, rate_limit, retry_after

_DETAIL_LIMIT = 4_000
"""Characters of an error's body that are kept."""
_CHALLENGE_TITLE = re.compile(r"<title>\s*just a moment", re.IGNORECASE)
_HTML = re.compile(r"\s*<(?:!doctype html|html)", re.IGNORECASE)
_WAIT = re.compile(
    r"(?:retry|try again) (?:after|in)\s+(\d[\d.]*\s*(?:[a-zµ]+)?(?:\d[\d.]*[a-zµ]+)*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as a server wrote it."""

    message: str
    """The server's message; empty if it sent none."""
    text: str
    """Its type, code and message together: the patterns are matched against it."""
    raw: str
    """The beginning of the body."""
    status: int | None = None
    """The HTTP status that the error names."""
    wait_s: float | None = None
    """Seconds that the error asks to wait."""

    @classmethod
    def read(cls, body: bytes) -> "ErrorBody":
        """Read a body of any form."""
        raw = _beginning(body)
        try:
            value = parse_json(body)
        except ValueError:
            return cls("", raw, raw, wait_s=_wait_in(raw))
        return cls.of(value, raw)

    @classmethod
    def of(cls, value: Any, raw: str) -> "ErrorBody":
        """Read a JSON value: an error, or an object or a list that has one."""
        if isinstance(value, list) and value:  # Gemini's OpenAI-compatible endpoint sends a list
            value = value[0]
        error = value.get("error", value) if isinstance(value, dict) else value
        message, text = _message_and_text(value, error)
        status = _status_of(error) if isinstance(error, dict) else None
        waits = [wait for wait in (_wait_in(message), _retry_delay(error)) if wait is not None]
        return cls(message, text, raw, status, max(waits, default=None))


def map_error(
    status: int,
    headers: Headers,
    body: bytes,
    *,
    endpoint: str,
    key: str | None = None,
    error: object = None,
) -> AnswerError:
    """Return the `AnswerError` for an error of a server.

    Args:
        status: the HTTP status. Under a status of success the error's own code decides.
        headers: of the response.
        body: of the response.
        endpoint: the model and its address, for the message (``'gpt-5' at https://...``).
        key: the environment variable with the API key, if one was sent.
        error: the error inside the body, if it is known; by default it is searched for.
    """
    written = ErrorBody.read(body) if error is None else ErrorBody.of(error, _beginning(body))
    limits = rate_limit(headers)
    if 300 <= status < 400:
        location = headers.get("location", "elsewhere")
        rule = Rule(
            source="redirects are not followed",
            type="invalid_request",
            hint=f"it redirects to {location}, which is not followed",
        )
    else:
        rule = _rule(status if status >= 400 else written.status, written, headers)
    transient = rule.transient and headers.get("x-should-retry") != "false"
    wait_s = retry_after(headers, limits)
    return AnswerError(
        rule.type,
        _message(endpoint, status, written, _hint(rule, key)),
        status=status,
        retry_after_s=(written.wait_s if wait_s is None else wait_s) if transient else None,
        transient=transient,
        detail=written.raw or None,
    )


def _rule(status: int | None, error: ErrorBody, headers: Headers) -> Rule:
    """Return the first rule that matches an error.

    Without a status the error's text decides; an error that says nothing is a server's error.
    """
    form = _form(error, headers)
    matching = [
        rule
        for rule in RULES
        if (rule.form is None or rule.form == form)
        and (rule.pattern is None or rule.pattern.search(error.text))
    ]
    if status is None:
        by_text = (rule for rule in matching if rule.pattern is not None)
        return next(by_text, None) or _rule(500, error, headers)
    return next(rule for rule in matching if rule.statuses is None or status in rule.statuses)


def _form(error: ErrorBody, headers: Headers) -> Form | None:
    """Return what a body is, if it is no error of an API."""
    if headers.get("cf-mitigated") == "challenge" or _CHALLENGE_TITLE.search(error.raw):
        return CHALLENGE
    return PAGE if _HTML.match(error.raw) else None


def _hint(rule: Rule, key: str | None) -> str | None:
    """Return what to do."""
    if rule.hint != "{key}":
        return rule.hint
    return f"check the key in {key}" if key else "no key was sent; name one with api_key_env"


def _message(endpoint: str, status: int, error: ErrorBody, hint: str | None) -> str:
    """Return the message of an error."""
    reason = " ".join(error.message.split())
    reason = reason if len(reason) <= QUOTE_LIMIT else reason[:QUOTE_LIMIT] + "…"
    message = f"{endpoint} answered {status}" + (f": {reason}" if reason else "")
    return f"{message} ({hint})" if hint else message


def _beginning(body: bytes) -> str:
    """Return the beginning of a body as text."""
    return body[: _DETAIL_LIMIT * 4].decode("utf-8", "replace")[:_DETAIL_LIMIT]


def _message_and_text(value: Any, error: Any) -> tuple[str, str]:
    """Return an error's message, and all of its text."""
    if isinstance(error, str):
        around = value if isinstance(value, dict) else {}
        return error, f"{error} {around.get('message', '')} {around.get('code', '')}"
    if not isinstance(error, dict):
        return "", "" if error is None else str(error)
    message = error.get("message") or error.get("detail") or ""
    message = message if isinstance(message, str) else str(message)
    details = error.get("details")
    reasons = [
        str(detail["reason"])
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and "reason" in detail
    ]
    words = [str(error.get(key, "")) for key in ("type", "code", "status")]
    return message, " ".join([*words, *reasons, message])


def _status_of(error: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error names by its code, type or status."""
    for name in ("code", "status", "type"):
        value = error.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
        if isinstance(value, str) and value in STATUSES:
            return STATUSES[value]
    return None


def _wait_in(text: str) -> float | None:
    """Return the wait in a sentence such as "Please retry in 4.2s" or "retry after 3 seconds"."""
    match = _WAIT.search(text)
    return None if match is None else duration_s(match[1].rstrip("."))


def _retry_delay(error: Any) -> float | None:
    """Return the wait of Google's ``RetryInfo``."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return duration_s(delay)
    return None
