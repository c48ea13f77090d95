"""ModelState: how complete the trials of one model are."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ModelState:
    """The completeness of one model's trials."""

    status: Literal["complete", "narrowed", "interrupted"]
    """Whether every planned trial was recorded; if not, whether the user selected a part
    (``narrowed``) or the run ended early (``interrupted``)."""
    planned: int
    """Trials in the complete matrix."""
    recorded: int
    """Recorded trials, without those that were not run."""
    errored: int
    """Trials without an answer or a score."""
    allowed: float
    """The share of trials that may error, 0..1."""

    @property
    def error_rate(self) -> float:
        """The share of recorded trials that errored, 0..1; 0 without a recorded trial."""
        return self.errored / self.recorded if self.recorded else 0.0

    @property
    def too_many_errors(self) -> bool:
        """Whether more trials errored than are allowed."""
        return self.error_rate > self.allowed + 1e-12

    @property
    def comparable(self) -> bool:
        """Whether the answers can be compared: complete, and without too many errors."""
        return self.status == "complete" and not self.too_many_errors
