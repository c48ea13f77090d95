"""The digest of a case's assertions, by which a baseline notices that they changed. Pure."""

from collections.abc import Sequence

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import digest
from pytest_evals.scorers.bound import Bound


def scorers_digest(dataset: Dataset, case: Case, bounds: Sequence[Bound], *, code: str = "") -> str:
    """Return 16 hexadecimal digits over a case's assertions, their options and versions.

    Args:
        dataset: the dataset.
        case: one of its cases.
        bounds: the case's scorers, in their order in the file.
        code: a digest of the test function with further assertions.
    """
    specs = [spec.model_dump(mode="json") for spec in dataset.scorers_of(case)]
    judges = {} if all(bound.cheap for bound in bounds) else dataset.judges
    more = [code] if code else []
    return digest([specs, [bound.version for bound in bounds], judges, *more], length=16)
