"""The HTTP transport: connections are kept, never shared, and never outlive what went wrong."""

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest

from pytest_evals.providers import h11_transport
from pytest_evals.providers.http_common import TRANSPORT_ONLY
from pytest_evals.providers.transport import HttpClientPool, proxy_for
from tests._servers import Say

OK = Say(body={"ok": True})


def call(work, **keys):
    """Run a coroutine function with a pool."""

    async def main():
        pool = HttpClientPool(**keys)
        try:
            async with pool.client() as client:
                return await work(client)
        finally:
            await pool.aclose()

    return asyncio.run(main())


def test_connections_are_kept(server):
    """One call after another uses one connection."""
    server.say(OK)

    async def work(client):
        for _ in range(5):
            assert (await client.get(server.url)).json() == {"ok": True}

    call(work)
    assert (len(server.seen), server.connections) == (5, 1)


def test_calls_at_once_have_connections_of_their_own(server):
    """As many connections as calls at once, no more, and each answer reaches its question."""
    server.say(Say(body={"ok": True}, delay_s=0.05))

    async def work(client):
        for _ in range(2):
            replies = await asyncio.gather(*(client.get(f"{server.url}/{i}") for i in range(20)))
            assert {reply.url.path for reply in replies} == {f"/{i}" for i in range(20)}

    call(work)
    assert (len(server.seen), server.connections) == (40, 20)


def test_a_cancelled_call_closes_its_connection(server):
    """After a cancelled call nobody reads the rest of its answer as his own."""
    server.say(Say(body={"late": True}, delay_s=0.2), OK)

    async def work(client):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get(server.url), 0.05)
        for _ in range(3):
            assert (await client.get(server.url)).json() == {"ok": True}

    call(work)
    assert server.connections == 2


def test_a_call_cancelled_in_the_body_closes_its_connection(server):
    """The same where the headers had already come."""
    server.say(Say(body=b"0123456789", drip_s=0.1), OK)

    async def work(client):
        async def read():
            async with client.stream("GET", server.url) as reply:
                await reply.aread()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.25)
        assert (await client.get(server.url)).json() == {"ok": True}

    call(work)
    assert server.connections == 2


def test_a_body_left_unread_closes_its_connection(server):
    """A connection whose answer was not read to its end is not used again."""
    server.say(Say(body=b"x" * 100_000), OK)

    async def work(client):
        async with client.stream("GET", server.url):
            pass
        assert (await client.get(server.url)).json() == {"ok": True}

    call(work)
    assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used(server):
    """A connection that ended while it was idle costs no call."""
    server.say(Say(body={"ok": True}, close=True), OK)

    async def work(client):
        await client.get(server.url)
        await asyncio.sleep(0.05)
        await client.get(server.url)

    call(work)
    assert (len(server.seen), server.connections) == (2, 2)


def test_an_old_connection_is_not_used(server, monkeypatch):
    """A connection that was idle for long is opened anew: the server may be closing it."""
    monkeypatch.setattr(h11_transport, "IDLE_S", 0.05)
    server.say(OK)

    async def work(client):
        await client.get(server.url)
        await asyncio.sleep(0.1)
        await client.get(server.url)

    call(work)
    assert server.connections == 2


def test_aclose_closes_everything(server):
    """No connection outlives the pool."""
    server.say(OK)

    async def work(client):
        await asyncio.gather(*(client.get(server.url) for _ in range(5)))

    call(work)
    for _ in range(100):
        if server.closed == server.connections:
            break
        threading.Event().wait(0.01)
    assert server.closed == server.connections


def test_chunked_and_packed(server):
    """Chunked and packed bodies are unpacked."""
    import gzip

    packed = gzip.compress(b"hello " * 1000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (packed[:10], packed[10:]))
    headers = (("transfer-encoding", "chunked"), ("content-encoding", "gzip"))
    server.say(Say(body=chunks + b"0\r\n\r\n", headers=headers))

    async def work(client):
        for _ in range(2):
            assert (await client.get(server.url)).content == b"hello " * 1000

    call(work)
    assert server.connections == 1


def test_informational_replies_are_passed_over(server):
    """A reply may be announced by 1xx ones."""
    server.say(
        Say(
            raw=b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        )
    )
    assert call(lambda client: client.get(server.url)).text == "ok"


def test_a_large_question(server):
    """A body of several megabytes arrives whole."""
    server.say(OK)
    body = b"0123456789" * 500_000
    call(lambda client: client.post(server.url, content=body))
    assert server.seen[0].body == body


