"""JSON Schema for scorers: checked at collection, offline, with a timeout for patterns.

`jsonschema` is imported when a dataset first uses a schema. References resolve only within the
schema and the published drafts; nothing is downloaded.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.patterns import compile_pattern, search
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.schemawords import FORMATS, misspelt


class Schema:
    """A compiled JSON Schema.

    Args:
        schema: the schema; its draft is `$schema`, else 2020-12.

    Raises:
        ValueError: the schema is invalid; with the location.
    """

    def __init__(self, schema: Json) -> None:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import validator_for
        from referencing.jsonschema import EMPTY_REGISTRY

        cls = validator_for(schema, default=Draft202012Validator)
        try:
            cls.check_schema(schema)
        except SchemaError as error:
            where = _location(error.absolute_path)
            raise ValueError(f"invalid JSON Schema{where}: {error.message}") from None
        wrong = misspelt(schema)
        if wrong is not None:
            raise ValueError(f"invalid JSON Schema: {wrong}")
        for pattern in _patterns(schema):
            compile_pattern(pattern)
        self._validator = _with_patterns(cls)(schema, registry=EMPTY_REGISTRY)

    def problems(self, value: Json) -> list[str]:
        """Return the violations of the schema, in the order of the value.

        Raises:
            ScoringError: the schema cannot be applied (an unresolvable reference).
        """
        from referencing.exceptions import Unresolvable

        try:
            errors = sorted(self._validator.iter_errors(value), key=lambda e: str(e.absolute_path))
        except Unresolvable as error:
            raise ScoringError(
                f"the schema refers to {error.ref!r}, which it does not define; schemas are not "
                "downloaded"
            ) from None
        except RecursionError:
            raise ScoringError("the value is nested too deep for the schema") from None
        return [f"{_location(error.absolute_path, bare=True)}{error.message}" for error in errors]


def _location(path: Any, *, bare: bool = False) -> str:
    """Format the path of a value."""
    words = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")
    if not words:
        return ""
    return f"`{words}`: " if bare else f" at `{words}`"


def _patterns(schema: Json) -> Iterator[str]:
    """Yield every regular expression in a schema."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "pattern" and isinstance(value, str):
                yield value
            elif key == "patternProperties" and isinstance(value, Mapping):
                yield from (name for name in value if isinstance(name, str))
            if key not in {"const", "enum", "default", "examples"}:
                yield from _patterns(value)
    elif isinstance(schema, list | tuple):
        for item in schema:
            yield from _patterns(item)


def _multiple_of(validator: Any, by: Any, value: Any, _: Any) -> Iterator[Any]:
    """Check `multipleOf` as decimals: 19.99 is a multiple of 0.01, which floats do not show."""
    from jsonschema import ValidationError

    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(by)):
        yield ValidationError(f"{shown(value)} is not a multiple of {by}")


def _format_of(validator: Any, name: Any, value: Any, _: Any) -> Iterator[Any]:
    """Check `format`."""
    from jsonschema import ValidationError

    check = FORMATS.get(name)
    if check is not None and validator.is_type(value, "string") and not check(value):
        yield ValidationError(f"{shown(value)} is not a {name!r}")


@lru_cache(maxsize=8)
def _with_patterns(cls: Any) -> Any:
    """Return a validator class with a timeout for patterns, decimals and asserted formats."""
    from jsonschema import ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, regex: str, value: Any, _: Any) -> Iterator[Any]:
        if validator.is_type(value, "string") and not search(compile_pattern(regex), value):
            yield ValidationError(f"{shown(value)} does not match {regex!r}")

    def pattern_properties(
        validator: Any, schemas: Mapping[str, Any], value: Any, _: Any
    ) -> Iterator[Any]:
        if not validator.is_type(value, "object"):
            return
        for regex, schema in schemas.items():
            for key, item in value.items():
                if search(compile_pattern(regex), key):
                    yield from validator.descend(item, schema, path=key, schema_path=regex)

    changed = {
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "multipleOf": _multiple_of,
        "format": _format_of,
    }
    return extend(cls, changed)  # type: ignore[no-untyped-call] # untyped in the stubs


_SILENT = frozenset(
    {
        "$schema", "$id", "$comment", "$defs", "definitions", "$anchor", "$dynamicAnchor",
        "$vocabulary", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "contentEncoding", "contentMediaType", "contentSchema",
    }
)  # fmt: skip
"""Keywords that constrain nothing by themselves."""


def vacuous_reason(schema: Json) -> str | None:
    """Return why a schema obviously cannot fail or cannot pass; None otherwise."""
    if schema is True or schema == {}:
        return "an empty schema cannot fail: every JSON value is valid"
    if schema is False:
        return "the schema `false` cannot pass: no value is valid"
    if not isinstance(schema, Mapping):
        return None
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    cls = validator_for(schema, default=Draft202012Validator)
    keywords = {*cls.VALIDATORS, "then", "else"}
    silenced = _SILENT if schema.get("format") in FORMATS else _SILENT | {"format"}
    loud = [key for key in schema if key in keywords and key not in silenced]
    if loud:
        return None
    silent = ", ".join(f"`{key}`" for key in list(schema)[:5])
    return f"a schema of {silent} alone cannot fail: it has no keyword that constrains a value"
