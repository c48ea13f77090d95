"""When to ask again: transient faults only, a bounded number of times, with growing pauses."""

import random
from dataclasses import dataclass

from pytest_evals.ground.errors import AnswerError

LONGEST_WAIT_S = 120.0
"""A server that asks for more than this is not waited for: the error is reported at once."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after what pause a call is tried again."""

    most: int
    """Attempts after the first."""
    base_s: float = 0.5
    """The first pause, in seconds; it doubles with every attempt."""
    cap_s: float = 30.0
    """The longest pause of our own choosing, in seconds."""

    def pause(self, error: AnswerError, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt; None where there must be none.

        Args:
            error: what the attempt ended with.
            attempt: how many attempts there were, this one included.

        The pause is drawn evenly from the upper half of the doubling bound, so that many trials
        that failed together do not come back together. A server's own wish is a lower bound.
        """
        if not error.transient or attempt > self.most:
            return None
        bound = min(self.cap_s, self.base_s * 2 ** (attempt - 1))
        own = float(bound * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        if error.retry_after_s is None:
            return own
        if error.retry_after_s > LONGEST_WAIT_S:
            return None
        return max(own if error.retry_after_s == 0 else 0.0, error.retry_after_s)
