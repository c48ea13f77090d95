"""Every refusal of a server becomes an error of the right type, through each provider."""

from email.utils import formatdate
from time import time

import pytest

from pytest_evals.ground.errors import AnswerError
from tests._servers import Say


def openai_error(message, kind=None, code=None):
    """Make an error body as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "code": code}}


def anthropic_error(kind, message):
    """Make an error body as Anthropic writes it."""
    return {"type": "error", "error": {"type": kind, "message": message}}


OVERFLOW = openai_error(
    "This model's maximum context length is 8192", "x", "context_length_exceeded"
)
LLAMA_OVERFLOW = openai_error(
    "the request exceeds the available context size", "exceed_context_size"
)
FILTERED = openai_error("The response was filtered", None, "content_filter")
NO_MODEL = openai_error("The model `x` does not exist", "invalid_request_error", "model_not_found")
QUOTA = openai_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota")
FAULTS = [
    (400, openai_error("bad temperature"), "invalid_request", False),
    (400, OVERFLOW, "context_overflow", False),
    (400, LLAMA_OVERFLOW, "context_overflow", False),
    (
        400,
        anthropic_error("invalid_request_error", "prompt is too long"),
        "context_overflow",
        False,
    ),
    (400, FILTERED, "content_filtered", False),
    (400, NO_MODEL, "model_not_found", False),
    (401, openai_error("Incorrect API key"), "unauthorized", False),
    (402, openai_error("Insufficient credits"), "rate_limit", False),
    (403, {"detail": "Forbidden"}, "unauthorized", False),
    (404, NO_MODEL, "model_not_found", False),
    (404, b"not found", "model_not_found", False),
    (408, b"", "timeout", True),
    (409, b"", "provider", True),
    (413, anthropic_error("request_too_large", "too large"), "invalid_request", False),
    (422, {"detail": [{"msg": "field required"}]}, "invalid_request", False),
    (425, b"", "provider", True),
    (429, openai_error("Rate limit reached"), "rate_limit", True),
    (429, QUOTA, "rate_limit", False),
    (500, b"<h1>oops</h1>", "provider", True),
    (500, anthropic_error("overloaded_error", "Overloaded"), "overloaded", True),
    (502, b"", "provider", True),
    (503, {"error": "loading model"}, "overloaded", True),
    (504, b"", "provider", True),
    (529, anthropic_error("overloaded_error", "Overloaded"), "overloaded", True),
]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(("status", "body", "kind", "transient"), FAULTS)
def test_statuses(bench, server, provider, status, body, kind, transient):
    """The status and the words of the body decide the type, and whether asking again may help."""
    server.say(Say(status=status, body=body))
    error = bench.refusal(provider, base_url=server.url)
    assert (error.type, error.transient, error.status) == (kind, transient, status)
    assert str(status) in str(error)
    assert len(server.seen) == 1


def test_message_and_detail(bench, server):
    """The error says who was asked, what the server said and what to do; the body is the detail."""
    server.say(Say(status=401, body=openai_error("Incorrect API key")))
    bench.environ["K"] = "sk-secret"
    error = bench.refusal("openai", base_url=server.url, model="gpt-x", api_key_env="K")
    assert str(error) == (
        f"'gpt-x' at {server.url} answered 401: Incorrect API key (check the key in K)"
    )
    assert "Incorrect API key" in error.detail
    assert "sk-secret" not in error.detail


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("retry-after", "7")], 7),
        ([("retry-after", "0")], 0),
        ([("retry-after", "1.5")], 1.5),
        ([("retry-after-ms", "250"), ("retry-after", "9")], 0.25),
        ([("retry-after", "3"), ("retry-after", "8")], 8),
        ([("retry-after", "soon")], None),
        ([("retry-after", "-3")], None),
        ([("retry-after", "nan")], None),
        ([], None),
        ([("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "2s")], 2),
        ([("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "2s")], None),
        (
            [
                ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
                ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"),
            ],
            30,
        ),
        ([("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], 0),
    ],
)
def test_retry_after(bench, server, headers, expected):
    """How long to wait is read as seconds, milliseconds or a date by the server's own clock."""
    server.say(Say(status=429, body=b"", headers=tuple(headers)))
    assert bench.refusal("openai", base_url=server.url).retry_after_s == expected


