"""The table of error mappings: from an HTTP error to our error type, with the source of each rule.

The first rule that matches counts. A rule without a status matches every error. This module is
data; `error_mapping` applies it.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from pytest_evals.ground.errors import ErrorType

CHALLENGE: Final = "challenge"
"""The page by which a proxy checks its visitors."""
PAGE: Final = "page"
"""A page of HTML."""
Form = Literal["challenge", "page"]
"""What a body is, if it is no error of an API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table."""

    source: str
    """Where it is documented or was reported."""
    type: ErrorType
    transient: bool = False
    """Whether a retry may help."""
    statuses: frozenset[int] | None = None
    """The HTTP statuses that it applies to; None for all."""
    pattern: re.Pattern[str] | None = None
    """Matches the type, code and message of the error; None for any."""
    form: Form | None = None
    """What the body must be."""
    hint: str | None = None
    """What to do; ``{key}`` is the sentence on the API key."""


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


def _on(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


SERVER_ERRORS = frozenset(range(500, 600))

RULES: tuple[Rule, ...] = (
    Rule(
        source="Cloudflare: header cf-mitigated: challenge; page 'Just a moment...'",
        form=CHALLENGE,
        type="provider",
        hint="the challenge page of a proxy answered, not the API; check the address and the "
        "network",
    ),
    Rule(
        source="proxies and firewalls: a page of HTML with status 403",
        statuses=_on(403),
        form=PAGE,
        type="provider",
        hint="a page of HTML answered, as of a proxy or firewall, not the API; check the address "
        "and the network",
    ),
    Rule(
        source="LM Studio: lmstudio-bug-tracker#618",
        pattern=_words(r"unexpected endpoint or method"),
        type="invalid_request",
        hint="check the address: `base_url` may lack a part such as /v1",
    ),
    Rule(
        source="OpenAI: code context_length_exceeded; 'maximum context length is ...' (also vLLM, "
        "Mistral, DeepSeek, OpenRouter); vLLM: 'the model's context length is only N tokens'",
        statuses=_on(400, 413, 422) | SERVER_ERRORS,
        pattern=_words(
            r"context_length_exceeded",
            r"maximum context length",
            r"context window",
            r"context length is only",
        ),
        type="context_overflow",
    ),
    Rule(
        source="llama.cpp: type exceed_context_size_error, 'exceeds the available context size'",
        statuses=_on(400, 413, 422) | SERVER_ERRORS,
        pattern=_words(r"exceed_context_size", r"available context size", r"context[_ ]overflow"),
        type="context_overflow",
    ),
    Rule(
        source="SGLang: openclaw#129352, 'longer than the model's context length'; vLLM: 'longer "
        "than the maximum model length'",
        statuses=_on(400, 413, 422) | SERVER_ERRORS,
        pattern=_words(r"longer than the (?:model'?s |maximum )?(?:context|model) length"),
        type="context_overflow",
    ),
    Rule(
        source="Anthropic: 'prompt is too long', 'input length and `max_tokens` exceed context "
        "limit'",
        statuses=_on(400, 413, 422),
        pattern=_words(r"prompt is too long", r"exceeds? (?:the )?context limit"),
        type="context_overflow",
    ),
    Rule(
        source="Gemini: 'The input token count (N) exceeds the maximum number of tokens allowed'",
        statuses=_on(400),
        pattern=_words(r"input token count .{0,60}exceeds the maximum number of tokens"),
        type="context_overflow",
    ),
    Rule(
        source="xAI: 'This model's maximum prompt length is N but the request contains M tokens'; "
        "GitHub Copilot: 'prompt token count of N exceeds the limit of M' (9router#229)",
        statuses=_on(400),
        pattern=_words(r"maximum prompt length is", r"prompt token count .{0,20}exceeds the limit"),
        type="context_overflow",
    ),
    Rule(
        source="Amazon Bedrock: 'Input is too long for requested model', 'too many input tokens'",
        statuses=_on(400),
        pattern=_words(r"input is too long for", r"too many (?:input )?tokens"),
        type="context_overflow",
    ),
    Rule(
        source="TGI: '`inputs` tokens + `max_new_tokens` must be <= N', '`inputs` must have less "
        "than N tokens'",
        statuses=_on(400, 413, 422),
        pattern=_words(r"`?inputs`? tokens \+ `?max_new_tokens`?", r"inputs`? must have less than"),
        type="context_overflow",
    ),
    Rule(
        source="LM Studio: 'Trying to keep the first N tokens when context the overflows', 'loaded "
        "with context length of only', 'Cannot truncate prompt with n_keep' (secintel-ai#1)",
        statuses=_on(400, 413, 422) | SERVER_ERRORS,
        pattern=_words(
            r"context the overflows",
            r"context length of only",
            r"cannot truncate prompt with n_keep",
        ),
        type="context_overflow",
    ),
    Rule(
        source="Azure OpenAI: code content_filter, 'content management policy', "
        "ResponsibleAIPolicyViolation; OpenAI: content_policy_violation, 'safety system'",
        statuses=_on(400, 403, 422),
        pattern=_words(
            r"content_filter",
            r"content_policy",
            r"content management policy",
            r"responsibleai",
            r"content filtering policy",
            r"safety system",
        ),
        type="content_filtered",
    ),
    Rule(
        source="OpenRouter: 403 'requires moderation and your input was flagged'",
        statuses=_on(400, 403),
        pattern=_words(r"input was flagged", r"flagged_input", r"requires moderation"),
        type="content_filtered",
    ),
    Rule(
        source="OpenAI: 429 with insufficient_quota or a billing code; DeepSeek: 402 'Insufficient "
        "Balance'; xAI: 429 and 403 'used all available credits or reached its monthly spending "
        "limit' (continue#10373, warp#14863); Anthropic: 400 'credit balance is too low'",
        statuses=_on(400, 401, 403, 429),
        pattern=_words(
            r"insufficient_quota",
            r"billing_hard_limit",
            r"billing_not_active",
            r"insufficient (?:credit|balance)",
            r"used all available credits",
            r"monthly spending limit",
            r"credit balance is too low",
        ),
        type="rate_limit",
        hint="the account has no credit left",
    ),
    Rule(
        source="Gemini: 400 with reason API_KEY_INVALID (ai-manus#101, vercel/ai#18627); xAI: 400 "
        "'Incorrect API key provided'",
        statuses=_on(400),
        pattern=_words(r"api_key_invalid", r"api key not valid", r"(?:incorrect|invalid) api key"),
        type="unauthorized",
        hint="{key}",
    ),
    Rule(
        source="RFC 9110: 401 and 403",
        statuses=_on(401, 403),
        type="unauthorized",
        hint="{key}",
    ),
    Rule(
        source="RFC 9110: 402; OpenRouter, DeepSeek: no credit",
        statuses=_on(402),
        type="rate_limit",
        hint="the account has no credit left",
    ),
    Rule(
        source="RFC 9110: 404; OpenAI: code model_not_found",
        statuses=_on(404),
        type="model_not_found",
        hint="check the model's name and the address",
    ),
    Rule(source="RFC 9110: 408", statuses=_on(408), type="timeout", transient=True),
    Rule(source="OpenAI's SDK retries 409", statuses=_on(409), type="provider", transient=True),
    Rule(
        source="TGI: 424, the generation failed",
        statuses=_on(424),
        type="provider",
        transient=True,
    ),
    Rule(source="RFC 8470: 425", statuses=_on(425), type="provider", transient=True),
    Rule(source="RFC 6585: 429", statuses=_on(429), type="rate_limit", transient=True),
    Rule(
        source="Groq: 498, flex tier capacity exceeded (laravel/ai#925)",
        statuses=_on(498),
        type="overloaded",
        transient=True,
    ),
    Rule(
        source="RFC 9110: 503; Anthropic: 529 overloaded_error",
        statuses=_on(503, 529),
        type="overloaded",
        transient=True,
    ),
    Rule(
        source="Anthropic: type overloaded_error; OpenAI: slow_down; llama.cpp: unavailable_error; "
        "DeepSeek: insufficient_system_resource",
        statuses=SERVER_ERRORS,
        pattern=_words(
            r"overloaded", r"slow_down", r"unavailable_error", r"insufficient_system_resource"
        ),
        type="overloaded",
        transient=True,
    ),
    Rule(
        source="RFC 9110: 5xx",
        statuses=SERVER_ERRORS,
        type="provider",
        transient=True,
    ),
    Rule(
        source="OpenAI: 400 with code model_not_found, 'The model `x` does not exist'",
        pattern=_words(
            r"model_not_found|model_not_exist|not_found_error",
            r"model\b.{0,80}\b(?:does not exist|not found|is not supported)",
        ),
        type="model_not_found",
    ),
    Rule(source="RFC 9110: any other 4xx", type="invalid_request"),
)

STATUSES: dict[str, int] = {
    # Anthropic: https://docs.anthropic.com/en/api/errors
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # OpenAI: types and codes of its API
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "tokens": 429,
    "requests": 429,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "model_not_found": 404,
    "server_error": 500,
    # Google: the names of gRPC's statuses
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    # LiteLLM's proxy
    "auth_error": 401,
    # DeepSeek: a finish reason
    "insufficient_system_resource": 503,
}
"""The status that an error's type or code means, for an error inside a body with status 200."""
