"""Budget: the session's cap on money and tokens, and the breaker that stops a broken model."""

from dataclasses import dataclass, field

from pytest_evals.ground.errors import AnswerError


@dataclass(slots=True)
class Budget:
    """What a session may spend. Judges count; stored answers cost nothing again."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    cost_usd: float = 0.0
    """USD spent so far."""
    tokens: int = 0
    """Tokens used so far."""
    _unknown: str | None = None

    def check(self) -> None:
        """Refuse the next call when the budget is spent.

        Raises:
            AnswerError: of type ``not_run``.
        """
        reason = self.spent()
        if reason is not None:
            raise AnswerError("not_run", reason)

    def spent(self) -> str | None:
        """Say why nothing more may be asked; None while something may."""
        if self._unknown is not None:
            return self._unknown
        if self.max_cost_usd is not None and self.cost_usd >= self.max_cost_usd:
            return f"the budget is spent: {self.cost_usd:.4g} of {self.max_cost_usd:g} USD"
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            return f"the budget is spent: {self.tokens} of {self.max_tokens} tokens"
        return None

    def add(self, cost_usd: float | None, tokens: int | None, *, model_id: str) -> None:
        """Count one answer. An unknown amount under a cap stops the session: the cap must hold."""
        self.cost_usd += cost_usd or 0.0
        self.tokens += tokens or 0
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
    """Stops asking a model that fails the same way again and again."""

    model_id: str
    most: int
    """So many equal errors in a row open it; a refused key opens it at once."""
    reason: str | None = None
    """Why it is open."""
    _last: tuple[str, int | None, str] | None = None
    _row: int = field(default=0)

    def check(self) -> None:
        """Refuse the next call when the breaker is open.

        Raises:
            AnswerError: of type ``not_run``.
        """
        if self.reason is not None:
            raise AnswerError("not_run", self.reason)

    def failed(self, error: AnswerError) -> None:
        """Count an error that retries did not mend.

        Raises:
            AnswerError: of type ``not_run``, where the breaker is already open for this very
                error: one report of it is enough.
        """
        if error.type in _OWN:
            return
        mark = (error.type, error.status, _shape(error.message))
        if self.reason is not None:
            if mark == self._last:
                raise AnswerError("not_run", self.reason) from error
            return
        self._row = self._row + 1 if mark == self._last else 1
        self._last = mark
        at_once = error.type == "unauthorized"
        if at_once or self._row >= self.most:
            times = "" if at_once else f" {self._row} times in a row"
            self.reason = (
                f"model {self.model_id!r} was not asked any more after it failed{times}: "
                f"{error.message}"
            )

    def succeeded(self) -> None:
        """Forget the errors in a row."""
        self._row = 0
        self._last = None


_OWN = frozenset(
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
"""Errors of one case, which say nothing about the next."""


def _shape(message: str) -> str:
    """Drop what differs between equal errors: numbers and identifiers."""
    import re

    return re.sub(r"[0-9a-f]{8,}|\d+", "#", message)[:200]
