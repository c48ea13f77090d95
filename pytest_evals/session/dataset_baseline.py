"""DatasetBaseline: the baseline that one dataset of a session is compared with."""

from dataclasses import dataclass
from pathlib import Path

from pytest_evals.storage.baseline_file import NamedBaseline
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.gate.spec import GateSpec


@dataclass(frozen=True, slots=True)
class DatasetBaseline:
    """A dataset's gates and the baseline they compare with."""

    gates: tuple[GateSpec, ...]
    """The dataset's gates."""
    named: NamedBaseline | None
    """The baseline with its name; None if there is none."""
    committed: Baseline | None
    """The dataset's committed baseline file as it is now. This run may update it."""
    path: Path
    """The path of that file."""
    max_error_rate: float = 0.0
    """The share of the dataset's trials that may end in an error, 0..1."""
    no_baseline: str | None = None
    """Why a missing baseline is no problem; None if it is one."""

    @property
    def baseline(self) -> Baseline | None:
        """The baseline; None if there is none."""
        return None if self.named is None else self.named.baseline

    @property
    def name(self) -> str:
        """The baseline's name in reports; empty if there is none."""
        return "" if self.named is None else self.named.name
