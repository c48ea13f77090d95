"""Bodies that unpack to too much are cut off while they unpack; left-over bytes answer nothing."""

import asyncio
import gzip
import tracemalloc
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers import http_common
from pytest_evals.providers.http_common import send
from pytest_evals.providers.http_messages import Call
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.providers.unpacking import TooLargeError, Unpacker, UnpackingError

MB = 1024 * 1024


def raw_deflate(data):
    """Compress without zlib's header."""
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


def unpack(encodings, data, limit=MB, size=997):
    """Unpack a body that arrives in pieces."""
    unpacker = Unpacker(encodings, limit)
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    made = b"".join(piece for part in parts for piece in unpacker.feed(part))
    unpacker.finish()
    return made


@settings(max_examples=50)
@given(st.binary(max_size=5000), st.lists(st.sampled_from(sorted(PACK)), max_size=3),
       st.integers(1, 3000))  # fmt: skip
def test_unpacking_gives_what_was_packed(data, encodings, size):
    """Any data, any encodings one over another, any pieces."""
    packed = data
    for name in encodings:
        packed = PACK[name](packed)
    assert unpack(encodings, packed, size=size) == data


@settings(max_examples=100)
@given(st.integers(0, 600_000), st.sampled_from([raw_deflate, zlib.compress, gzip.compress]),
       st.sampled_from([1, 13, 100_000]))  # fmt: skip
def test_a_body_that_ends_in_a_full_piece_is_whole(length, pack, size):
    """Zlib keeps output that does not fit into a piece, also when it has read all its input."""
    name = "gzip" if pack is gzip.compress else "deflate"
    assert unpack([name], pack(bytes(length)), size=size) == bytes(length)


@pytest.mark.parametrize("length", [262_144 + extra for extra in range(-3, 260)])
def test_output_that_waits_in_zlib_is_not_lost(length):
    """Raw deflate has no trailer, so its last input is read while output still waits."""
    assert unpack(["deflate"], raw_deflate(bytes(length))) == bytes(length)


def test_forms_that_servers_send():
    """Deflate without a header, joined gzip, identity, upper case, nothing at all."""
    assert unpack(["deflate"], raw_deflate(b"x" * 9)) == b"x" * 9
    assert unpack(["GZIP"], gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert unpack(["gzip"], gzip.compress(b"a") + b"\0\0\0") == b"a"
    joined = gzip.compress(b"a") + gzip.compress(b"b")
    assert unpack(["gzip"], joined, size=1) == b"ab"
    apart = gzip.compress(b"a") + b"\0\0" + gzip.compress(b"b")
    assert {unpack(["gzip"], apart, size=size) for size in range(1, len(apart) + 1)} == {b"a"}
    assert unpack(["identity"], b"plain") == b"plain"
    assert unpack(["gzip"], b"") == b""


@pytest.mark.parametrize(
    ("encodings", "data", "words"),
    [
        (["gzip"], b"no gzip", "cannot be read"),
        (["gzip"], gzip.compress(b"x" * 999)[:-9], "ends early"),
        (["deflate"], b"\xff\xfe\xfd", "cannot be read"),
        (["deflate"], b"x", "ends early"),
        (["br"], b"x", "compressed by 'br'"),
        (["gzip"] * 4, b"x", "4 times over"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(len(value)),  # no clock of gzip
)
def test_what_cannot_be_unpacked_is_an_error(encodings, data, words):
    """With the reason."""
    with pytest.raises(UnpackingError, match=words):
        unpack(encodings, data)


@pytest.mark.parametrize(
    "encodings", [["gzip"], ["deflate"], ["gzip", "gzip"], ["deflate", "gzip"]]
)
def test_a_bomb_stops_at_the_limit(encodings):
    """Not more than the limit and a piece is ever held."""
    packed = bytes(64 * MB)
    for name in encodings:
        packed = PACK[name](packed)
    made = []
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        made.extend(map(len, Unpacker(encodings, MB).feed(packed)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(made) <= MB
    assert peak < 2 * MB


class RawServer:
    """Answers each request on a connection with the next of some raw replies."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.connections = 0
        self._writers, self._tasks = [], []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/x"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.append(writer)
        self._tasks.append(asyncio.current_task())
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for part in self.replies.pop(0):
                    if isinstance(part, float):
                        await asyncio.sleep(part)
                    else:
                        writer.write(part)
                        await writer.drain()
        except (asyncio.IncompleteReadError, OSError, IndexError):
            writer.close()


def reply(body, *head, status="200 OK"):
    """A reply with its length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *head]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answers(server, calls, *, pause=0.0, timeout_s=5.0):
    """Send calls one after another; return each body or the type of its error."""
    pool = HttpClientPool()
    found = []
    try:
        for _ in range(calls):
            call = Call("GET", server.url, {}, b"", "it", timeout_s)
            try:
                found.append((await send(SimpleNamespace(http=pool), call)).body)
            except AnswerError as error:
                found.append(error.type)
            await asyncio.sleep(pause)
    finally:
        await pool.aclose()
    return found


@pytest.mark.parametrize(
    "first",
    [
        [reply(b"one") + reply(b"STRAY")],
        [reply(b"one") + b"junk"],
        [reply(b"one"), 0.02, reply(b"STRAY")],
        [b"HTTP/1.1 204 No Content\r\n\r\n" + reply(b"STRAY")],
        [b"HTTP/1.1 304 Not Modified\r\n\r\nSTRAY"],
        [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"
            + reply(b"STRAY")
        ],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + reply(b"one") + reply(b"STRAY")],
    ],
)
def test_bytes_left_over_answer_nothing(first):
    """The next question is asked on a new connection and gets its own answer."""

    async def scenario():
        async with RawServer(first, [reply(b"two")]) as server:
            return await answers(server, 2, pause=0.05), server.connections

    found, connections = asyncio.run(scenario())
    assert found == [found[0], b"two"]
    assert found[0] in {b"one", b""}
    assert connections == 2


def test_a_late_reply_answers_nothing():
    """What comes after a timeout belongs to the call that timed out."""

    async def scenario():
        async with RawServer([0.3, reply(b"LATE")], [reply(b"two")]) as server:
            return await answers(server, 2, pause=0.3, timeout_s=0.1)

    assert asyncio.run(scenario()) == ["timeout", b"two"]


def test_a_clean_connection_is_kept():
    """The check costs no connection."""

    async def scenario():
        async with RawServer([reply(b"one")], [reply(b"two")], [reply(b"three")]) as server:
            return await answers(server, 3, pause=0.02), server.connections

    assert asyncio.run(scenario()) == ([b"one", b"two", b"three"], 1)


@pytest.mark.parametrize("encodings", [["gzip"], ["gzip", "gzip"]])
def test_a_bomb_from_a_server_is_an_error_and_blocks_nobody(encodings):
    """200 MB of zeros: an error, memory within twice the limit, and the loop goes on."""
    packed = bytes(200 * MB)
    for name in encodings:
        packed = PACK[name](packed)
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario():
        head = f"content-encoding: {', '.join(encodings)}"
        async with RawServer([reply(packed, head)]) as server:
            ticker = asyncio.ensure_future(count_turns())
            tracemalloc.start()
            found = await answers(server, 1)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            ticker.cancel()
            return found, peak

    found, peak = asyncio.run(scenario())
    assert found == ["malformed"]
    assert peak < 2 * http_common.MAX_BODY_BYTES
    assert turns > 50  # others had a turn after each piece of 256 KB
