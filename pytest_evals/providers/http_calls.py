"""What an application asks over HTTP, and what comes back, in the forms that are compared and kept.

This module knows HTTP messages and the bodies of model APIs. It sends nothing, and knows nothing of
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
"""How the addresses of model APIs end: OpenAI and those like it, Anthropic, Ollama, Gemini."""
MOST_KEPT_BYTES = 16 * 1024 * 1024
"""Answers that are larger are handed on and not stored."""
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
_SECRET_QUERY = re.compile(r"(?i)key|token|secret|sig|password|credential")
_NOT_ANSWERED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
_EVENT_END = re.compile(r"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_TEXTUAL = re.compile(r"(?i)^(text/|application/([\w.+-]*\+)?(json|x-ndjson|jsonl|xml)\b)")
_BOUNDARY = re.compile(rb"(?i)multipart/.*?boundary=\"?([^\";,]+)\"?")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request of an application, its body read to the end."""

    method: str
    url: str
    headers: Mapping[str, str]
    """By their names in lower case; never part of what is compared or kept."""
    body: bytes = b""

    def place(self) -> str:
        """Return the address without what could be a secret: user names, keys in the query."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        query = [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _SECRET_QUERY.search(name)
        ]
        return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))

    def content(self) -> Json:
        """Return the body as it is compared: JSON as JSON, anything else by its digest."""
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
        if form is not None:  # it is drawn anew for each request
            body = body.replace(form[1], b"boundary")
        return sha256(body).hexdigest()

    def model(self) -> str | None:
        """Return the name of the model that is asked, where the body or the address says it."""
        content = self.content()
        named = content.get("model") if isinstance(content, dict) else None
        if isinstance(named, str):
            return named
        found = re.search(r"/models/([^/:]+):\w+$", urlsplit(self.url).path)
        return found[1] if found else None

    def identity(self) -> dict[str, Json]:
        """Return what can change the answer: method, address and body; no header."""
        content = self.content()
        body = content if isinstance(content, dict) else {"content": content}
        return {"method": self.method.upper(), "url": self.place(), "body": body}

    def secrets(self) -> tuple[str, ...]:
        """Return the credentials it carries, so that none is kept where a server repeats it."""
        found = [
            self.headers[name].rpartition(" ")[2] for name in _SECRET_HEADERS & self.headers.keys()
        ]
        query = parse_qsl(urlsplit(self.url).query)
        found += [value for name, value in query if _SECRET_QUERY.search(name)]
        return tuple(value for value in found if len(value) >= 6)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer as an application gets it, decoded."""

    status: int
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b""
    unkept: str | None = None
    """Why it is handed on and not stored; None where it is."""

    @property
    def type(self) -> str:
        """Its content type, without parameters; empty where it says none."""
        whole = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return whole.partition(";")[0].strip().lower()

    def parts(self) -> list[bytes]:
        """Return the body in the pieces it is handed on in: an event stream event by event."""
        if self.type != "text/event-stream":
            return [self.body] if self.body else []
        text = self.body.decode("utf-8", "replace")
        return [part.encode() for part in _EVENT_END.split(text) if part]


def answer_headers(pairs: Iterator[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers that still hold for a decoded body."""
    return tuple((name, value) for name, value in pairs if name.lower() not in _NOT_ANSWERED)


def is_text(content_type: str) -> bool:
    """Whether an answer of this type is read and kept; audio, images and files are not."""
    return not content_type or _TEXTUAL.match(content_type) is not None


@dataclass(slots=True)
class Reading:
    """What the body of an answer tells of itself."""

    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    fault: str | None = None
    """Why it is no whole answer though its status says so; None where it is one."""


def kept(answer: HttpAnswer, call: HttpCall) -> Response:
    """Return the form in which an answer is stored, without the call's own credentials.

    `Response.data` holds ``status``, ``type`` and the body as ``json``, ``events`` or ``text``.
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
    found = read(answer)
    return Response(data=data, usage=found.usage, model=found.model)


def replayed(response: Response) -> HttpAnswer:
    """Return a stored answer as an application gets it.

    Raises:
        StoreError: what is stored is no such answer.
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


def read(answer: HttpAnswer) -> Reading:
    """Read usage and model from an answer of a model API, and whether it is whole."""
    reading = Reading()
    if answer.type == "text/event-stream":
        _read_events(answer.body.decode("utf-8", "replace"), reading)
        return reading
    value = _json(answer.body.decode("utf-8", "replace"))
    if isinstance(value, dict):
        _note(value, reading)
        if value.get("error") and not {"choices", "content", "output"} & value.keys():
            reading.fault = f"it holds an error: {str(value['error'])[:200]}"
    return reading


def _read_events(text: str, reading: Reading) -> None:
    """Read an event stream: OpenAI's chat and responses, Anthropic's messages."""
    kind, ended = "", False
    for event in _EVENT_END.split(text):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith("data:")]
        said = "\n".join(lines)
        ended = ended or said == "[DONE]"
        value = _json(said)
        if not isinstance(value, dict):
            continue
        word = str(value.get("type", ""))
        if value.get("error") or word in {"error", "response.failed"}:
            reading.fault = f"its stream holds an error: {said[:200]}"
            return
        kind = kind or ("choices" if "choices" in value else word)
        ended = ended or word in _LAST or _finished(value)
        for part in (value, value.get("message"), value.get("response")):
            if isinstance(part, dict):
                _note(part, reading)
    if not ended and (kind == "choices" or kind in _FIRST):
        reading.fault = "its stream broke off before the end"


_FIRST = frozenset({"message_start", "response.created"})
_LAST = frozenset({"message_stop", "response.completed", "response.incomplete"})


def _finished(value: Mapping[str, Any]) -> bool:
    """Whether an event of a chat says why the answer ended."""
    choices = value.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def _note(value: Mapping[str, Any], reading: Reading) -> None:
    """Take note of the model and the tokens that a part of an answer tells."""
    if isinstance(value.get("model"), str):
        reading.model = value["model"]
    usage = usage_in(value)
    known = {name: n for name, n in usage.model_dump().items() if n is not None}
    if known:  # what a stream tells later counts
        reading.usage = reading.usage.model_copy(update=known)


def _json(text: str) -> Json:
    """Read JSON that can be kept as such; None for anything else."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value = parse_json(text.encode("utf-8", "replace"))
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value
