"""Marks: the arguments of ``@pytest.mark.evals(...)`` on a test function, and what they request."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.case import Case, Samples
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError, Position, Problem, suggest
from pytest_evals.model import Model
from pytest_evals.session.dataset_source import DatasetSource

APP = Model(id="app", provider="fixture")
"""Stands for the model if user code answers and the dataset has no models."""

OPTIONS = ("dataset", "models", "samples", "gates", "scorers", "judge", "name")
"""The arguments of the mark."""

_MARK = "the mark `evals`"


@dataclass(frozen=True, slots=True)
class MarkedFunction:
    """A marked test function."""

    nodeid: str
    """Without the ids of parameters."""
    path: Path
    """Its file."""
    answered_by_code: bool
    """Whether user code answers, not the model."""

    @property
    def shown(self) -> str:
        """Its file, as messages name it."""
        return self.nodeid.partition("::")[0]

    @property
    def name(self) -> str:
        """The default name of its dataset: ``test_refunds.TestWindow.test_days``."""
        file, *parts = self.nodeid.split("::")
        return ".".join([Path(file).stem, *parts])


def read_mark(mark: pytest.Mark, where: Position, function: MarkedFunction) -> DatasetSource | None:
    """Return what a mark requests; None if it names no dataset, and only opts in.

    Args:
        mark: the mark.
        where: its position.
        function: the function it is on.

    Raises:
        DatasetError: an argument is unknown or invalid.
    """
    problems: list[str] = []
    arguments = dict(mark.kwargs)
    if mark.args:
        if "dataset" in arguments or len(mark.args) > 1:
            problems.append(f"it takes one dataset, found {len(mark.args)} and more")
        arguments["dataset"] = mark.args[0]
    if not arguments:
        return None
    unknown = sorted(arguments.keys() - set(OPTIONS))
    problems.extend(f"it takes no {key!r}.{suggest(key, OPTIONS)}" for key in unknown)
    if arguments.get("dataset") is None:
        problems.append(
            'it needs a dataset: a file ("refunds.yaml"), a list of Case, or a function that '
            "returns one"
        )
    problems.extend(_invalid(arguments))
    if problems:
        raise DatasetError(Problem(where, f"{_MARK}: {problem}") for problem in problems)
    gates, models = arguments.get("gates"), arguments.get("models") or ()
    return DatasetSource(
        dataset=arguments["dataset"],
        where=where,
        option=_MARK,
        folder=function.path.parent,
        path=function.shown,
        name=arguments.get("name") or function.name,
        models=(models,) if isinstance(models, str | Model) else tuple(models),
        samples=arguments.get("samples"),
        gates=None if gates is None else (gates,) if isinstance(gates, str) else tuple(gates),
        scorers=arguments.get("scorers", True),
        judge=arguments.get("judge"),
    )


def _invalid(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems of a mark's arguments."""
    samples = arguments.get("samples")
    if samples is not None and (
        isinstance(samples, bool) or not isinstance(samples, int) or samples < 1
    ):
        yield f"`samples` is a whole number of at least 1, found {samples!r}"
    if not isinstance(arguments.get("scorers", True), bool):
        yield "`scorers` is True or False: whether the dataset's own scorers are asked too"
    if not isinstance(arguments.get("name", ""), str | None):
        yield f"`name` is a text, found {arguments['name']!r}"
    if not isinstance(arguments.get("judge", ""), str | Model | None):
        yield f"`judge` is `provider:model` or a Model, found {arguments['judge']!r}"
    models = arguments.get("models") or ()
    for model in (models,) if isinstance(models, str | Model) else models:
        if not isinstance(model, str | Model):
            yield f"`models` holds `provider:model`, ids of the dataset, or Model; found {model!r}"


def refuse_ranges(dataset: Dataset, where: Position) -> None:
    """Reject a range of samples: whether the next is needed is known only when the test has run.

    Raises:
        DatasetError: there is one.
    """
    for samples in (dataset.samples, *(case.samples for case in dataset.cases)):
        if isinstance(samples, Samples):
            raise DatasetError.at(
                where,
                f"the dataset asks for {samples.min} to {samples.max} samples, as far as they are "
                "needed, which a test function cannot; write a number, as "
                f"`samples={samples.max}`, in the mark",
            )


def with_variants(
    dataset: Dataset, variants: Iterable[tuple[Case, str]]
) -> tuple[Dataset, list[Case]]:
    """Make a case of each value that other marks give to a parameter: ``refund[formal]``.

    Args:
        dataset: the dataset.
        variants: a case and the id of the other parameters, empty for none; in order.

    Returns:
        The dataset with these cases, and a case for each of the variants.
    """
    made: dict[tuple[str, str], Case] = {}
    cases: list[Case] = []
    for case, variant in variants:
        key = (case.id, variant)
        if key not in made:
            changes = {"id": f"{case.id}[{variant}]"}
            made[key] = case.model_copy(update=changes) if variant else case
        cases.append(made[key])
    if not any(variant for _, variant in made):
        return dataset, cases
    return dataset.model_copy(update={"cases": tuple(made.values())}), cases


def with_app(dataset: Dataset, function: MarkedFunction) -> Dataset:
    """Give a dataset without models the model `APP`, if user code answers."""
    scripted = any(case.script is not None for case in dataset.cases)
    if dataset.models or scripted or not function.answered_by_code:
        return dataset
    return dataset.model_copy(update={"models": (APP,)})
