"""How whole a model's set of trials is, and which failed trials a gate answers for."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ModelState:
    """What was recorded of one model."""

    whole: Literal["whole", "narrowed", "cut short"]
    """Whether every planned trial was recorded, and if not, why: the user chose a part of them, or
    the run ended too early."""
    planned: int
    """Trials in the whole matrix."""
    recorded: int
    """Trials with a record, those that were not run left out."""
    errored: int
    """Trials without an answer or a score."""
    allowed: float
    """The share of trials that may be errored."""

    @property
    def error_rate(self) -> float:
        """The share of recorded trials that errored; 0 where none was recorded."""
        return self.errored / self.recorded if self.recorded else 0.0

    @property
    def too_many_errors(self) -> bool:
        """Whether more trials errored than may."""
        return self.error_rate > self.allowed + 1e-12

    @property
    def comparable(self) -> bool:
        """Whether answers can be judged at all."""
        return self.whole == "whole" and not self.too_many_errors
