"""What a mark ``evals(...)`` asks for: the cases, models and gates of one test function.

Knows loaders and the registry, nothing of items.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_evals.case import Case, Samples, Source
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError, Position, Problem, SettingsError, suggest
from pytest_evals.loaders.base import Loc
from pytest_evals.model import Model
from pytest_evals.plugin.python.dataset_files import DatasetFiles

APP = Model(id="app", provider="fixture")
"""Stands for the model where the user's own code answers and the dataset names none."""

OPTIONS = ("dataset", "models", "samples", "gates", "scorers", "judge", "name")
"""What a mark takes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a mark."""

    dataset: Any
    where: Position
    models: tuple[str | Model, ...] = ()
    samples: int | None = None
    gates: tuple[Any, ...] | None = None
    scorers: bool = True
    judge: str | Model | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The test function that is marked."""

    nodeid: str
    """Without the ids of parameters."""
    path: Path
    """Its file."""
    shown: str
    """Its file, as messages name it."""
    own: bool
    """Whether the user's own code answers."""

    @property
    def name(self) -> str:
        """What its trials are counted under: ``test_refunds.TestWindow.test_days``."""
        file, *parts = self.nodeid.split("::")
        return ".".join([Path(file).stem, *parts])


def read_mark(mark: pytest.Mark, where: Position) -> Mark | None:
    """Return what a mark asks for; None where it names no dataset, and only opts in.

    Raises:
        DatasetError: an argument is unknown or not right.
    """
    problems: list[str] = []
    given = dict(mark.kwargs)
    if mark.args:
        if "dataset" in given or len(mark.args) > 1:
            problems.append(f"it takes one dataset, found {len(mark.args)} and more")
        given["dataset"] = mark.args[0]
    if not given:
        return None
    unknown = sorted(given.keys() - set(OPTIONS))
    problems.extend(f"it takes no {key!r}.{suggest(key, OPTIONS)}" for key in unknown)
    if given.get("dataset") is None:
        problems.append(
            'it needs a dataset: a file ("refunds.yaml"), a list of Case, or a function that '
            "returns one"
        )
    problems.extend(_wrong(given))
    if problems:
        raise DatasetError(Problem(where, f"the mark `evals`: {told}") for told in problems)
    gates, models = given.get("gates"), given.get("models") or ()
    return Mark(
        dataset=given["dataset"],
        where=where,
        models=(models,) if isinstance(models, str | Model) else tuple(models),
        samples=given.get("samples"),
        gates=None if gates is None else (gates,) if isinstance(gates, str) else tuple(gates),
        scorers=given.get("scorers", True),
        judge=given.get("judge"),
        name=given.get("name"),
    )


