"""Token counts as model APIs write them: OpenAI's, Anthropic's and Google's forms."""

from collections.abc import Mapping
from typing import Any

from pytest_evals.exchange import Usage
from pytest_evals.providers.parsing import count


def openai_usage(usage: object) -> Usage:
    """Read the ``usage`` of OpenAI's chat completions and embeddings."""
    counts = usage if isinstance(usage, Mapping) else {}
    input_details = _mapping(counts.get("prompt_tokens_details"))
    output_details = _mapping(counts.get("completion_tokens_details"))
    return Usage(
        input_tokens=count(counts.get("prompt_tokens")),
        output_tokens=_output_tokens(counts),
        cached_tokens=count(
            input_details.get("cached_tokens", counts.get("prompt_cache_hit_tokens"))
        ),
        cache_write_tokens=_first_count(
            input_details.get("cache_write_tokens"),  # OpenRouter
            input_details.get("cache_creation_tokens"),  # LiteLLM
            counts.get("cache_creation_input_tokens"),  # LiteLLM, Anthropic's gateways
        ),
        reasoning_tokens=count(output_details.get("reasoning_tokens")),
    )


def _output_tokens(counts: Mapping[str, Any]) -> int | None:
    """Return all output tokens; xAI and Gemini count reasoning in the total only."""
    inputs, outputs = count(counts.get("prompt_tokens")), count(counts.get("completion_tokens"))
    total = count(counts.get("total_tokens"))
    if inputs is None or outputs is None or total is None:
        return outputs
    return max(outputs, total - inputs)


def _first_count(*values: object) -> int | None:
    """Return the first of several counts that is reported."""
    return next((n for n in map(count, values) if n is not None), None)


def openai_responses_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the ``usage`` of OpenAI's Responses API, which has other names for the same counts."""
    return openai_usage(
        {
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
            "total_tokens": usage.get("total_tokens"),
            "prompt_tokens_details": usage.get("input_tokens_details"),
            "completion_tokens_details": usage.get("output_tokens_details"),
        }
    )


def anthropic_usage(usage: object) -> Usage:
    """Read Anthropic's ``usage``, whose `input_tokens` exclude the cache's reads and writes."""
    counts = usage if isinstance(usage, Mapping) else {}
    uncached = count(counts.get("input_tokens"))
    cache_read = count(counts.get("cache_read_input_tokens"))
    cache_write = count(counts.get("cache_creation_input_tokens"))
    inputs = [n for n in (uncached, cache_read, cache_write) if n is not None]
    return Usage(
        input_tokens=sum(inputs) if inputs else None,
        output_tokens=count(counts.get("output_tokens")),
        cached_tokens=cache_read,
        cache_write_tokens=cache_write,
        reasoning_tokens=count(
            _mapping(counts.get("output_tokens_details")).get("thinking_tokens")
        ),
    )


def google_usage(metadata: Mapping[str, Any]) -> Usage:
    """Read Gemini's ``usageMetadata``, which counts thoughts apart from the candidates."""
    candidates = count(metadata.get("candidatesTokenCount"))
    thoughts = count(metadata.get("thoughtsTokenCount"))
    outputs = [n for n in (candidates, thoughts) if n is not None]
    return Usage(
        input_tokens=count(metadata.get("promptTokenCount")),
        output_tokens=sum(outputs) if outputs else None,
        cached_tokens=count(metadata.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )


def usage_in(body: Mapping[str, Any]) -> Usage:
    """Read the usage of a response body, by the form that its keys show."""
    google = body.get("usageMetadata")
    if isinstance(google, Mapping):
        return google_usage(google)
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return Usage()
    if "prompt_tokens" in usage:
        return openai_usage(usage)
    if "input_tokens_details" in usage:
        return openai_responses_usage(usage)
    return anthropic_usage(usage)


def _mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
