"""The small real model behind llama-server, through both APIs."""

import json

import pytest

from tests._servers import LLAMA_ALIAS

pytestmark = pytest.mark.real_model

CAPITAL = "Question: What is the capital city of Japan?\nAnswer in one sentence."
PARAMS = {"temperature": 0, "max_tokens": 24, "seed": 1}


def test_openai_api(bench, llama, question):
    """The model answers chat completions with a text, its usage and its name."""
    request = question(CAPITAL, params=PARAMS)
    answer = bench.ask("openai", request, base_url=f"{llama}/v1", model=LLAMA_ALIAS, params=PARAMS)
    assert "Tokyo" in answer.text
    assert answer.model == LLAMA_ALIAS
    assert answer.finish_reason in {"stop", "length"}
    assert answer.usage.input_tokens > 10
    assert 1 <= answer.usage.output_tokens <= 24
    assert 0 < answer.latency_s < 60


def test_anthropic_api(bench, llama, question):
    """The same model answers the Messages API."""
    params = {key: value for key, value in PARAMS.items() if key != "seed"}
    request = question(CAPITAL, params=params)
    answer = bench.ask("anthropic", request, base_url=llama, model=LLAMA_ALIAS, params=params)
    assert "Tokyo" in answer.text
    assert answer.finish_reason in {"stop", "length"}
    assert answer.usage.input_tokens > 10
    assert 1 <= answer.usage.output_tokens <= 24


def test_greedy_answers_repeat(bench, llama, question):
    """At temperature 0 the same question gets the same answer."""
    request = question("What is the capital of Italy?", params=PARAMS)
    keys = {"base_url": f"{llama}/v1", "model": LLAMA_ALIAS, "params": PARAMS}
    assert bench.ask("openai", request, **keys).text == bench.ask("openai", request, **keys).text


def test_a_schema_is_kept(bench, llama, question):
    """A response format is passed through and enforced by the server."""
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    request = question(
        "Give a number as JSON.",
        params={**PARAMS, "max_tokens": 40},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )
    answer = bench.ask("openai", request, base_url=f"{llama}/v1", model=LLAMA_ALIAS)
    assert isinstance(json.loads(answer.text)["n"], int)


def test_context_overflow(bench, llama, question):
    """A question that is too long is a context overflow, not a wrong request."""
    request = question("word " * 6000, params=PARAMS)
    error = bench.refusal("openai", request, base_url=f"{llama}/v1", model=LLAMA_ALIAS)
    assert (error.type, error.transient) == ("context_overflow", False)