def _wrong(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the values of a mark."""
    samples = given.get("samples")
    if samples is not None and (
        isinstance(samples, bool) or not isinstance(samples, int) or samples < 1
    ):
        yield f"`samples` is a whole number of at least 1, found {samples!r}"
    if not isinstance(given.get("scorers", True), bool):
        yield "`scorers` is True or False: whether the dataset's own scorers are asked too"
    if not isinstance(given.get("name", ""), str | None):
        yield f"`name` is a text, found {given['name']!r}"
    if not isinstance(given.get("judge", ""), str | Model | None):
        yield f"`judge` is `provider:model` or a Model, found {given['judge']!r}"
    models = given.get("models") or ()
    for one in (models,) if isinstance(models, str | Model) else models:
        if not isinstance(one, str | Model):
            yield f"`models` holds `provider:model`, ids of the dataset, or Model; found {one!r}"


def dataset_of(files: DatasetFiles, mark: Mark, test: Subject) -> Dataset:
    """Return the dataset of a test function.

    Raises:
        DatasetError: everything that is wrong with the file, or with what the mark says.
    """
    dataset = _cases(files, mark, test)
    changes: dict[str, Any] = {"name": mark.name or test.name}
    if not mark.scorers:
        bare = {"scorers": (), "expect": None}
        changes |= {"scorers": (), "cases": tuple(c.model_copy(update=bare) for c in dataset.cases)}
    if mark.samples is not None:
        cases = changes.get("cases", dataset.cases)
        changes["cases"] = tuple(case.model_copy(update={"samples": None}) for case in cases)
        changes["samples"] = mark.samples
    if mark.models:
        changes["models"] = tuple(_model(files, dataset, one, mark.where) for one in mark.models)
    if mark.gates is not None:
        changes["gates"] = mark.gates
    judge = mark.judge or files.state.settings.judge
    if judge is not None and (mark.judge is not None or "default" not in dataset.judges):
        default = {**dataset.judges.get("default", {}), "model": written(judge)}
        changes["judges"] = {**dataset.judges, "default": default}
    made = _whole({**dict(dataset), **changes}, mark.where)
    changed = changes.keys() - {"name"}
    if changed or not isinstance(mark.dataset, str | Path):
        found = files.checker.check(made)
        problems = [Problem(mark.where, _told(loc, message)) for loc, message in found]
        if problems:
            raise DatasetError(problems)
    return made


def _whole(fields: dict[str, Any], where: Position) -> Dataset:
    """Make the dataset, whose fields are checked again."""
    try:
        return Dataset.model_validate(fields)
    except ValidationError as error:
        raise DatasetError(
            Problem(where, _told(one["loc"], str(one["msg"]).removeprefix("Value error, ")))
            for one in error.errors(include_url=False)
        ) from None


def _told(loc: Loc, message: str) -> str:
    """Say where in a dataset made in Python something is wrong."""
    way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")
    return f"{way}: {message}" if way else message


def refuse_ranges(dataset: Dataset, where: Position) -> None:
    """Refuse samples that may stop early: whether to go on is known when the test has run.

    Raises:
        DatasetError: there are such samples.
    """
    written = [dataset.samples, *(case.samples for case in dataset.cases)]
    found = next((one for one in written if isinstance(one, Samples)), None)
    if found is not None:
        raise DatasetError.at(
            where,
            f"the dataset asks for {found.min} to {found.max} samples, as far as they are needed, "
            f"which a test function cannot; write a number, as `samples={found.max}`, in the mark",
        )


def _cases(files: DatasetFiles, mark: Mark, test: Subject) -> Dataset:
    """Return the dataset as it is written, with its own path."""
    given = mark.dataset
    if isinstance(given, str | Path):
        return _file(files, Path(given), mark, test)
    if callable(given) and not isinstance(given, Dataset):
        given = _called(given, mark.where)
    if isinstance(given, Dataset):
        return given.model_copy(update={"path": test.shown})
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise DatasetError.at(
            mark.where,
            "the mark `evals`: a dataset is a file, a list of Case, a Dataset, or a function that "
            f"returns one of the last two; found {type(given).__name__}",
        )
    cases = _made_cases(tuple(given), mark.where)
    return Dataset(name=test.name, path=test.shown, cases=cases)


def _called(make: Callable[[], Any], where: Position) -> Any:
    """Call the function that makes the cases."""
    from pytest_evals.ground.user_code import user_traceback

    name = getattr(make, "__name__", repr(make))
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - user code raises what it likes
        detail = user_traceback(error)
        told = f"`{name}()`, which makes the cases, raised {type(error).__name__}: {error}"
        raise DatasetError.at(where, f"{told}\n{detail}" if detail else told) from None


def _made_cases(given: Sequence[Any], where: Position) -> tuple[Case, ...]:
    """Take cases made in Python: `Case`, or what one is made of."""
    problems: list[Problem] = []
    cases: dict[str, Case] = {}
    source = Source(path=where.path, line=where.line)
    if not given:
        problems.append(Problem(where, "the dataset has no cases"))
    for i, one in enumerate(given):
        try:
            case = one if isinstance(one, Case) else Case.model_validate(one)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                message = str(detail["msg"]).removeprefix("Value error, ")
                problems.append(Problem(where, _told(("cases", i, *detail["loc"]), message)))
            continue
        if case.id in cases:
            problems.append(Problem(where, f"cases[{i}]: the id {case.id!r} stands twice"))
        cases[case.id] = case if case.source else case.model_copy(update={"source": source})
    if problems:
        raise DatasetError(problems)
    return tuple(cases.values())


def _file(files: DatasetFiles, given: Path, mark: Mark, test: Subject) -> Dataset:
    """Load a dataset: beside the test's file, else from the rootdir."""
    rootdir = files.state.settings.rootdir
    tried = list(
        dict.fromkeys((folder / given).resolve() for folder in (test.path.parent, rootdir))
    )
    path = next((path for path in tried if path.is_file()), None)
    if path is None:
        beside = [p.name for p in tried[0].parent.glob("*.*") if p.suffix in _SUFFIXES]
        raise DatasetError.at(
            mark.where,
            f"the mark `evals`: there is no dataset {str(given)!r}, neither beside the test nor in "
            f"the rootdir.{suggest(given.name, beside)}",
        )
    return files.load(path)


_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".jsonl", ".csv"})


def _model(files: DatasetFiles, dataset: Dataset, wanted: str | Model, where: Position) -> Model:
    """Return a model that a mark names: one of the dataset's, or another."""
    if isinstance(wanted, Model):
        return wanted
    known = {model.id: model for model in dataset.models}
    if wanted in known:
        return known[wanted]
    try:
        return files.state.registry.parse_model(wanted)
    except SettingsError:
        _, providers = files.state.registry.names()
        raise DatasetError.at(
            where,
            f"the mark `evals`: no model and no provider is called {wanted!r}."
            + suggest(wanted.partition(":")[0], (*known, *providers)),
        ) from None


def written(model: str | Model) -> str | dict[str, Any]:
    """Return a judge's model as a dataset writes it."""
    if isinstance(model, str):
        return model
    fields = model.model_dump(mode="json", exclude_defaults=True, exclude={"options"})
    return {**fields, **model.options}


def expanded(dataset: Dataset, variants: Iterable[tuple[Case, str]]) -> tuple[Dataset, list[Case]]:
    """Make a case of each value that other marks give to a parameter: ``refund[formal]``.

    Args:
        dataset: the dataset.
        variants: a case and the id of the other parameters, empty for none; in order.

    Returns:
        The dataset with these cases, and a case for each of the variants.
    """
    made: dict[tuple[str, str], Case] = {}
    found: list[Case] = []
    for case, variant in variants:
        key = (case.id, variant)
        if key not in made:
            told = {"id": f"{case.id}[{variant}]"}
            made[key] = case.model_copy(update=told) if variant else case
        found.append(made[key])
    if not any(variant for _, variant in made):
        return dataset, found
    return dataset.model_copy(update={"cases": tuple(made.values())}), found


def with_app(dataset: Dataset, test: Subject) -> Dataset:
    """Give a dataset without a model one that stands for user code, where that answers."""
    scripted = any(case.script is not None for case in dataset.cases)
    if dataset.models or scripted or not test.own:
        return dataset
    return dataset.model_copy(update={"models": (APP,)})
