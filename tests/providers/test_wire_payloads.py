"""Bodies that real servers sent, from public bug reports (`payloads.json` has the sources)."""

import json
from pathlib import Path
from time import time

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.model import Price
from pytest_evals.providers.error_rules import RULES, STATUSES
from pytest_evals.providers.http_calls import HttpAnswer, read_answer
from tests._servers import Say

PAYLOADS = {
    item["id"]: item for item in json.loads(Path(__file__).with_name("payloads.json").read_text())
}
ERRORS = {
    "or_choice_error": ("provider", True, 200, "connection lost"),
    "or_top_error_choices": ("rate_limit", True, 200, "Rate limit exceeded"),
    "or_429_ms": ("rate_limit", True, 429, "free-models-per-min"),
    "gem_400_list": ("unauthorized", False, 400, "API key not valid. Please pass a valid API key."),
    "gem_429_list": ("rate_limit", True, 429, "You exceeded your current quota"),
    "groq_498": ("overloaded", True, 498, "Flex tier capacity exceeded"),
    "sglang_overflow": ("context_overflow", False, 400, "longer than the model's context length"),
    "bedrock_overflow": ("context_overflow", False, 400, "Input is too long"),
    "cf_403_challenge": ("provider", False, 403, "the challenge page of a proxy answered"),
    "lmstudio_200_endpoint": ("invalid_request", False, 200, "check the address"),
    "err200_str_code": ("unauthorized", False, 200, "Authentication Error"),
    "azure_filter_200": ("content_filtered", False, 200, "content_filter"),
    "azure_filter_400": ("content_filtered", False, 400, "content management policy"),
    "azure_429_body_only": ("rate_limit", True, 429, "exceeded token rate limit"),
    "a_pause": ("provider", False, 200, "pause_turn"),
}
ANSWERS = {"or_cost", "xai_reasoning_apart"}
RECORDED = {"resp_failed"}


def say(name):
    """Return a payload as the loopback server sends it."""
    payload = PAYLOADS[name]
    headers = {"content-type": "application/json", **payload["headers"]}
    if name == "or_429_ms":
        headers["X-RateLimit-Reset"] = str(int((time() + 2) * 1000))
    body = payload["body"]
    body = body.encode() if isinstance(body, str) else body
    return Say(payload["status"], body, headers=tuple(headers.items()))


def test_every_payload_has_a_test():
    """A new payload fails here until it is in one of the tables."""
    assert PAYLOADS.keys() == ERRORS.keys() | ANSWERS | RECORDED


@pytest.mark.parametrize("name", ERRORS)
def test_errors(bench, server, name):
    """Type, whether to retry, the status that was sent, and the server's sentence."""
    type_, transient, status, sentence = ERRORS[name]
    server.say(say(name))
    provider = "anthropic" if name == "a_pause" else "openai"
    error = bench.refusal(provider, base_url=server.url, model="m")
    assert (type_, transient, status) == (error.type, error.transient, error.status)
    assert sentence in error.message
    assert f"answered {status}" in error.message
    assert 1 == len(server.seen)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("or_429_ms", 1.0, 2.0), ("gem_429_list", 4.0, 5.0), ("azure_429_body_only", 3.0, 3.0)],
)
def test_waits(bench, server, name, least, most):
    """A reset in epoch milliseconds, and waits that only the body has."""
    server.say(say(name))
    assert least <= bench.refusal("openai", base_url=server.url).retry_after_s <= most


def test_a_challenge_page_is_no_missing_key(bench, server):
    """The hint speaks of the network."""
    server.say(say("cf_403_challenge"))
    assert "key" not in bench.refusal("openai", base_url=server.url).message


def test_reported_cost_and_cache_writes(bench, server):
    """OpenRouter's usage: the cost, and tokens written to the cache."""
    server.say(say("or_cost"))
    response = bench.ask("openai", base_url=server.url)
    assert ("30 days", 0.0042) == (response.text, response.cost_usd)
    assert response.usage == Usage(
        input_tokens=100,
        output_tokens=10,
        cached_tokens=20,
        cache_write_tokens=30,
        reasoning_tokens=4,
    )


