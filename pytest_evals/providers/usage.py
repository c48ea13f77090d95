"""Token counts as model APIs write them: OpenAI's, Anthropic's and Google's forms."""

from collections.abc import Mapping
from typing import Any

from pytest_evals.exchange import Usage

_OUR_NAMES: Mapping[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cached_tokens": ("cached_tokens", "cache_read_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "thinking_tokens"),
}
"""Our names of counts, and other names of the same."""
_GOOGLE = {
    "promptTokenCount": "prompt_token_count",
    "candidatesTokenCount": "candidates_token_count",
    "thoughtsTokenCount": "thoughts_token_count",
    "cachedContentTokenCount": "cached_content_token_count",
}
"""Gemini's names in JSON, and in its SDK."""


def count(value: object) -> int | None:
    """Return a number of tokens; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e15 and int(value) == value else None


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


def sdk_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the usage that a target returned, by the form that its keys show.

    Raises:
        ValueError: a count is not a whole number of at least 0, or no key is known.
    """
    ours = _our_usage(usage)
    google = {name: usage.get(name, usage.get(other)) for name, other in _GOOGLE.items()}
    if any(value is not None for value in google.values()):
        return google_usage(google)
    if "inputTokens" in usage:  # Bedrock
        return anthropic_usage(
            {
                "input_tokens": usage["inputTokens"],
                "output_tokens": usage.get("outputTokens"),
                "cache_read_input_tokens": usage.get("cacheReadInputTokens"),
                "cache_creation_input_tokens": usage.get("cacheWriteInputTokens"),
            }
        )
    if "prompt_tokens" in usage:
        read = openai_usage(usage)
    elif {"cache_read_input_tokens", "cache_creation_input_tokens"} & usage.keys():
        read = anthropic_usage(usage)
    elif {"input_tokens_details", "output_tokens_details"} & usage.keys():
        read = openai_responses_usage(usage)
    else:
        read = _langchain_usage(usage)
    our_keys = {name for names in _OUR_NAMES.values() for name in names}
    if usage and not usage.keys() & our_keys:
        keys = ", ".join(map(str, usage))
        raise ValueError(f"`usage` has none of the keys {', '.join(_OUR_NAMES)}, found {keys}")
    fields = ours.model_dump(exclude_none=True) | read.model_dump(exclude_none=True)
    return Usage(**fields)


def _our_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the counts that have one of our names.

    Raises:
        ValueError: a count is not a whole number of at least 0.
    """
    counts: dict[str, int | None] = {}
    for field, names in _OUR_NAMES.items():
        for name in names:
            if usage.get(name) is not None:
                counts[field] = count(usage[name])
                if counts[field] is None:
                    raise ValueError(
                        f"`usage.{name}` is a whole number of at least 0, found {usage[name]!r}"
                    )
    return Usage(**counts)


def _langchain_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the details in LangChain's form, and in pydantic-ai's."""
    inputs, outputs = (
        _mapping(usage.get("input_token_details")),
        _mapping(usage.get("output_token_details")),
    )
    details = _mapping(usage.get("details"))
    return Usage(
        cached_tokens=_first_count(inputs.get("cache_read"), inputs.get("cached")),
        cache_write_tokens=count(inputs.get("cache_creation")),
        reasoning_tokens=_first_count(outputs.get("reasoning"), details.get("reasoning_tokens")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
