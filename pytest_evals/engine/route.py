"""Routes: how a call reaches a model. Two kinds: a provider, and user code with recorded calls.

Nouns only; `routes` makes them and `model_call` uses them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_evals.engine.budget import Breaker
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.engine.worker_share import ProcessLimit
from pytest_evals.exchange import Request, Response
from pytest_evals.model import Model
from pytest_evals.providers.base import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLimits:
    """The limits that a call waits for, besides the session's."""

    model: Limiter
    host: Limiter | None = None
    """The limit of the server, shared by its models."""
    processes: tuple[ProcessLimit, ...] = ()
    """Limits smaller than the number of engines in this session."""
    holds_session_slot: bool = False
    """Whether the caller holds one of the session's slots already: user code that makes a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A provider behind its limits, its circuit breaker and its retry policy."""

    model: Model
    provider: Provider
    limits: RouteLimits
    breaker: Breaker
    retry: RetryPolicy
    attempt_timeout_s: float

    is_stored: ClassVar[bool]
    """Whether a response of this route is stored, counted and priced as one call."""

    @property
    def required_env(self) -> tuple[str, ...]:
        """The environment variables that the target needs."""
        return type(self.provider).required_env(self.model)

    @property
    def has_call_prices(self) -> bool:
        """Whether the calls behind this route have prices besides the model's."""
        return False

    def call_timeout(self, remaining_s: float) -> float:
        """Return the seconds that one call may take.

        Args:
            remaining_s: what is left of the trial's time.
        """
        return min(self.model.timeout_s or self.attempt_timeout_s, max(remaining_s, 0.001))

    def call_limit(self, clock: TrialClock) -> str:
        """Return the limit that `call_timeout` is, for a message."""
        own_s = self.model.timeout_s or self.attempt_timeout_s
        if clock.remaining() < own_s:
            return clock.limit_name()
        name = "`timeout_s` of the model" if self.model.timeout_s else "evals_attempt_timeout"
        return f"{own_s:g} s ({name})"

    def cost_of(self, response: Response) -> float | None:
        """Return USD: as the target reports it, else by the model's price; None if unknown."""
        if response.cost_usd is not None:
            return response.cost_usd
        return response.usage.cost(self.model.price)

    def identity(self, request: Request) -> Any:
        """Return everything in a request that can change the response."""
        return self.provider.identity(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoute(Route):
    """The route to a model: its responses are stored, counted and priced."""

    chain: str | None = None
    """For user code, whose responses expire: the mark of the runs that may reuse them (an
    interrupted run and the one that finishes it). None if any run may."""

    is_stored: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCodeRoute(Route):
    """The route to user code whose HTTP calls are recorded.

    The code runs for every trial, also in a replay. Its calls are stored, counted and priced in
    place of its response. `provider` is the recording one, around `code`.
    """

    code: Provider
    """Runs the user's code."""
    prices: Mapping[str, Any]
    """Prices of the models that the code calls, by name."""

    is_stored: ClassVar[bool] = False

    @property
    def required_env(self) -> tuple[str, ...]:
        """The environment variables that the code's provider needs."""
        return type(self.code).required_env(self.model)

    @property
    def has_call_prices(self) -> bool:
        """Whether any of the called models has a price."""
        return bool(self.prices)
