"""HTTP calls of an application and their answers, in the forms that are compared and stored.

This module knows HTTP messages and the bodies of model APIs. It sends nothing and knows nothing of
trials and stores.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pytest_evals.exchange import Response, Usage
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import StoreError
from pytest_evals.providers.openai_format import error_in, failure_of
from pytest_evals.providers.parsing import parse_json
from pytest_evals.providers.usage import usage_in

ENDPOINTS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    "/messages/count_tokens",
    "/moderations",
    "/rerank",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    ":generateContent",
    ":streamGenerateContent",
    ":embedContent",
)
"""Suffixes of the addresses of model APIs: OpenAI-compatible, Anthropic, Ollama, Gemini."""
MAX_STORED_BYTES = 16 * 1024 * 1024
"""Larger answers are passed on and not stored."""
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
_SECRET_QUERY = re.compile(r"(?i)key|token|secret|sig|password|credential")
_TRANSFER_HEADERS = frozenset(
    {"content-encoding", "content-length", "transfer-encoding", "connection"}
)
_EVENT_END = re.compile(r"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_TEXTUAL = re.compile(r"(?i)^(text/|application/([\w.+-]*\+)?(json|x-ndjson|jsonl|xml)\b)")
_BOUNDARY = re.compile(rb"(?i)multipart/.*?boundary=\"?([^\";,]+)\"?")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request of an application, with its whole body."""

    method: str
    url: str
    headers: Mapping[str, str]
    """By lower-case name; neither compared nor stored."""
    body: bytes = b""

    def public_url(self) -> str:
        """Return the address without secrets: user names, and keys in the query."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        query = [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _SECRET_QUERY.search(name)
        ]
        return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))

    def content(self) -> Json:
        """Return the body for comparison: parsed JSON, or the digest of anything else."""
        if not self.body:
            return None
        try:
            value = parse_json(self.body)
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError):
            pass
        else:
            return value
        body = self.body
        form = _BOUNDARY.match(self.headers.get("content-type", "").encode("latin-1", "replace"))
        if form is not None:  # the boundary is random
            body = body.replace(form[1], b"boundary")
        return sha256(body).hexdigest()

    def model(self) -> str | None:
        """Return the name of the model from the body or the address; None if neither has it."""
        content = self.content()
        name = content.get("model") if isinstance(content, dict) else None
        if isinstance(name, str):
            return name
        match = re.search(r"/models/([^/:]+):\w+$", urlsplit(self.url).path)
        return match[1] if match else None

    def identity(self) -> dict[str, Json]:
        """Return everything that can change the answer: method, address and body."""
        content = self.content()
        body = content if isinstance(content, dict) else {"content": content}
        return {"method": self.method.upper(), "url": self.public_url(), "body": body}

    def secrets(self) -> tuple[str, ...]:
        """Return its credentials, which are removed from answers that repeat them."""
        values = [
            self.headers[name].rpartition(" ")[2] for name in _SECRET_HEADERS & self.headers.keys()
        ]
        query = parse_qsl(urlsplit(self.url).query)
        values += [value for name, value in query if _SECRET_QUERY.search(name)]
        return tuple(value for value in values if len(value) >= 6)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer as an application receives it, decoded."""

    status: int
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b""
    not_stored: str | None = None
    """Why it is passed on without being stored; None if it is stored."""

    @property
    def type(self) -> str:
        """Its content type without parameters; empty if it has none."""
        header = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return header.partition(";")[0].strip().lower()

    def parts(self) -> list[bytes]:
        """Return the body in the parts that are passed on: an event stream by event."""
        if self.type != "text/event-stream":
            return [self.body] if self.body else []
        text = self.body.decode("utf-8", "replace")
        return [part.encode() for part in _EVENT_END.split(text) if part]


