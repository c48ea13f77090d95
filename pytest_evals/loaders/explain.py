"""Convert validation errors to findings about the file: location, found value, expected value.

Locations are mapped back through shorthands, the branches of a union become one expectation, and
unknown keys get a suggestion.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import suggest
from pytest_evals.loaders.base import Loc
from pytest_evals.loaders.text import clip, show

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "a number > {}"),
    "greater_than_equal": ("ge", "a number >= {}"),
    "less_than": ("lt", "a number < {}"),
    "less_than_equal": ("le", "a number <= {}"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a written value."""

    loc: Loc
    """Its location in the data as written."""
    message: str
    at_key: bool = False
    """Whether the key is invalid and not its value."""


def explain(
    error: ValidationError,
    raw: Json,
    noun: type[BaseModel],
    *,
    allowed: Iterable[str] | None = None,
) -> list[Finding]:
    """Return the problems of a written value.

    Args:
        error: the validation error.
        raw: the written value.
        noun: the model that validated it.
        allowed: the keys allowed at the top level, if they differ from the fields of the noun.
    """
    findings: list[Finding] = []
    expectations: dict[Loc, list[str]] = {}
    for detail in error.errors(include_url=False):
        error_type, loc = detail["type"], written_loc(raw, detail["loc"])
        if error_type == "extra_forbidden":
            key = detail["loc"][-1]
            names = (
                allowed if allowed is not None and len(loc) == 1 else keys_at(noun, detail["loc"])
            )
            findings.append(Finding(loc, unknown_key(key, names), at_key=True))
        elif error_type == "missing":
            findings.append(Finding(loc, f"`{detail['loc'][-1]}` is missing here"))
        elif error_type == "literal_error" and isinstance(detail["input"], str):
            findings.append(Finding(loc, _unknown_word(detail)))
        elif (
            error_type in _EXPECTED
            or error_type in _BOUNDS
            or error_type in {"literal_error", "string_too_short"}
        ):
            expectations.setdefault(loc, []).append(_expected(detail))
        else:
            findings.append(Finding(loc, _other(detail)))
    for loc, expected in expectations.items():
        deeper = [*expectations, *(finding.loc for finding in findings)]
        if any(len(other) > len(loc) and other[: len(loc)] == loc for other in deeper):
            continue  # another branch of a union
        actual = show(value_at(raw, loc))
        words = " or ".join(dict.fromkeys(expected))
        key = f"`{loc[-1]}`: " if loc and isinstance(loc[-1], str) else ""
        findings.append(
            Finding(loc, f"{key}expected {words}, found {actual}{_hint(raw, loc, words)}")
        )
    return list(dict.fromkeys(findings))


def unknown_key(key: object, allowed: Iterable[str]) -> str:
    """Return the message for an unknown key."""
    return f"unknown key {clip(str(key))}.{suggest(str(key), allowed)}"


def written_loc(raw: Json, loc: Iterable[str | int]) -> Loc:
    """Return the location of a value as written, without steps that a shorthand omits.

    Args:
        raw: the written value.
        loc: the location in the long form, from validation or the registry.
    """
    written: list[str | int] = []
    steps = list(loc)
    value = raw
    for i, step in enumerate(steps):
        if isinstance(value, list) and isinstance(step, int):
            # One list of events is a shorthand for a list of such lists.
            skipped = (
                i + 1 < len(steps)
                and isinstance(steps[i + 1], int)
                and not any(isinstance(item, list) for item in value)
            )
            if skipped or not 0 <= step < len(value):
                continue
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, dict) and step == "samples" and "events" in value:
            written.append("events")
            value = value["events"]
            continue
        else:
            continue
        written.append(step)
    return tuple(written)


def value_at(raw: Json, loc: Loc) -> Json:
    """Return the value at an existing location."""
    for step in loc:
        raw = raw[step]
    return raw


def keys_at(noun: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """Return the keys that are allowed beside the last step of a location."""
    nouns: list[type[BaseModel]] = [noun]
    for step in loc[:-1]:
        if not isinstance(step, str):
            continue
        tagged = [n for n in nouns if step in _tags(n)]
        fields = [n.model_fields[step] for n in nouns if step in n.model_fields]
        if fields:
            nouns = [n for field in fields for n in _nouns_in(field.annotation)]
        elif tagged:
            nouns = tagged
    return tuple(dict.fromkeys(name for n in nouns for name in n.model_fields if name != "source"))


def _tags(noun: type[BaseModel]) -> tuple[Any, ...]:
    """Return the possible values of `kind` in a model; empty without one."""
    field = noun.model_fields.get("kind")
    return get_args(field.annotation) if field is not None else ()


def _nouns_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _nouns_in(part)


def _expected(detail: Mapping[str, Any]) -> str:
    """Return the expected value in words."""
    error_type, context = detail["type"], detail.get("ctx", {})
    if error_type in _BOUNDS:
        name, words = _BOUNDS[error_type]
        return words.format(f"{context[name]:g}")
    if error_type == "literal_error":
        return f"one of {', '.join(_words_of(detail))}"
    if error_type == "string_too_short":
        return "a text that is not empty"
    return _EXPECTED[error_type]


def _words_of(detail: Mapping[str, Any]) -> list[str]:
    """Return the allowed words."""
    return re.findall("'([^']*)'", detail["ctx"]["expected"])


def _unknown_word(detail: Mapping[str, Any]) -> str:
    """Return the message for a word that is not allowed."""
    word = detail["input"]
    return f"`{detail['loc'][-1]}`: unknown {clip(word)}.{suggest(word, _words_of(detail))}"


def _other(detail: Mapping[str, Any]) -> str:
    """Return the message for any other error."""
    error_type, context = detail["type"], detail.get("ctx", {})
    if error_type == "union_tag_invalid":
        names = [name.strip("' ") for name in context["expected_tags"].split(",")]
        key = context["discriminator"].strip("'")
        return f"unknown {key} {clip(str(context['tag']))}.{suggest(str(context['tag']), names)}"
    if error_type == "union_tag_not_found":
        return f"{context['discriminator']} is missing in {show(detail['input'])}".replace(
            "'", "`", 2
        )
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:] if error_type != "value_error" else message


def _hint(raw: Json, loc: Loc, expected: str) -> str:
    """Return a hint if the value only needs quotes or a list."""
    value = value_at(raw, loc)
    if "a text" in expected and isinstance(value, int | float):
        written = str(value).lower() if isinstance(value, bool) else value
        return f'; write "{written}"'
    if expected == "a list" and isinstance(value, str | dict):
        return "; put it in a list"
    return ""
