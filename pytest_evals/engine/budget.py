"""Budget: the session's cap on money and tokens. Breaker: disables a failing model. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from pytest_evals.ground.errors import AnswerError


@dataclass(slots=True)
class Budget:
    """What a session may spend. Judges count; a stored answer costs nothing."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    cost_usd: float = 0.0
    """USD spent so far."""
    tokens: int = 0
    """Tokens used so far."""
    _unknown: str | None = None
    _in_flight: Counter[str] = field(default_factory=Counter)
    """Calls under way, by model."""
    _most: dict[str, tuple[float, int]] = field(default_factory=dict)
    """The most USD and tokens that a response of each model took: the reserve for its next one."""

    def has_room(self, model_id: str) -> bool:
        """Return whether a call may begin now, with what the calls under way will take reserved.

        The first call of a model is made alone, as its cost is unknown. A call that can exceed the
        budget is made if nothing is under way, so the budget is exceeded by one call at most.
        """
        if self.max_cost_usd is None and self.max_tokens is None:
            return True
        if not self._in_flight.total():
            return True
        if any(model not in self._most for model in (model_id, *+self._in_flight)):
            return False
        counts = self._in_flight + Counter([model_id])
        usd = self.cost_usd + sum(n * self._most[model][0] for model, n in counts.items())
        tokens = self.tokens + sum(n * self._most[model][1] for model, n in counts.items())
        fits_cost = self.max_cost_usd is None or usd <= self.max_cost_usd * (1 + 1e-9)
        return fits_cost and (self.max_tokens is None or tokens <= self.max_tokens)

    def begin(self, model_id: str) -> None:
        """Reserve for a call that begins."""
        self._in_flight[model_id] += 1

    def end(self, model_id: str) -> None:
        """Release the reserve of a call that has ended."""
        self._in_flight[model_id] -= 1

    def check(self) -> None:
        """Refuse the next call if the budget is spent.

        Raises:
            AnswerError: of type ``not_run``.
        """
        reason = self.spent()
        if reason is not None:
            raise AnswerError("not_run", reason)

    def spent(self) -> str | None:
        """Say why no further call may be made; None while calls may be made."""
        if self._unknown is not None:
            return self._unknown
        if self.max_cost_usd is not None and self.cost_usd >= self.max_cost_usd:
            return f"the budget is spent: {self.cost_usd:.4g} of {self.max_cost_usd:g} USD"
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return f"the budget is spent: {self.tokens} of {self.max_tokens} tokens"
        return None

    def add(self, cost_usd: float | None, tokens: int | None, *, model_id: str) -> None:
        """Count one response. An unknown amount under a cap ends the calls: the cap must hold."""
        self.cost_usd += cost_usd or 0.0
        self.tokens += tokens or 0
        most_usd, most_tokens = self._most.get(model_id, (0.0, 0))
        self._most[model_id] = max(most_usd, cost_usd or 0.0), max(most_tokens, tokens or 0)
        if self.max_cost_usd is not None and cost_usd is None:
            self._unknown = (
                f"model {model_id!r} gave an answer whose cost is unknown (the server reported no "
                "tokens), so the cap on cost cannot be kept"
            )
        if self.max_tokens is not None and tokens is None:
            self._unknown = (
                f"model {model_id!r} reported no tokens, so the cap on tokens cannot be kept"
            )


@dataclass(slots=True)
class Breaker:
    """Circuit breaker: disables a model after equal errors in a row."""

    model_id: str
    max_failures: int
    """This many equal errors in a row open it; a rejected API key opens it at once."""
    reason: str | None = None
    """Why it is open."""
    _last: tuple[str, int | None, str] | None = None
    _row: int = field(default=0)

    def check(self) -> None:
        """Refuse the next call if the breaker is open.

        Raises:
            AnswerError: of type ``not_run``.
        """
        if self.reason is not None:
            raise AnswerError("not_run", self.reason)

    def failed(self, error: AnswerError) -> None:
        """Count an error that remained after all retries.

        Raises:
            AnswerError: of type ``not_run``, if the breaker is already open for an equal error:
                one report of it is enough.
        """
        if error.type in _ERRORS_OF_ONE_CASE:
            return
        signature = (error.type, error.status, _shape(error.message))
        if self.reason is not None:
            if signature == self._last:
                raise AnswerError("not_run", self.reason) from error
            return
        self._row = self._row + 1 if signature == self._last else 1
        self._last = signature
        at_once = error.type == "unauthorized"
        if at_once or self._row >= self.max_failures:
            times = "" if at_once else f" {self._row} times in a row"
            self.reason = (
                f"model {self.model_id!r} was disabled after it failed{times}: {error.message}"
            )

    def succeeded(self) -> None:
        """Forget the errors in a row."""
        self._row = 0
        self._last = None


_ERRORS_OF_ONE_CASE = frozenset(
    {
        "not_run",
        "stale",
        "template",
        "script_exhausted",
        "script_unused",
        "script_mismatch",
        "content_filtered",
        "context_overflow",
    }
)
"""Errors of one case; they say nothing about the next call."""


def _shape(message: str) -> str:
    """Remove what differs between equal errors: numbers and identifiers."""
    import re

    return re.sub(r"[0-9a-f]{8,}|\d+", "#", message)[:200]