def test_reasoning_outside_of_completion_tokens_is_priced(bench, server):
    """The total settles how many output tokens there are."""
    server.say(say("xai_reasoning_apart"))
    usage = bench.ask("openai", base_url=server.url).usage
    assert (810, 800, 910) == (usage.output_tokens, usage.reasoning_tokens, usage.total_tokens)
    assert (100 + 2 * 810) / 1e6 == pytest.approx(usage.cost(Price(input=1, output=2)))


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_a_failed_responses_call_is_not_stored(status):
    """A recorded call of the Responses API: its fault keeps it out of stores and cassettes."""
    body = PAYLOADS["resp_failed"]["body"] | {"status": status, "error": None}
    fault = read_answer(HttpAnswer(200, body=json.dumps(body).encode())).fault
    assert f"its generation is {status}" == fault


@pytest.mark.parametrize(
    "body",
    [
        PAYLOADS["resp_failed"]["body"],
        PAYLOADS["or_choice_error"]["body"],
        PAYLOADS["or_top_error_choices"]["body"],
        {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]},
        {"choices": [{"message": {"content": "par"}, "finish_reason": "abort"}]},
    ],
)
def test_a_failed_recorded_call_has_a_fault(body):
    """Whole, or as an event of a stream."""
    whole = HttpAnswer(200, body=json.dumps(body).encode())
    assert read_answer(whole).fault is not None
    event = f"data: {json.dumps(body)}\n\n".encode()
    stream = HttpAnswer(200, (("content-type", "text/event-stream"),), event)
    assert read_answer(stream).fault is not None


@pytest.mark.parametrize(
    ("reason", "type_", "transient"),
    [
        ("error", "provider", True),
        ("insufficient_system_resource", "overloaded", True),
        ("content_filter", "content_filtered", False),
        ("content_filter: RECITATION", "content_filtered", False),
        ("SAFETY", "content_filtered", False),
        ("PROHIBITED_CONTENT", "content_filtered", False),
        ("abort", "provider", True),
        ("MALFORMED_FUNCTION_CALL", "provider", True),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", "provider", True),
    ],
)
def test_failed_generations(bench, server, reason, type_, transient):
    """A finish reason that is a failure is an error, also with a partial text."""
    message = {"role": "assistant", "content": "par"}
    server.say(Say(body={"choices": [{"message": message, "finish_reason": reason}]}))
    error = bench.refusal("openai", base_url=server.url)
    assert (type_, transient) == (error.type, error.transient)


def test_an_empty_error_is_none(bench, server):
    """Some servers send one with each response."""
    choice = {"message": {"content": "30 days"}, "finish_reason": "stop"}
    server.say(Say(body={"choices": [choice], "error": {"code": None, "message": ""}}))
    assert "30 days" == bench.ask("openai", base_url=server.url).text


