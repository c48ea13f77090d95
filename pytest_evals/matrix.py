"""Trial and Matrix: the planned trials of a dataset, in deterministic order.

This module knows cases and models. It knows nothing of answers, stores or pytest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.model import Model


def default_models(dataset: Dataset) -> tuple[Model, ...]:
    """Return the models of a dataset that lists none: ``script`` if a case has recorded answers."""
    if any(case.script is not None for case in dataset.cases):
        return (Model(id="script", provider="script"),)
    return ()


@dataclass(frozen=True, slots=True)
class Trial:
    """The n-th independent sample of one case with one model: one pytest item."""

    dataset: Dataset
    """The dataset of the case."""
    case: Case
    """The case."""
    model: Model
    """The model."""
    sample: int
    """0-based."""
    samples: int
    """Maximum number of samples of this case, >= 1."""
    min_samples: int = 0
    """Number of samples that always run; 0 means all of them."""
    nodeid: str = ""
    """Node id of the test function's item; empty for a trial of a dataset file."""
    function_digest: str = ""
    """Digest of the test function whose assertions judge the trial; empty for a dataset file.
    A trial with a test function needs no scorer."""
    answered_by_code: bool = False
    """Whether the test function produces the answer. Then the engine does not call the model."""

    @property
    def is_optional(self) -> bool:
        """Whether it runs only while the verdict on its case is undecided."""
        return bool(self.min_samples) and self.sample >= self.min_samples

    @property
    def name(self) -> str:
        """Name of the item: ``case[model-sample]``, or ``case[model]`` if there is one sample."""
        if self.samples == 1:
            return f"{self.case.id}[{self.model.id}]"
        return f"{self.case.id}[{self.model.id}-{self.sample}]"

    @property
    def group(self) -> str:
        """The group it is counted in: the dataset's path, or the test function's node id."""
        return self.nodeid.partition("[")[0] or self.dataset.path

    @property
    def id(self) -> str:
        """Node id: ``path::name``, or that of the test function's item."""
        return self.nodeid or f"{self.dataset.path}::{self.name}"


@dataclass(frozen=True)
class Matrix:
    """All trials of one dataset, ordered by case, then model, then sample."""

    dataset: Dataset
    """The dataset."""
    models: Sequence[Model]
    """Models to run: those of the file, or those the user selected."""
    samples: int | None = None
    """Overrides every sample count in the dataset, >= 1; None keeps them."""
    case_samples: Mapping[str, int] = field(default_factory=dict)
    """Sample counts by case id, >= 1. They override `samples`."""

    def __iter__(self) -> Iterator[Trial]:
        """Yield the trials in order."""
        dataset = self.dataset
        for case in dataset.cases:
            samples, min_samples = self._range_of(case)
            for model in self.models:
                for sample in range(samples):
                    yield Trial(dataset, case, model, sample, samples, min_samples)

    def samples_of(self, case: Case) -> int:
        """Return the maximum number of samples of a case for each model."""
        return self._range_of(case)[0]

    def _range_of(self, case: Case) -> tuple[int, int]:
        """Return a case's maximum and minimum number of samples; minimum 0 means all of them."""
        fixed = self.case_samples.get(case.id) or self.samples
        if fixed:
            return fixed, 0
        samples = case.samples or self.dataset.samples
        if isinstance(samples, int):
            return samples, 0
        return samples.max, samples.min if samples.min < samples.max else 0

    @cached_property
    def _count(self) -> int:
        """The number of trials, computed once."""
        per_model = sum(map(self.samples_of, self.dataset.cases))
        return per_model * len(self.models)

    def __len__(self) -> int:
        return self._count
