"""Options of a scorer: parse, report problems, render templates for a case."""

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_evals.case import COMMON_SCORER_KEYS, Case, ScorerSpec
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import suggest
from pytest_evals.ground.templates import check, is_template, render
from pytest_evals.scorers.base import Scorer
from pytest_evals.scorers.quoting import shown

Loc = tuple[str | int, ...]
"""The location of a value in a scorer as it is written."""


def option_names(cls: type[Scorer]) -> dict[str, str]:
    """Return the names of the options as they are written, with the names of their fields."""
    return {info.alias or name: name for name, info in cls.model_fields.items()}


def written_options(
    spec: ScorerSpec, cls: type[Scorer]
) -> tuple[dict[str, Json], dict[str, Loc], list[tuple[Loc, str]]]:
    """Return the options of a spec, the location of each, and problems with their notation.

    The argument of a shorthand fills the `shorthand` option of the scorer. A mapping is the long
    form, unless that option is itself a mapping.
    """
    names = option_names(cls)
    if spec.argument is None:
        return dict(spec.options), {name: (name,) for name in spec.options}, []
    argument, head = spec.argument, (spec.type,)
    field = None if cls.shorthand is None else names.get(cls.shorthand, cls.shorthand)
    if isinstance(argument, dict) and (field is None or not _takes_mapping(cls, field)):
        common = sorted(COMMON_SCORER_KEYS & argument.keys() - names.keys())
        if common:
            return (
                {},
                {},
                [
                    (
                        (*head, common[0]),
                        _belongs_outside(spec.type, common),
                    )
                ],
            )
        return dict(argument), {key: (*head, key) for key in argument}, []
    if cls.shorthand is None:
        if argument is True:
            return {}, {}, []
        taken = f"its options are {', '.join(names)}" if names else "it has no options"
        return (
            {},
            {},
            [(head, f"`{spec.type}` takes no single value ({taken}), found {argument!r}")],
        )
    return {cls.shorthand: argument}, {cls.shorthand: head}, []


def _belongs_outside(name: str, keys: list[str]) -> str:
    """Return the message for a common key among the options of a scorer."""
    words = ", ".join(f"`{key}`" for key in keys)
    return (
        f"{words} is not an option of `{name}`: it belongs beside the name, as in "
        f"`{{{name}: …, {keys[0]}: …}}`"
    )


def _takes_mapping(cls: type[Scorer], field: str) -> bool:
    """Whether a field accepts a mapping."""
    return _has_mapping(cls.model_fields[field].annotation)


def _has_mapping(annotation: object) -> bool:
    """Whether a type includes mappings."""
    if annotation is Any:
        return True
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        return any(_has_mapping(part) for part in get_args(annotation))
    if origin is Annotated:
        return _has_mapping(get_args(annotation)[0])
    bare = origin or annotation
    return isinstance(bare, type) and issubclass(bare, Mapping | BaseModel)


def option_problems(
    cls: type[Scorer], error: ValidationError, locations: Mapping[str, Loc]
) -> Iterator[tuple[Loc, str]]:
    """Yield the validation errors of options as messages.

    Args:
        cls: the scorer.
        error: the validation error of its options.
        locations: the location of each written option.
    """
    names = option_names(cls)
    for detail in error.errors(include_url=False):
        loc = tuple(detail["loc"])
        option = str(loc[0]) if loc else ""
        place = (*locations.get(option, loc[:1]), *loc[1:])
        if detail["type"] == "extra_forbidden" and len(loc) == 1:
            hint = suggest(option, {*names, *COMMON_SCORER_KEYS})
            yield place, f"unknown option {option!r} of scorer `{cls.type}`.{hint}"
        elif detail["type"] == "missing" and len(loc) == 1:
            yield (), f"scorer `{cls.type}` needs the option `{option}`"
        else:
            message = str(detail["msg"]).removeprefix("Value error, ")
            if detail["type"] == "value_error":
                yield place, f"scorer `{cls.type}`: {message}"
            else:
                where = ".".join(map(str, loc))
                value = shown(detail["input"])
                yield (
                    place,
                    f"scorer `{cls.type}`, option `{where}`: {_lower(message)}, found {value}",
                )


def _lower(message: str) -> str:
    """Return a message with a lower-case first letter."""
    return message[:1].lower() + message[1:]


def has_template(value: Json, verbatim: frozenset[str]) -> bool:
    """Whether any string in the options is a template."""
    return any(is_template(text) for text in texts_in(value, verbatim))


def texts_in(value: Json, verbatim: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield all strings in a value, except those of `verbatim` options."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in verbatim:
                yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def template_variables(case: Case) -> dict[str, Any]:
    """Return the template variables: the variables of the case, `input` and `expected`."""
    return {**case.variables, "input": case.input, "expected": case.expected}


def check_templates(texts: Iterable[str], case: Case, *more: str) -> None:
    """Check templates against a case.

    Args:
        texts: the templates.
        case: the case whose variables they may use.
        more: additional allowed names.

    Raises:
        TemplateError: a syntax error, or an undefined variable.
    """
    names = (*template_variables(case), *more)
    for text in texts:
        check(text, names)


def render_options(
    options: Mapping[str, Json], case: Case, verbatim: frozenset[str]
) -> dict[str, Json]:
    """Render the templates among the options for a case.

    Raises:
        TemplateError: a template cannot be rendered.
    """
    variables = template_variables(case)
    return {
        key: value if key in verbatim else _render(value, variables)
        for key, value in options.items()
    }


def _render(value: Json, variables: Mapping[str, Any]) -> Json:
    """Render every string in a value."""
    if isinstance(value, str):
        return render(value, variables)
    if isinstance(value, Mapping):
        return {key: _render(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render(item, variables) for item in value]
    return value
