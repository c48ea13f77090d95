"""RetryPolicy: retries after transient errors, a bounded number, with growing pauses. Pure."""

import random
from dataclasses import dataclass

from pytest_evals.ground.errors import AnswerError

LONGEST_WAIT_S = 120.0
"""If a server asks for a longer wait, there is no retry: the error is reported at once."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is retried, and after what pause."""

    max_retries: int
    """Attempts after the first, >= 0."""
    base_s: float = 0.5
    """The first pause, in seconds; it doubles with every attempt."""
    cap_s: float = 30.0
    """The longest pause that this policy chooses, in seconds."""

    def pause(self, error: AnswerError, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt; None if there is no retry.

        Args:
            error: the error of the last attempt.
            attempt: the number of attempts so far, >= 1.

        The pause is uniform in the upper half of a bound that doubles, so that trials that failed
        together do not retry together. A ``Retry-After`` of the server is a lower bound.
        """
        if not error.transient or attempt > self.max_retries:
            return None
        bound = min(self.cap_s, self.base_s * 2 ** (attempt - 1))
        jittered = float(bound * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        if error.retry_after_s is None:
            return jittered
        if error.retry_after_s > LONGEST_WAIT_S:
            return None
        return max(jittered if error.retry_after_s == 0 else 0.0, error.retry_after_s)
