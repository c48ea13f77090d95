"""The judges that a dataset defines by name: found, made, and checked where they stand."""

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
from pytest_evals.scorers.catalogue import SCORERS
from pytest_evals.scorers.judge.base import DEFAULT, NO_BAR, Judge
from pytest_evals.scorers.judge.models import check_model, model_of
from pytest_evals.scorers.options import Loc, option_problems

JUDGES: Mapping[str, str] = {
    name: home for name, home in SCORERS.items() if home.startswith(f"{__package__}.")
}
"""The class of every judge, by its name as a scorer and as the `type` of a definition."""


class DefinitionError(ValueError):
    """A judge's definition is not right; holds every problem found.

    Args:
        problems: the way to each from the definition, and a message.
    """

    def __init__(self, problems: list[tuple[Loc, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(message for _, message in problems))


class _DefaultModel(Frozen):
    """A `default` that only says who judges."""

    model: str | dict[str, Any]
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Refuse what is no model."""
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
    """Return a judge that a dataset defines.

    Raises:
        DefinitionError: there is none of that name, or it is not right.
    """
    if not is_defined(dataset, name):
        raise DefinitionError([((), unknown_judge(dataset, name, asked=True))])
    return _parse(canonical(dataset.judges[name]))


def default_judge(dataset: Dataset) -> Judge | None:
    """Return the judge that is meant where none is named; None where there is none.

    Raises:
        DefinitionError: it is not right.
    """
    return get_judge(dataset, DEFAULT) if is_defined(dataset, DEFAULT) else None


def is_defined(dataset: Dataset, name: str) -> bool:
    """Whether a dataset defines a judge of this name; a `default` that is only a model is none."""
    return name in dataset.judges and not _only_model(name, dataset.judges[name])


def unknown_judge(dataset: Dataset, name: str, *, asked: bool) -> str:
    """Say that a judge is not defined.

    Args:
        dataset: where it should be.
        name: the judge.
        asked: whether the user named it; else it is the one that is meant where none is named.
    """
    if not asked:
        return (
            "the judge has neither a `rubric` nor `criteria`, and the dataset's `judges` define "
            f"no `{DEFAULT}` to use instead"
        )
    names = [other for other in dataset.judges if is_defined(dataset, other)]
    if not names:
        return f"no judge is called {name!r}: the dataset defines no `judges`"
    return f"no judge is called {name!r} in the dataset's `judges`.{suggest(name, names)}"


def check_judges(dataset: Dataset) -> Iterator[tuple[Loc, str]]:
    """Yield every problem of the judges that a dataset defines, as the way to it and a message."""
    for name, written in dataset.judges.items():
        where: Loc = ("judges", name)
        if not re.fullmatch(r"\w[\w.-]*", name):
            yield where, f"a judge's name is letters, digits and . _ -, found {name!r}"
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
            if message != NO_BAR:  # the bar may stand where the judge is used
                yield where, message


def judge_models(dataset: Dataset) -> Iterator[tuple[Loc, str | Model]]:
    """Yield every model that the dataset's judges ask, with the way to it.

    What only a registry knows (whether there is such a provider, and its options) is to be checked
    by who has one. A name may also be the id of one of the dataset's models.
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
                continue  # `check_judges` says so


def _only_model(name: str, written: Mapping[str, Json]) -> bool:
    """Whether a definition only says who judges by default."""
    return name == DEFAULT and not written.keys() - {"model", "params"}


def _check_default(written: Mapping[str, Json], where: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with a default that is only a model."""
    try:
        _DefaultModel.model_validate(written)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            loc = tuple(detail["loc"])[:1]
            message = str(detail["msg"]).removeprefix("Value error, ")
            yield (*where, *loc), f"the judge `{DEFAULT}`: {message}"


@lru_cache(maxsize=256)
def _parse(text: str) -> Judge:
    """Make a judge of its definition, once for equal ones.

    Raises:
        DefinitionError: it is not right.
    """
    import json

    written: dict[str, Any] = json.loads(text)
    judge_type = written.pop("type", "judge")
    cls = judge_class(judge_type) if isinstance(judge_type, str) else None
    if cls is None:
        hint = suggest(str(judge_type), JUDGES)
        raise DefinitionError([(("type",), f"no kind of judge is called {judge_type!r}.{hint}")])
    problems: list[tuple[Loc, str]] = [
        ((key,), f"`{key}` stands where the judge is used, not where it is defined")
        for key in sorted(COMMON_SCORER_KEYS & written.keys() - cls.model_fields.keys())
    ]
    if "use" in written:
        problems.append((("use",), "a definition cannot use another judge; write it out"))
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