OVERFLOWS = [
    (400, "This model's maximum context length is 4096 tokens. However, you requested 5000"),
    (400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096."),
    (400, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (10)."),
    (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048."),
    (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 1335"),
    (400, "Trying to keep the first 5000 tokens when context the overflows."),
    (500, "the request exceeds the available context size"),
    (400, "Cannot truncate prompt with n_keep (14169) >= n_ctx (4096)"),
    (400, "prompt token count of 146499 exceeds the limit of 128000"),
    (400, "You passed 9001 input tokens. However, the model's context length is only 8192 tokens."),
]


@pytest.mark.parametrize(("status", "message"), OVERFLOWS)
def test_context_overflow_in_every_wording(bench, server, status, message):
    """Of vLLM, Anthropic, Gemini, xAI, TGI, LM Studio and llama.cpp."""
    server.say(Say(status, {"error": {"message": message}}))
    error = bench.refusal("openai", base_url=server.url)
    assert ("context_overflow", False) == (error.type, error.transient)


@pytest.mark.parametrize(
    ("status", "body", "type_", "transient"),
    [
        (424, {"error": "Request failed during generation", "error_type": "generation"},
         "provider", True),
        (403, {"error": {"code": 403, "message": "Your chosen model requires moderation and your "
                         "input was flagged"}}, "content_filtered", False),
        (429, {"code": "resource exhausted", "error": "Your team has either used all available "
               "credits or reached its monthly spending limit."}, "rate_limit", False),
        (403, {"error": "Your team has either used all available credits or reached its monthly "
               "spending limit."}, "rate_limit", False),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit "
               "balance is too low to access the Anthropic API."}}, "rate_limit", False),
        (403, b"<html><body>Forbidden by policy</body></html>", "provider", False),
        (200, {"error": {"message": "no", "type": "invalid_request_error"}},
         "invalid_request", False),
        (200, {"error": {"message": "try later", "status": "UNAVAILABLE"}}, "overloaded", True),
        (200, [{"error": {"code": 401, "message": "no"}}], "unauthorized", False),
        (200, {"error": "something broke"}, "provider", True),
    ],
)  # fmt: skip
def test_other_errors(bench, server, status, body, type_, transient):
    """Further rows of the table; an error inside a body is retried only if it may help."""
    server.say(Say(status, body))
    error = bench.refusal("openai", base_url=server.url)
    assert (type_, transient, status) == (error.type, error.transient, error.status)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 1m2.5s. Visit", 62.5),
        ("try again in 120ms", 0.12),
        ("Please retry after 3 seconds.", 3),
        ("Please retry in 4.2s.", 4.2),
        ("retry after a while", None),
        ("Please try again later", None),
    ],
)
def test_waits_in_sentences(bench, server, text, wait_s):
    """The wait is read from the message where no header has it; a header takes precedence."""
    server.say(Say(429, {"error": {"message": text}}))
    assert wait_s == bench.refusal("openai", base_url=server.url).retry_after_s
    server.say(Say(429, {"error": {"message": text}}, headers=(("retry-after", "7"),)))
    assert 7 == bench.refusal("openai", base_url=server.url).retry_after_s


@pytest.mark.parametrize(
    ("provider", "path", "target"),
    [
        ("openai", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/", "/v1/chat/completions"),
        ("embeddings", "/v1/embeddings", "/v1/embeddings"),
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("anthropic", "", "/v1/messages"),
    ],
)
def test_an_address_with_the_path_of_the_endpoint(bench, server, provider, path, target):
    """It is understood."""
    server.say(Say(500))
    bench.refusal(provider, base_url=server.url + path)
    assert target == server.seen[0].target


@pytest.mark.parametrize("tail", ["?api-version=1", "#top"])
def test_an_address_with_a_query_or_a_fragment(bench, tail):
    """It is refused, with what to do."""
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match="no query and no fragment"):
        bench.provider("openai", base_url=f"http://127.0.0.1:1/v1{tail}")


def test_the_table_is_complete():
    """Every rule has a source; every status of an error has a rule; every code a status."""
    assert all(rule.source.strip() for rule in RULES)
    assert RULES[-1].statuses is None
    assert RULES[-1].pattern is None
    assert all(400 <= status < 600 for status in STATUSES.values())


@pytest.mark.heavy
def test_a_session_retries_and_stores_no_failure(pytester, server, monkeypatch):
    """A failed generation is called again; only the good answer is stored."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    good = {"choices": [{"message": {"content": "30 days"}, "finish_reason": "stop"}]}
    server.say(say("groq_498"), say("or_choice_error"), Say(body=good))
    model = {"id": "m", "provider": "openai", "model": "m", "base_url": server.url}
    dataset = {
        "models": [model],
        "scorers": [{"contains": "30 days"}],
        "cases": [{"id": "a", "input": "How long?"}],
    }
    (pytester.path / "refunds.evals.yaml").write_text(json.dumps(dataset), encoding="utf-8")
    args = ("-p", "evals-matrix", "--evals")
    pytester.runpytest_subprocess(*args).assert_outcomes(passed=1)
    assert 3 == len(server.seen)
    pytester.runpytest_subprocess(*args).assert_outcomes(passed=1)
    assert 3 == len(server.seen)
