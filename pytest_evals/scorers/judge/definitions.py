"""The `judges` of a dataset: look up, parse and check their definitions."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from pydantic import Field, ValidationError, field_validator

from pytest_evals.case import COMMON_SCORER_KEYS
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Frozen, Json, canonical
from pytest_evals.ground.errors import suggest
from pytest_evals.model import Model
from pytest_evals.parameters import Params
from pytest_evals.scorers.catalogue import SCORERS
from pytest_evals.scorers.judge.base import DEFAULT, NO_MIN_SCORE, Judge
from pytest_evals.scorers.judge.models import check_model, model_of
from pytest_evals.scorers.options import Loc, option_problems

JUDGES: Mapping[str, str] = {
    name: home for name, home in SCORERS.items() if home.startswith(f"{__package__}.")
}
"""The class of every judge, by its name as a scorer and as the `type` of a definition."""


class DefinitionError(ValueError):
    """The definition of a judge is invalid; holds every problem.

    Args:
        problems: the location of each in the definition, and a message.
    """

    def __init__(self, problems: list[tuple[Loc, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(message for _, message in problems))


class _DefaultModel(Frozen):
    """A `default` that only sets the model of other judges."""

    model: str | dict[str, Any]
    params: Params = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Reject a value that is not a model."""
        return check_model(value)


def judge_class(name: str) -> type[Judge] | None:
    """Return the class of a judge; None if no judge has this name."""
    home = JUDGES.get(name)
    if home is None:
        return None
    module, _, attribute = home.partition(":")
    cls: type[Judge] = getattr(import_module(module), attribute)
    return cls


def get_judge(dataset: Dataset, name: str) -> Judge:
    """Return a judge of a dataset.

    Raises:
        DefinitionError: no judge has this name, or its definition is invalid.
    """
    if not is_defined(dataset, name):
        raise DefinitionError([((), unknown_judge(dataset, name, is_named=True))])
    return _parse(canonical(dataset.judges[name]))


def default_judge(dataset: Dataset) -> Judge | None:
    """Return the judge `default`; None if the dataset does not define it.

    Raises:
        DefinitionError: its definition is invalid.
    """
    return get_judge(dataset, DEFAULT) if is_defined(dataset, DEFAULT) else None


def is_defined(dataset: Dataset, name: str) -> bool:
    """Whether a dataset defines a judge of this name; a `default` with only a model is not one."""
    return name in dataset.judges and not _only_model(name, dataset.judges[name])


def unknown_judge(dataset: Dataset, name: str, *, is_named: bool) -> str:
    """Return the message for a judge that is not defined.

    Args:
        dataset: the dataset.
        name: the name of the judge.
        is_named: whether the user wrote the name; otherwise it is the default.
    """
    if not is_named:
        return (
            "the judge has neither a `rubric` nor `criteria`, and the `judges` of the dataset do "
            f"not define a `{DEFAULT}`"
        )
    names = [other for other in dataset.judges if is_defined(dataset, other)]
    if not names:
        return f"no judge is called {name!r}: the dataset defines no `judges`"
    return f"no judge is called {name!r} in the dataset's `judges`.{suggest(name, names)}"


def check_judges(dataset: Dataset) -> Iterator[tuple[Loc, str]]:
    """Yield every problem with the judges of a dataset: its location and a message."""
    for name, written in dataset.judges.items():
        where: Loc = ("judges", name)
        if not re.fullmatch(r"\w[\w.-]*", name):
            yield (
                where,
                f"the name of a judge may contain letters, digits and . _ -, found {name!r}",
            )
        if _only_model(name, written):
            yield from _check_default(written, where)
            continue
        try:
            judge = _parse(canonical(written))
        except DefinitionError as error:
            for loc, message in error.problems:
                yield (*where, *loc), message
            continue
        for message in judge.problems(dataset, None):
            if message != NO_MIN_SCORE:  # the scorer that uses the judge may set `min_score`
                yield where, message


def judge_models(dataset: Dataset) -> Iterator[tuple[Loc, str | Model]]:
    """Yield every model that the judges of a dataset call, with its location.

    The registry checks providers and their options. A model may also be the id of a model of the
    dataset.
    """
    for name, written in dataset.judges.items():
        members = written.get("panel") or ()
        places: list[tuple[Loc, Any]] = [(("judges", name, "model"), written.get("model"))]
        for i, member in enumerate(members if isinstance(members, list | tuple) else ()):
            inner = isinstance(member, dict) and "provider" not in member
            loc: Loc = ("judges", name, "panel", i, *(("model",) if inner else ()))
            places.append((loc, member.get("model") if inner else member))
        for loc, model in places:
            try:
                if isinstance(model, str | dict):
                    yield loc, model_of(model)
            except ValueError:
                continue  # reported by `check_judges`


def _only_model(name: str, written: Mapping[str, Json]) -> bool:
    """Whether a definition only sets the default model."""
    return name == DEFAULT and not written.keys() - {"model", "params"}


def _check_default(written: Mapping[str, Json], where: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with a `default` that only sets the model."""
    try:
        _DefaultModel.model_validate(written)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            loc = tuple(detail["loc"])[:1]
            message = str(detail["msg"]).removeprefix("Value error, ")
            yield (*where, *loc), f"the judge `{DEFAULT}`: {message}"


@lru_cache(maxsize=256)
def _parse(text: str) -> Judge:
    """Parse the definition of a judge; equal definitions share one judge.

    Raises:
        DefinitionError: it is invalid.
    """
    import json

    written: dict[str, Any] = json.loads(text)
    judge_type = written.pop("type", "judge")
    cls = judge_class(judge_type) if isinstance(judge_type, str) else None
    if cls is None:
        hint = suggest(str(judge_type), JUDGES)
        raise DefinitionError([(("type",), f"no type of judge is called {judge_type!r}.{hint}")])
    problems: list[tuple[Loc, str]] = [
        ((key,), f"`{key}` belongs to the scorer that uses the judge, not to the definition")
        for key in sorted(COMMON_SCORER_KEYS & written.keys() - cls.model_fields.keys())
    ]
    if "use" in written:
        problems.append(
            (("use",), "the definition of a judge cannot `use` another judge; write it out")
        )
    if problems:
        raise DefinitionError(problems)
    try:
        judge = cls.model_validate(written)
    except ValidationError as error:
        locations = {key: (key,) for key in written}
        raise DefinitionError(list(option_problems(cls, error, locations))) from None
    if getattr(judge, "named", None) is not None:
        raise DefinitionError([((), "the judge has neither a `rubric` nor `criteria`")])
    return judge
