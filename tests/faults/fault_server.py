"""A server of chat completions that misbehaves as it is told, run as a process of its own.

It prints its port, and serves until its standard input ends. What it was asked is told apart by the
text of the last message. ``POST /script`` takes ``{question: [act, ...]}`` (``*`` is any other): the
n-th call of a question meets the n-th act, later ones are answered; an act is an object of the
fields of `Act`. ``GET /seen`` tells how often each question was asked and answered, when (seconds),
with which headers, and how many calls were under way at once at the most.
"""

import asyncio
import json
import socket
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from time import monotonic
from typing import Any


@dataclass
class Act:
    """What is done with one call. Without any field, it is answered."""

    status: int = 200
    text: str | None = None
    """The answer; by default it repeats the question."""
    body: str | None = None
    """Sent in the place of a completion (or of an error's body)."""
    headers: list[list[str]] = field(default_factory=list)
    delay_s: float = 0.0
    """Seconds before the reply begins."""
    drip_s: float = 0.0
    """Seconds between the bytes of the body."""
    cut: int | None = None
    """How many bytes of the body are sent before the connection is closed."""
    hang: bool = False
    reset: bool = False
    forever: bool = False
    """Whether this act is never used up."""
    tokens: tuple[int, int] | None = (8, 5)


class Server:
    """Serves, and remembers."""

    def __init__(self) -> None:
        self.script: dict[str, list[Act]] = {}
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.times: dict[str, list[float]] = defaultdict(list)
        self.headers: list[dict[str, str]] = []
        self.active = self.peak = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while await self.exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request and reply; false where the connection ends."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if target.endswith("/chat/completions"):
            self.active += 1
            self.peak = max(self.peak, self.active)
            try:
                return await self.complete(json.loads(body), headers, reader, writer)
            finally:
                self.active -= 1
        told: Any = {}
        if method == "POST" and target == "/script":
            written = json.loads(body)
            self.script = {q: [Act(**act) for act in acts] for q, acts in written.items()}
        elif method == "POST" and target == "/forget":
            self.forget()
        elif target == "/seen":
            names = ("asked", "answered", "times", "headers", "active", "peak")
            told = {name: getattr(self, name) for name in names}
        text = json.dumps(told).encode()
        return await reply(writer, Act(), text)

    async def complete(
        self,
        question: dict[str, Any],
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Do with a question what the script says."""
        text = question["messages"][-1]["content"]
        self.asked[text] += 1
        self.times[text].append(monotonic())
        self.headers.append(headers)
        act = self.act(text)
        if act.hang:
            await reader.read()
            return False
        await asyncio.sleep(act.delay_s)
        if act.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return False
        if act.body is not None:
            data = act.body.encode()
        elif act.status == 200:
            data = completion(question, act, f"You said: {text}" if act.text is None else act.text)
        else:
            data = json.dumps({"error": {"message": "as scripted", "type": "fault"}}).encode()
        stays = await reply(writer, act, data)
        self.answered[text] += act.status == 200 and act.body is None and act.cut is None
        return stays

    def act(self, text: str) -> Act:
        """Take the next act for a question."""
        acts = self.script.get(text, self.script.get("*", []))
        number = self.asked[text] - 1
        if acts and acts[-1].forever:
            return acts[min(number, len(acts) - 1)]
        return acts[number] if number < len(acts) else Act()


def completion(question: dict[str, Any], act: Act, text: str) -> bytes:
    """Write a completion."""
    whole: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": question.get("model"),
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        ],
    }
    if act.tokens is not None:
        taken, given = act.tokens
        whole["usage"] = {
            "prompt_tokens": taken,
            "completion_tokens": given,
            "total_tokens": taken + given,
        }
    return json.dumps(whole).encode()


async def reply(writer: asyncio.StreamWriter, act: Act, body: bytes) -> bool:
    """Send a reply; false where the connection ends with it."""
    given = {name.lower() for name, _ in act.headers}
    lines = [
        f"HTTP/1.1 {act.status} Whatever",
        *(f"{name}: {value}" for name, value in act.headers),
    ]
    if "content-type" not in given:
        lines.append("content-type: application/json")
    lines.append(f"content-length: {len(body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    sent = body if act.cut is None else body[: act.cut]
    for i in range(len(sent) if act.drip_s else 0):
        writer.write(sent[i : i + 1])
        await writer.drain()
        await asyncio.sleep(act.drip_s)
    if not act.drip_s:
        writer.write(sent)
    await writer.drain()
    if act.cut is not None:
        writer.close()
        await writer.wait_closed()
        return False
    return True


async def serve() -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(Server().connected, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
