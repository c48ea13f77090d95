"""A server that speaks the APIs of OpenAI and Anthropic, counts its calls, and repeats no answer."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass
class Api:
    """What the server was asked, and what it does about it."""

    url: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers and body of each call."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the next calls get in the place of an answer."""
    gzip: bool = False
    pause_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def bodies(self) -> list[Any]:
        """Return what was asked."""
        return [body for _, _, body in self.asked]


def _events(*values: Any, named: bool = False, done: bool = False) -> bytes:
    """Write an event stream."""
    parts = [
        (f"event: {value['type']}\n" if named else "") + f"data: {json.dumps(value)}\n\n"
        for value in values
    ]
    return ("".join(parts) + ("data: [DONE]\n\n" if done else "")).encode()


def _chat(body: Any, text: str) -> tuple[str, bytes]:
    """Answer OpenAI's chat completions."""
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
    if not body.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if body.get("tools") and body["messages"][-1]["role"] != "tool":
            function = {"name": "find", "arguments": '{"order": 7}'}
            call = {"id": "t1", "type": "function", "function": function}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return "application/json", json.dumps(
            {**head, "choices": [choice], "usage": USAGE}
        ).encode()
    pieces = [
        {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        for piece in text.split("|")
    ]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks = [{**head, "object": "chat.completion.chunk", "choices": [c]} for c in [*pieces, last]]
    counted = {**head, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    return "text/event-stream", _events(*chunks, counted, done=True)


def _message(body: Any, text: str) -> tuple[str, bytes]:
    """Answer Anthropic's messages."""
    usage = {"input_tokens": 7, "output_tokens": 3}
    head = {"id": "m", "type": "message", "role": "assistant", "model": body["model"]}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    if not body.get("stream"):
        whole = {**head, **end, "content": [{"type": "text", "text": text}], "usage": usage}
        return "application/json", json.dumps(whole).encode()
    started = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    block = {"type": "text", "text": ""}
    return "text/event-stream", _events(
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in text.split("|")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
        named=True,
    )


def _responses(body: Any, text: str) -> tuple[str, bytes]:
    """Answer OpenAI's responses, as a stream."""
    head = {"id": "r", "object": "response", "created_at": 1.0, "model": body["model"], "tools": []}
    head |= {"parallel_tool_calls": False, "tool_choice": "auto", "error": None, "output": []}
    place = {"item_id": "i", "output_index": 0, "content_index": 0, "logprobs": []}
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "i", "type": "message", "role": "assistant", "status": "completed"}
    usage = {"input_tokens": 6, "output_tokens": 2, "total_tokens": 8}
    usage |= {"input_tokens_details": {"cached_tokens": 0}}
    usage |= {"output_tokens_details": {"reasoning_tokens": 0}}
    done = {**head, "output": [{**item, "content": [part]}], "usage": usage}
    values = [
        {"type": "response.created", "response": head},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece}
            for piece in text.split("|")
        ),
        {"type": "response.completed", "response": done},
    ]
    numbered = [{**value, "sequence_number": n} for n, value in enumerate(values)]
    return "text/event-stream", _events(*numbered, named=True)


class _Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    api: Api

    def do_GET(self) -> None:
        """Answer what is no call of a model."""
        self._count(None)
        self._say(200, "application/json", b'{"object": "list", "data": []}')

    def do_POST(self) -> None:
        """Answer a call."""
        raw = self._body()
        form = not self.headers.get("content-type", "").startswith("application/json")
        body = raw if form else json.loads(raw)
        number = self._count(body)
        threading.Event().wait(self.api.pause_s)
        with self.api.lock:
            status = self.api.failures.pop(0) if self.api.failures else 200
        if status != 200:
            error = {"error": {"message": "not now", "type": "x"}}
            self._say(status, "application/json", json.dumps(error).encode())
            return
        path = self.path.partition("?")[0]
        if path.endswith("/audio/speech"):
            self._say(200, "audio/mpeg", b"\xff\xfb\x90\x00" * 100)
        elif path.endswith("/audio/transcriptions"):
            self._say(200, "application/json", json.dumps({"text": f"heard #{number}"}).encode())
        elif path.endswith("/embeddings"):
            vector = [{"object": "embedding", "index": 0, "embedding": [0.5, float(number)]}]
            whole = {"object": "list", "data": vector, "model": "e", "usage": USAGE}
            self._say(200, "application/json", json.dumps(whole).encode())
        elif path.endswith("/responses"):
            self._say(200, *_responses(body, f"Re| {body['input'][-1]['content']}| #{number}"))
        else:
            asked = body["messages"][-1]["content"]
            answer = _message if path.endswith("/messages") else _chat
            self._say(200, *answer(body, f"You said| {asked}| #{number}"))

    def _body(self) -> bytes:
        """Read a body, also one in chunks."""
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _count(self, body: Any) -> int:
        """Take note of a call; return its number."""
        with self.api.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.api.asked.append((self.path, headers, body))
            return len(self.api.asked)

    def _say(self, status: int, kind: str, body: bytes) -> None:
        """Write an answer, an event stream in chunks that are no events."""
        self.send_response(status)
        self.send_header("content-type", kind)
        if self.api.gzip and "gzip" in self.headers.get("accept-encoding", ""):
            body = gzip.compress(body)
            assert zlib.decompress(body, 31)
            self.send_header("content-encoding", "gzip")
        if kind == "text/event-stream":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 37):
                part = body[i : i + 37]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def serving() -> Iterator[Api]:
    """Run the server on a thread."""
    api = Api()
    handler = type("Handler", (_Handler,), {"api": api})
    server = _Server(("127.0.0.1", 0), handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