def test_no_cookie_is_kept(server):
    """A cookie set by one answer does not travel with the next question."""
    server.say(Say(body={}, headers=(("set-cookie", "sid=1; Path=/"),)))

    async def work(client):
        await client.get(server.url)
        await client.get(server.url)

    call(work)
    assert "cookie" not in server.seen[1].headers


def test_injected_transport():
    """Tests put in a transport of their own, such as one that refuses the network."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=request.url.host))
    assert (
        call(lambda client: client.get("http://far.away"), transport=transport).text == "far.away"
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost, made with openssl."""
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not here to make a certificate")
    return folder


@contextmanager
def tls_server(folder):
    """Serve one fixed answer over TLS; yields the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as sock:
                    while sock.recv(65536):
                        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            except OSError:
                pass
            finally:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_tls(certificate, monkeypatch):
    """A server whose certificate is trusted is asked over TLS, on a connection that is kept."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))

    async def work(client):
        texts = [(await client.get(f"https://localhost:{port}")).text for _ in range(3)]
        assert texts == ["ok"] * 3

    with tls_server(certificate) as port:
        call(work)


def test_a_certificate_that_is_not_trusted(bench, certificate):
    """A server that cannot prove its name is not asked."""
    with tls_server(certificate) as port:
        error = bench.refusal("openai", base_url=f"https://localhost:{port}/v1")
    assert error.type == "connection"
    assert "certificate" in str(error).lower()


def test_no_tls_context_for_http(server, monkeypatch):
    """The TLS context costs tens of milliseconds: plain HTTP never makes it."""
    server.say(OK)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: pytest.fail("it was made"))
    assert call(lambda client: client.get(server.url)).json() == {"ok": True}


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://far.away/x", "http://proxy:1"),
        ("https://far.away/x", "http://secure:2"),
        ("http://near.here/x", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://127.9.9.9/v1", None),
        ("http://[::1]:8000/v1", None),
        ("http://localhost:8000/v1", None),
        ("http://api.localhost/v1", None),
    ],
)
def test_proxies(monkeypatch, url, proxy):
    """The environment's proxies are used, but never for this machine itself."""
    monkeypatch.setenv("http_proxy", "proxy:1")
    monkeypatch.setenv("https_proxy", "http://secure:2")
    monkeypatch.setenv("no_proxy", "near.here")
    assert proxy_for(httpx.URL(url)) == proxy


def test_a_call_through_a_proxy(server, monkeypatch):
    """A proxy gets the whole address, and its connections are kept."""
    server.say(OK)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")

    async def work(client):
        for _ in range(3):
            assert (await client.get("http://far.away/x")).json() == {"ok": True}

    call(work)
    assert server.seen[0].target == "http://far.away/x"
    assert server.connections == 1


def test_a_proxy_that_cannot_be_used(bench, monkeypatch):
    """A proxy whose kind needs a package that is missing is one clear error."""
    monkeypatch.setenv("http_proxy", "socks9://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    error = bench.refusal("openai", base_url="http://far.away/v1")
    assert error.type == "invalid_request"
    assert "proxy" in str(error)


def test_no_http_library_without_a_call():
    """Knowing the providers, and playing a script, imports no HTTP library."""
    code = (
        "import sys\n"
        "from pytest_evals.registry import PROVIDERS, Registry\n"
        "for name in PROVIDERS: Registry.builtin().provider(name)\n"
        "heavy = {'httpx', 'h11', 'ssl', 'aiohttp', 'jmespath', 'jinja2'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"[]", "['ssl']"}


def test_a_straight_request_meets_nothing_of_the_client(server):
    """It follows no redirect and leaves no cookie; one that is not marked is sent as httpx does."""
    server.say(Say(status=302, headers=[("location", "/other"), ("set-cookie", "a=1")]), OK, OK)

    async def work(client):
        straight = httpx.Request("GET", server.url, extensions={TRANSPORT_ONLY: True})
        response = await client.send(straight, stream=True)
        assert response.request is straight
        assert (302, "a=1") == (response.status_code, response.headers["set-cookie"])
        await response.aread()
        await response.aclose()
        usual = await client.get(server.url)
        assert {"ok": True} == usual.json()
        assert usual.elapsed.total_seconds() > 0

    call(work)
    assert [None, None] == [seen.headers.get("cookie") for seen in server.seen]
    assert 1 == server.connections


def test_a_closed_client_sends_nothing(server):
    """Also what would go straight."""

    async def main():
        pool = HttpClientPool()
        async with pool.client() as client:
            await pool.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await client.send(
                    httpx.Request("GET", server.url, extensions={TRANSPORT_ONLY: True})
                )

    asyncio.run(main())
    assert [] == server.seen
