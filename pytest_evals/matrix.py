"""Matrix: the planned trials of a dataset, in deterministic order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.model import Model


def script_model(dataset: Dataset) -> tuple[Model, ...]:
    """Return the model of a dataset that names none: its recorded answers, where it has any."""
    if any(case.script is not None for case in dataset.cases):
        return (Model(id="script", provider="script"),)
    return ()


@dataclass(frozen=True, slots=True)
class Trial:
    """The n-th independent sample of one case asked of one model: one pytest item."""

    dataset: Dataset
    case: Case
    model: Model
    sample: int
    """0-based."""
    samples: int
    """How many samples this case has, at most."""
    least: int = 0
    """How many of them are always asked; 0 is all."""
    nodeid: str = ""
    """Its item's node id, where that is not made of path and name: a test function's."""
    code: str = ""
    """A digest of the test function that judges it besides its scorers; empty for none. Then it
    needs no scorer."""
    own: bool = False
    """Whether the user's own code answers: its model is not asked ahead of it."""

    @property
    def optional(self) -> bool:
        """Whether it is asked only where the verdict on its case is still open."""
        return bool(self.least) and self.sample >= self.least

    @property
    def name(self) -> str:
        """The item's name: ``case[model-sample]``, without the sample where there is only one."""
        if self.samples == 1:
            return f"{self.case.id}[{self.model.id}]"
        return f"{self.case.id}[{self.model.id}-{self.sample}]"

    @property
    def group(self) -> str:
        """What it is counted under: its dataset's path, or its test function's node id."""
        return self.nodeid.partition("[")[0] or self.dataset.path

    @property
    def id(self) -> str:
        """The node id: ``path::name``, or that of the test function."""
        return self.nodeid or f"{self.dataset.path}::{self.name}"


@dataclass(frozen=True)
class Matrix:
    """All trials of one dataset: case by case, model by model, sample by sample."""

    dataset: Dataset
    models: Sequence[Model]
    """The models asked: the file's, or those the user selected."""
    samples: int | None = None
    """Overrides every number of samples in the dataset."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Overrides it for single cases, by their ids."""

    def __iter__(self) -> Iterator[Trial]:
        """Yield the trials in their one order."""
        dataset = self.dataset
        for case in dataset.cases:
            samples, least = self._range_of(case)
            for model in self.models:
                for sample in range(samples):
                    yield Trial(dataset, case, model, sample, samples, least)

    def samples_of(self, case: Case) -> int:
        """Return how often a case is asked of each model."""
        return self._range_of(case)[0]

    def _range_of(self, case: Case) -> tuple[int, int]:
        """Return how often a case is asked, and how often always (0 where that is the same)."""
        fixed = self.counts.get(case.id) or self.samples
        if fixed:
            return fixed, 0
        written = case.samples or self.dataset.samples
        if isinstance(written, int):
            return written, 0
        return written.max, written.min if written.min < written.max else 0

    @cached_property
    def _count(self) -> int:
        """Count once."""
        per_model = sum(map(self.samples_of, self.dataset.cases))
        return per_model * len(self.models)

    def __len__(self) -> int:
        return self._count
