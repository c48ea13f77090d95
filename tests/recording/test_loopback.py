"""The server that records programs, asked by a bare socket: what HTTP allows, and what it does not."""

import asyncio
import gzip

import pytest

from pytest_evals.providers.http_calls import HttpAnswer, HttpCall
from pytest_evals.providers.loopback import Loopback
from pytest_evals.providers.transport import HttpClientPool
from tests._servers import Loopback as Upstream
from tests._servers import Say


class Log:
    """A log that stores nothing and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[HttpCall] = []

    def wants(self, method: str, url: str) -> bool:
        """Everything but what is only fetched."""
        return method != "GET"

    async def ask(self, call: HttpCall, send) -> HttpAnswer:
        """Send it on."""
        self.asked.append(call)
        return await send()


def exchange(
    *written: bytes, say: Say, address: str = "/{token}/API/v1/x?a=b"
) -> tuple[bytes, Log, Upstream]:
    """Write bytes to an address of the server and read until it has nothing more to say."""

    async def main() -> tuple[bytes, Log, Upstream]:
        pool, log = HttpClientPool(), Log()
        loopback = Loopback(pool)
        with Upstream([say]).running() as upstream:
            token = loopback.open(log, {"API": f"{upstream.url}/base"})
            await loopback.serve()
            port = int(loopback.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            target = address.format(token=token).encode()
            for part in written:
                writer.write(part.replace(b"TARGET", target))
                await asyncio.sleep(0.02)
            writer.write_eof()
            async with asyncio.timeout(10):
                said = await reader.read()
            writer.close()
            await loopback.aclose()
            await pool.aclose()
            return said, log, upstream

    return asyncio.run(main())


POST = b"POST TARGET HTTP/1.1\r\nhost: h\r\nx-api-key: secret\r\ncontent-length: 2\r\n\r\n{}"


def test_a_connection_is_kept_for_the_next_call():
    """Two calls by one connection; path, query, key and body reach the API as they were."""
    said, log, upstream = exchange(POST, POST, say=Say(body={"ok": 1}))
    assert 2 == said.count(b"HTTP/1.1 200") == said.count(b'{"ok": 1}')
    assert ["/base/v1/x?a=b"] * 2 == [seen.target for seen in upstream.seen]
    assert "secret" == upstream.seen[0].headers["x-api-key"]
    assert b"{}" == log.asked[0].body


def test_a_body_in_chunks_is_read_whole():
    """An upload without a length, and one that waits to be told to go on."""
    head = b"POST TARGET HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n"
    said, log, upstream = exchange(
        head, b'3\r\n{"a\r\n', b'4\r\n":1}\r\n0\r\n\r\n', say=Say(body={})
    )
    assert said.startswith(b"HTTP/1.1 100")
    assert b'{"a":1}' == log.asked[0].body == upstream.seen[0].body


def test_a_packed_answer_is_handed_on_unpacked():
    """The code gets a body that fits its headers."""
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    said, _, _ = exchange(POST, say=Say(body=gzip.compress(b'{"a": 1}'), headers=headers))
    head, _, body = said.partition(b"\r\n\r\n")
    assert b'{"a": 1}' == body
    assert b"content-encoding" not in head.lower()


def test_what_is_only_fetched_goes_through_unrecorded():
    """A list of models is no answer."""
    said, log, upstream = exchange(b"GET TARGET HTTP/1.1\r\nhost: h\r\n\r\n", say=Say(body=[]))
    assert said.startswith(b"HTTP/1.1 200")
    assert ([], "GET") == (log.asked, upstream.seen[0].method)


@pytest.mark.parametrize(
    "address", ["/", "/nobody/API/v1", "/{token}", "/{token}/OTHER/x", "http://evil/"]
)
def test_an_address_that_is_nobodys_leads_nowhere(address):
    """Only open addresses are served, and only to the API they stand for."""
    said, log, upstream = exchange(POST, say=Say(body={}), address=address)
    assert said.startswith(b"HTTP/1.1 410")
    assert ([], []) == (log.asked, upstream.seen)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\r\n\r\n", b"POST TARGET HTTP/1.1\r\ncontent-length: x\r\n\r\n", b""]
)
def test_what_is_no_http_ends_the_connection(junk):
    """Nothing is sent on."""
    _, log, upstream = exchange(junk, say=Say(body={}))
    assert ([], []) == (log.asked, upstream.seen)


@pytest.mark.parametrize("say", [Say(reset=True), Say(body={"a": 1}, cut=3)])
def test_an_api_that_breaks_off_is_a_bad_gateway(say):
    """Half an answer is none."""
    said, _, _ = exchange(POST, say=say)
    assert said.startswith(b"HTTP/1.1 502")
