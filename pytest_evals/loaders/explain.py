"""Problems of validation in the words of the file: where, what was found, what was expected.

Turns what pydantic says of a noun into what a person wrote: the shorthands are undone, the branches
of a union are told as one expectation, an unknown key gets a suggestion.
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
    """One problem in what was written."""

    loc: Loc
    """The way to it in the data as it was written."""
    message: str
    at_key: bool = False
    """Whether the key is wrong and not its value."""


def explain(
    error: ValidationError,
    raw: Json,
    noun: type[BaseModel],
    *,
    allowed: Iterable[str] | None = None,
) -> list[Finding]:
    """Return what is wrong with what was written.

    Args:
        error: what validation found.
        raw: what was written.
        noun: what it should have become.
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
            continue  # the branch of a union that was not meant
        actual = show(value_at(raw, loc))
        words = " or ".join(dict.fromkeys(expected))
        key = f"`{loc[-1]}`: " if loc and isinstance(loc[-1], str) else ""
        findings.append(
            Finding(loc, f"{key}expected {words}, found {actual}{_hint(raw, loc, words)}")
        )
    return list(dict.fromkeys(findings))


def unknown_key(key: object, allowed: Iterable[str]) -> str:
    """Word an unknown key."""
    return f"unknown key {clip(str(key))}.{suggest(str(key), allowed)}"


def written_loc(raw: Json, loc: Iterable[str | int]) -> Loc:
    """Return the way to a value as it was written: without the steps that shorthands left out.

    Args:
        raw: what was written.
        loc: the way in what it stands for, as validation or the registry names it.
    """
    written: list[str | int] = []
    steps = list(loc)
    value = raw
    for i, step in enumerate(steps):
        if isinstance(value, list) and isinstance(step, int):
            # One list of events stands for a list of such lists.
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
    """Return the value at the end of a way that exists."""
    for step in loc:
        raw = raw[step]
    return raw


def keys_at(noun: type[BaseModel], loc: Loc) -> tuple[str, ...]:
    """Return the keys that may be written beside the last step of a way."""
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
    """Return the values of a noun's `kind`, where it has one."""
    field = noun.model_fields.get("kind")
    return get_args(field.annotation) if field is not None else ()


def _nouns_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the nouns that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _nouns_in(part)


def _expected(detail: Mapping[str, Any]) -> str:
    """Say what a value should have been."""
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
    """Return the words of which one was expected."""
    return re.findall("'([^']*)'", detail["ctx"]["expected"])


def _unknown_word(detail: Mapping[str, Any]) -> str:
    """Word a text that is none of those expected."""
    word = detail["input"]
    return f"`{detail['loc'][-1]}`: unknown {clip(word)}.{suggest(word, _words_of(detail))}"


def _other(detail: Mapping[str, Any]) -> str:
    """Word what has no expectation of its own."""
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
    """Say what to write where a value only needs quotes."""
    value = value_at(raw, loc)
    if "a text" in expected and isinstance(value, int | float):
        written = str(value).lower() if isinstance(value, bool) else value
        return f'; write "{written}"'
    if expected == "a list" and isinstance(value, str | dict):
        return "; put it in a list"
    return ""
