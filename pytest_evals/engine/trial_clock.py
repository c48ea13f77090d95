"""TrialClock: how much of its time one trial has used. Waiting for a limit uses none."""

from dataclasses import dataclass
from time import monotonic


@dataclass(slots=True)
class TrialClock:
    """The time limit of one trial; only calls and scorers use it up, waiting does not."""

    limit_s: float
    """Seconds."""
    used_s: float = 0.0
    session_end: float | None = None
    """When the session must end, by `time.monotonic`."""

    def remaining(self) -> float:
        """Return the seconds that are left."""
        left = self.limit_s - self.used_s
        return left if self.session_end is None else min(left, self.session_end - monotonic())

    def limit_name(self) -> str:
        """Return the limit that `remaining` is the rest of."""
        left = self.session_left()
        if left is not None and left < self.limit_s - self.used_s:
            return "the session's time (--evals-timeout)"
        return f"the trial's {self.limit_s:g} s (evals_trial_timeout)"

    def session_left(self) -> float | None:
        """Return the seconds until the session must end; None without a limit."""
        return None if self.session_end is None else max(0.0, self.session_end - monotonic())

    def session_over(self) -> bool:
        """Whether the session has reached its time limit."""
        return self.session_end is not None and monotonic() >= self.session_end
