"""Model: a named configuration that is asked. It holds no key and no client."""

from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen


class Price(Frozen):
    """What a model costs, in USD per million tokens."""

    input: float = Field(ge=0)
    """Tokens that are read."""
    output: float = Field(ge=0)
    """Tokens that are written."""
    cached_input: float | None = Field(default=None, ge=0)
    """Input tokens read from the provider's cache; None is the price of input."""
    cache_write: float | None = Field(default=None, ge=0)
    """Input tokens written to the provider's cache; None is the price of input."""
    request: float = Field(default=0.0, ge=0)
    """USD for each request, whatever its size."""


class Model(Frozen):
    """A named configuration that is asked: the provider, what it is told, and its limits.

    Written as ``provider:model`` or as a mapping; keys that are not fields here are the provider's
    own options.
    """

    id: str
    """Its name in ids, reports and baselines; unique in a dataset. Written there without one, it is
    ``provider:model``."""
    provider: str
    """Who answers: a name in the registry."""
    model: str | None = None
    """The provider's name of the model."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Sampling parameters, passed through (``temperature``, ``max_tokens``, ``seed``)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this provider knows (base_url, target, command, url, ...)."""
    price: Price | None = None
    """What it costs, in USD; None is unknown, which is not free."""
    concurrency: int | None = Field(default=None, ge=1)
    """Calls at once to this model; None is the session's number."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Calls a minute; None is no limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Tokens a minute, read and written; None is no limit."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds for one attempt; None is the session's number."""
    max_retries: int | None = Field(default=None, ge=0)
    """Attempts after the first, for transient faults only; None is the session's number."""
    stored: bool | None = None
    """Whether stored answers may be used again; None leaves it to the provider (answers of user
    code are asked again, as the code may have changed)."""
    version: str | None = None
    """The user's own version of what answers; enters the Key."""
    independent: bool | None = None
    """Whether samples count as independent draws; None: not at temperature 0 or with a seed."""


MODEL_FIELDS: frozenset[str] = frozenset(Model.model_fields) - {"options"}
"""The keys of a model in a dataset that every provider has."""

RECORD_OPTIONS: frozenset[str] = frozenset({"record_http", "record_env"})
"""The options by which the calls that a model's own code makes are recorded."""
