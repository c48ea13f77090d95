"""Model: a named configuration of a provider. It holds no API key and no client."""

from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen


class Price(Frozen):
    """Price of a model, in USD per million tokens."""

    input: float = Field(ge=0)
    """USD per million input tokens."""
    output: float = Field(ge=0)
    """USD per million output tokens."""
    cached_input: float | None = Field(default=None, ge=0)
    """USD per million input tokens read from the provider's cache; None uses `input`."""
    cache_write: float | None = Field(default=None, ge=0)
    """USD per million input tokens written to the provider's cache; None uses `input`."""
    request: float = Field(default=0.0, ge=0)
    """USD per request."""


class Model(Frozen):
    """A named configuration: a provider, its model, parameters, price and limits.

    Written as ``provider:model`` or as a mapping. Keys that are not fields here are options of the
    provider.
    """

    id: str
    """Name in ids, reports and baselines; unique in a dataset. Default: ``provider:model``."""
    provider: str
    """Name of the provider in the registry."""
    model: str | None = None
    """Name of the model at the provider; None if the provider needs none."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters, passed through (``temperature``, ``max_tokens``, ``seed``). One value
    each: to compare several, list a model for each."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of this provider (base_url, target, command, url, ...)."""
    price: Price | None = None
    """Price in USD; None is unknown, which is not free."""
    concurrency: int | None = Field(default=None, ge=1)
    """Maximum number of concurrent calls, >= 1; None uses the session's limit."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Maximum calls per minute, > 0; None: no limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Maximum tokens per minute, input and output, > 0; None: no limit."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Timeout of one attempt in seconds, > 0; None uses the session's timeout."""
    max_retries: int | None = Field(default=None, ge=0)
    """Maximum retries after transient errors, >= 0; None uses the session's number."""
    stored: bool | None = None
    """Whether stored responses are reused. None uses the provider's default: responses of user code
    are not reused, because the code can have changed."""
    version: str | None = None
    """Version of the target, set by the user; part of the Key."""
    independent: bool | None = None
    """Whether samples are independent draws. None: no at temperature 0 or with a seed, else yes."""


MODEL_FIELDS: frozenset[str] = frozenset(Model.model_fields) - {"options"}
"""Keys of a model in a dataset that do not depend on the provider."""

RECORD_OPTIONS: frozenset[str] = frozenset({"record_http", "record_env"})
"""Options that record the HTTP calls made by a model's code."""