def answer_headers(pairs: Iterator[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that remain valid for a decoded body."""
    return tuple((name, value) for name, value in pairs if name.lower() not in _TRANSFER_HEADERS)


def is_text(content_type: str) -> bool:
    """Return whether answers of this type are stored; audio, images and files are not."""
    return not content_type or _TEXTUAL.match(content_type) is not None


@dataclass(slots=True)
class AnswerSummary:
    """Usage, model and completeness of an answer."""

    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    fault: str | None = None
    """Why it is incomplete or an error despite its status; None if it is complete."""


def stored_response(answer: HttpAnswer, call: HttpCall) -> Response:
    """Return the response that is stored for an answer, without the credentials of the call.

    `Response.data` has ``status``, ``type`` and the body as ``json``, ``events`` or ``text``.
    """
    text = answer.body.decode("utf-8", "replace")
    for secret in call.secrets():
        text = text.replace(secret, "[redacted]")
    data: dict[str, Json] = {"status": answer.status, "type": answer.type}
    if answer.type == "text/event-stream":
        data["events"] = [part for part in _EVENT_END.split(text) if part]
    else:
        value = _json(text)
        data.update({"text": text} if value is None else {"json": value})
    summary = read_answer(answer)
    return Response(data=data, usage=summary.usage, model=summary.model)


def replay_answer(response: Response) -> HttpAnswer:
    """Return a stored answer as an application receives it.

    Raises:
        StoreError: the stored response is no such answer.
    """
    data = response.data
    status = data.get("status") if isinstance(data, dict) else None
    if not isinstance(status, int):
        raise StoreError("a stored answer to a call of the application has no status")
    if "events" in data:
        text = "".join(map(str, data["events"]))
    elif "json" in data:
        text = json.dumps(data["json"], ensure_ascii=False)
    else:
        text = str(data.get("text", ""))
    headers = (("content-type", str(data.get("type") or "application/json")),)
    return HttpAnswer(status, headers, text.encode("utf-8", "replace"))


def read_answer(answer: HttpAnswer) -> AnswerSummary:
    """Read usage, model and completeness from an answer of a model API."""
    summary = AnswerSummary()
    if answer.type == "text/event-stream":
        _read_events(answer.body.decode("utf-8", "replace"), summary)
        return summary
    value = _json(answer.body.decode("utf-8", "replace"))
    if isinstance(value, dict):
        _update(value, summary)
        summary.fault = _fault(value)
    return summary


def _fault(value: Mapping[str, Any]) -> str | None:
    """Return why a body is an error or incomplete despite its status; None if it is complete."""
    error = error_in(value)
    if error:
        return f"it holds an error: {str(error)[:200]}"
    status = value.get("status")
    if value.get("object") == "response" and status in {"failed", "incomplete", "cancelled"}:
        return f"its generation is {status}"
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    reason = choice.get("finish_reason") if isinstance(choice, dict) else None
    failure = failure_of(reason)
    failed = failure is not None and failure[0] != "content_filtered"
    return f"its generation failed ({reason})" if failed else None


def _read_events(text: str, summary: AnswerSummary) -> None:
    """Read an event stream: OpenAI's chat and responses, Anthropic's messages."""
    first_type, ended = "", False
    for event in _EVENT_END.split(text):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith("data:")]
        content = "\n".join(lines)
        ended = ended or content == "[DONE]"
        value = _json(content)
        if not isinstance(value, dict):
            continue
        type_ = str(value.get("type", ""))
        if _fault(value) or type_ in {"error", "response.failed", "response.incomplete"}:
            summary.fault = f"its stream holds an error: {content[:200]}"
            return
        first_type = first_type or ("choices" if "choices" in value else type_)
        ended = ended or type_ in _LAST or _finished(value)
        for part in (value, value.get("message"), value.get("response")):
            if isinstance(part, dict):
                _update(part, summary)
    if not ended and (first_type == "choices" or first_type in _FIRST):
        summary.fault = "its stream broke off before the end"


_FIRST = frozenset({"message_start", "response.created"})
_LAST = frozenset({"message_stop", "response.completed"})


def _finished(value: Mapping[str, Any]) -> bool:
    """Return whether an event of a chat has a finish reason."""
    choices = value.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def _update(value: Mapping[str, Any], summary: AnswerSummary) -> None:
    """Add the model and the tokens of a part of an answer."""
    if isinstance(value.get("model"), str):
        summary.model = value["model"]
    usage = usage_in(value)
    counts = {name: n for name, n in usage.model_dump().items() if n is not None}
    if counts:  # later parts of a stream take precedence
        summary.usage = summary.usage.model_copy(update=counts)


def _json(text: str) -> Json:
    """Parse a JSON object or list; return None for anything else."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value = parse_json(text.encode("utf-8", "replace"))
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value
