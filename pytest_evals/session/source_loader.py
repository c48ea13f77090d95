"""SourceLoader: makes the dataset of a `DatasetSource`; each file is loaded once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_evals.case import Case, Source
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError, Position, Problem, SettingsError, suggest
from pytest_evals.loaders.base import LoadContext, Loader, Loc
from pytest_evals.loaders.build import load
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.session.dataset_source import DatasetSource
from pytest_evals.session.state import SessionState

_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".jsonl", ".csv"})


class SourceLoader:
    """Makes datasets for Python code.

    Args:
        state: the session's fixed values.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._checker = CodeChecker(state.registry)
        self._loaded: dict[Path, Dataset] = {}

    def load(self, source: DatasetSource) -> Dataset:
        """Return the dataset of a source.

        Raises:
            DatasetError: all problems of the file, or of what the code changes.
        """
        dataset = self._unchanged(source)
        changes = {"name": source.name, **self._changes(source, dataset)}
        changed = _validated({**dict(dataset), **changes}, source.where)
        if len(changes) > 1 or not isinstance(source.dataset, str | Path):
            problems = [
                Problem(source.where, _located(loc, message))
                for loc, message in self._checker.check(changed)
            ]
            if problems:
                raise DatasetError(problems)
        return changed

    def _changes(self, source: DatasetSource, dataset: Dataset) -> dict[str, Any]:
        """Return the fields that the code changes."""
        changes: dict[str, Any] = {}
        cases = dataset.cases
        if not source.scorers:
            bare = {"scorers": (), "expect": None}
            cases = tuple(case.model_copy(update=bare) for case in cases)
            changes |= {"scorers": (), "cases": cases}
        if source.samples is not None:
            cases = tuple(case.model_copy(update={"samples": None}) for case in cases)
            changes |= {"samples": source.samples, "cases": cases}
        if source.models:
            changes["models"] = tuple(
                self._model(source, dataset, model) for model in source.models
            )
        if source.gates is not None:
            changes["gates"] = source.gates
        judge = source.judge or self._state.settings.judge
        if judge is not None and (source.judge is not None or "default" not in dataset.judges):
            default = {**dataset.judges.get("default", {}), "model": written_model(judge)}
            changes["judges"] = {**dataset.judges, "default": default}
        return changes

    def _unchanged(self, source: DatasetSource) -> Dataset:
        """Return the dataset as it is written."""
        dataset = source.dataset
        if isinstance(dataset, str | Path):
            return self._load_file(source, Path(dataset))
        if callable(dataset) and not isinstance(dataset, Dataset):
            dataset = _call(dataset, source.where)
        if isinstance(dataset, Dataset):
            return dataset.model_copy(update={"path": source.path})
        if isinstance(dataset, str | bytes | Mapping) or not isinstance(dataset, Iterable):
            raise DatasetError.at(
                source.where,
                f"{source.option}: a dataset is a file, a list of Case, a Dataset, or a function "
                f"that returns one of the last two; found {type(dataset).__name__}",
            )
        cases = _made_cases(tuple(dataset), source.where)
        fields = {"name": source.name, "path": source.path, "cases": cases}
        return _validated(fields, source.where)

    def _load_file(self, source: DatasetSource, file: Path) -> Dataset:
        """Load a dataset: from the folder of the code, else from the rootdir."""
        rootdir = self._state.settings.rootdir
        paths = list(
            dict.fromkeys((folder / file).resolve() for folder in (source.folder, rootdir))
        )
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            files = [p.name for p in paths[0].parent.glob("*.*") if p.suffix in _SUFFIXES]
            raise DatasetError.at(
                source.where,
                f"{source.option}: there is no dataset {str(file)!r}, neither beside the test nor "
                f"in the rootdir.{suggest(file.name, files)}",
            )
        dataset = self._loaded.get(path)
        if dataset is None:
            context = LoadContext(rootdir=rootdir, checker=self._checker)
            dataset = self._loaded[path] = load(path, context)
        return dataset

    def _model(self, source: DatasetSource, dataset: Dataset, model: str | Model) -> Model:
        """Return a model that the code names: one of the dataset's, or another."""
        if isinstance(model, Model):
            return model
        models = {model.id: model for model in dataset.models}
        if model in models:
            return models[model]
        registry = self._state.registry
        try:
            return registry.parse_model(model)
        except SettingsError:
            _, providers = registry.names()
            raise DatasetError.at(
                source.where,
                f"{source.option}: no model and no provider is called {model!r}."
                + suggest(model.partition(":")[0], (*models, *providers)),
            ) from None


class CodeChecker:
    """Checks a dataset that Python code uses."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def check(self, dataset: Dataset) -> Iterable[tuple[Loc, str]]:
        """Return every problem: its location in the dataset, and a message."""
        return self._registry.check(dataset, code=True)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        return self._registry.names()

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader of a file name's suffix."""
        return self._registry.loader(suffix)

    def suffixes(self) -> tuple[str, ...]:
        """Return the file name suffixes that have a loader."""
        return self._registry.suffixes()


def _validated(fields: dict[str, Any], where: Position) -> Dataset:
    """Make a dataset and validate its fields."""
    try:
        return Dataset.model_validate(fields)
    except ValidationError as error:
        raise DatasetError(
            Problem(where, _located(detail["loc"], _message_of(detail)))
            for detail in error.errors(include_url=False)
        ) from None


def _located(loc: Loc, message: str) -> str:
    """Return a message with its location in a dataset made in Python."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return f"{path.lstrip('.')}: {message}" if path else message


def _message_of(detail: Mapping[str, Any]) -> str:
    """Return the message of a validation error."""
    return str(detail["msg"]).removeprefix("Value error, ")


def _call(make: Callable[[], Any], where: Position) -> Any:
    """Call the function that makes the cases.

    Raises:
        DatasetError: it raised an exception.
    """
    from pytest_evals.ground.user_code import user_traceback

    name = getattr(make, "__name__", repr(make))
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - user code raises what it likes
        traceback = user_traceback(error)
        text = f"`{name}()`, which makes the cases, raised {type(error).__name__}: {error}"
        raise DatasetError.at(where, f"{text}\n{traceback}" if traceback else text) from None


def _made_cases(values: Sequence[Any], where: Position) -> tuple[Case, ...]:
    """Return cases made in Python: each is a `Case`, or the fields of one.

    Raises:
        DatasetError: all problems of all cases.
    """
    problems: list[Problem] = []
    cases: dict[str, Case] = {}
    source = Source(path=where.path, line=where.line)
    if not values:
        problems.append(Problem(where, "the dataset has no cases"))
    for i, value in enumerate(values):
        try:
            case = value if isinstance(value, Case) else Case.model_validate(value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                loc = ("cases", i, *detail["loc"])
                problems.append(Problem(where, _located(loc, _message_of(detail))))
            continue
        if case.id in cases:
            problems.append(Problem(where, f"cases[{i}]: duplicate id {case.id!r}"))
        cases[case.id] = case if case.source else case.model_copy(update={"source": source})
    if problems:
        raise DatasetError(problems)
    return tuple(cases.values())


def written_model(model: str | Model) -> str | dict[str, Any]:
    """Return a judge's model as a dataset file defines it."""
    if isinstance(model, str):
        return model
    fields = model.model_dump(mode="json", exclude_defaults=True, exclude={"options"})
    return {**fields, **model.options}