def test_retry_after_a_date_without_a_clock(bench, server):
    """A date is held against our own clock where the server does not tell its own."""
    server.say(Say(status=503, headers=(("retry-after", formatdate(time() + 20, usegmt=True)),)))
    assert 15 < bench.refusal("openai", base_url=server.url).retry_after_s <= 20


def test_the_server_says_not_to_retry(bench, server):
    """A server that says that asking again is useless is believed."""
    server.say(Say(status=500, headers=(("x-should-retry", "false"),)))
    assert bench.refusal("openai", base_url=server.url).transient is False


@pytest.mark.parametrize("provider", ["openai", "anthropic", "http"])
def test_redirects_are_not_followed(bench, server, provider):
    """A redirect is an error that says where to: the key goes nowhere else."""
    server.say(Say(status=307, headers=(("location", f"{server.url}/elsewhere"),)))
    where = {"url": server.url} if provider == "http" else {"base_url": server.url}
    error = bench.refusal(provider, **where)
    assert (error.type, error.transient) == ("invalid_request", False)
    assert f"{server.url}/elsewhere" in str(error)
    assert len(server.seen) == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic", "http"])
def test_nobody_listens(bench, provider):
    """A server that is not there is a connection error, which may pass."""
    from tests._servers import free_port

    url = f"http://127.0.0.1:{free_port()}"
    error = bench.refusal(provider, **({"url": url} if provider == "http" else {"base_url": url}))
    assert (error.type, error.transient) == ("connection", True)
    assert f"{url} cannot be reached: connection refused" in str(error)


def test_a_name_that_does_not_exist(bench):
    """A host that has no address is a connection error."""
    error = bench.refusal("openai", base_url="http://no-such-host.invalid/v1")
    assert error.type == "connection"


@pytest.mark.parametrize("say", [Say(reset=True), Say(raw=b"")])
def test_connection_that_breaks(bench, server, say):
    """A connection that ends without a reply is a connection error."""
    server.say(say)
    error = bench.refusal("openai", base_url=server.url)
    assert (error.type, error.transient) == ("connection", True)


@pytest.mark.parametrize("say", [Say(hang=True), Say(body=b"x" * 50, drip_s=1)])
def test_server_that_stalls(bench, server, question, say):
    """A server that sends nothing in time is a timeout."""
    server.say(say)
    error = bench.refusal("openai", question("q", timeout_s=0.2), base_url=server.url)
    assert (error.type, error.transient) == ("timeout", True)


def test_a_reply_without_end(bench, server, monkeypatch):
    """A reply over the cap is not read to its end, and asking again would not help."""
    monkeypatch.setattr("pytest_evals.providers.http_common.MAX_BODY_BYTES", 1024 * 1024)
    server.say(Say(body=b"x" * 3_000_000))
    error = bench.refusal("openai", base_url=server.url)
    assert (error.type, error.transient) == ("malformed", False)
    assert "more than 1 MB" in str(error)


def test_cap_counts_what_is_unpacked(bench, server, monkeypatch):
    """A small packed reply that unpacks to a huge one is stopped too."""
    import gzip

    monkeypatch.setattr("pytest_evals.providers.http_common.MAX_BODY_BYTES", 1024 * 1024)
    server.say(Say(body=gzip.compress(b"x" * 3_000_000), headers=(("content-encoding", "gzip"),)))
    assert "more than 1 MB" in str(bench.refusal("openai", base_url=server.url))


def test_http_errors_are_of_no_model(bench, server):
    """A path that an application does not have says nothing of a model."""
    server.say(Say(status=404, body=b"no route"))
    assert bench.refusal("http", url=server.url).type == "invalid_request"


def test_fault_is_an_answer_error(bench, server):
    """What is raised is ours: no exception of the HTTP library leaves a provider."""
    server.say(Say(status=500))
    assert type(bench.refusal("openai", base_url=server.url)) is AnswerError
