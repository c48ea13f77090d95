"""The words of JSON Schema: its keywords, and what each asserted `format` means. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from pytest_evals.ground.canonical import Json

_MAPPINGS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SINGLE = frozenset(
    {
        "items", "additionalItems", "additionalProperties", "unevaluatedItems", "contains",
        "unevaluatedProperties", "propertyNames", "not", "if", "then", "else", "contentSchema",
    }
)  # fmt: skip
KEYWORDS = (
    _MAPPINGS
    | _LISTS
    | _SINGLE
    | {
        "$schema", "$id", "id", "$ref", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary",
        "$recursiveRef", "$recursiveAnchor", "$comment", "title", "description", "default",
        "examples", "deprecated", "readOnly", "writeOnly", "type", "enum", "const", "multipleOf",
        "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength",
        "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
        "maxProperties", "minProperties", "required", "dependentRequired", "format",
        "contentEncoding", "contentMediaType", "divisibleBy", "disallow", "extends",
    }
)  # fmt: skip
"""The keywords of all drafts."""


def subschemas(schema: Json, at: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a schema and every schema inside it, with its place; names of properties are none."""
    if not isinstance(schema, Mapping):
        return
    yield at, schema
    for key, value in schema.items():
        place = f"{at}.{key}" if at else str(key)
        if key in _MAPPINGS and isinstance(value, Mapping):
            for name, inner in value.items():
                yield from subschemas(inner, f"{place}.{name}")
        elif key in _LISTS and isinstance(value, list | tuple):
            for i, inner in enumerate(value):
                yield from subschemas(inner, f"{place}[{i}]")
        elif key in _SINGLE:
            yield from subschemas(value, place)


_FOLDED = {keyword.casefold(): keyword for keyword in KEYWORDS}


def misspelt(schema: Json) -> str | None:
    """Return what is wrong with the words of a schema: a misspelt keyword, an unknown format.

    Keywords of other vocabularies (``x-…``, ``nullable``) constrain nothing and are allowed.
    """
    for place, part in subschemas(schema):
        where = f" at `{place}`" if place else ""
        for key in part:
            if key in KEYWORDS or key in _FOREIGN or key[:2] == "x-":
                continue
            close = get_close_matches(key.casefold().replace("_", ""), _FOLDED, n=1, cutoff=0.75)
            if close:
                return (
                    f"unknown keyword {key!r}{where}, which constrains nothing. Did you mean "
                    f"{_FOLDED[close[0]]!r}?"
                )
        name = part.get("format")
        if isinstance(name, str) and name not in FORMATS and name not in _UNCHECKED:
            close = get_close_matches(name.casefold(), FORMATS, n=1, cutoff=0.6)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            return f"unknown format {name!r}{where}, which nothing checks.{hint}"
    return None


_FOREIGN = frozenset(
    {
        "nullable", "discriminator", "example", "xml", "externalDocs", "propertyOrdering",
        "strict", "name", "optional", "errorMessage", "enumNames", "markdownDescription",
        "enumDescriptions", "defaultSnippets", "tsType", "order", "label", "hint", "placeholder",
    }
)  # fmt: skip
"""Keywords of OpenAPI, editors and code generators."""
_UNCHECKED = frozenset({"int32", "int64", "float", "double", "byte", "binary", "password"})
"""Formats of OpenAPI that say how a value is stored, and constrain nothing here."""


def _email(text: str) -> bool:
    """Whether a text is one address with a domain."""
    local, _, domain = text.rpartition("@")
    quoted = len(local) > 2 and local[0] == local[-1] == '"'
    plain = re.fullmatch(r"[^\s@\"(),:;<>\[\\\]]+", local) and ".." not in f".{local}."
    literal = re.fullmatch(r"\[[0-9A-Fa-f:.]+(?:IPv6:[0-9A-Fa-f:.]+)?\]", domain)
    return bool((quoted or plain) and (literal or _hostname(domain)))


def _hostname(text: str) -> bool:
    """Whether a text is a host name (RFC 1123), or an internationalized one."""
    labels = text.split(".")
    return len(text) <= 253 and all(
        re.fullmatch(r"[^\W_](?:[\w-]{0,61}[^\W_])?", label) and "_" not in label
        for label in labels
    )


def _date_time(text: str) -> bool:
    """Whether a text is a date and a time with its offset (RFC 3339)."""
    day, _, clock = text.replace("t", "T", 1).partition("T")
    return _date(day) and _time(clock)


def _date(text: str) -> bool:
    """Whether a text is a full date."""
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None and _reads(
        date.fromisoformat, text
    )


def _time(text: str) -> bool:
    """Whether a text is a time with its offset (RFC 3339); a leap second is allowed."""
    form = r"([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.[0-9]+)?([Zz]|[-+][0-9]{2}:[0-9]{2})"
    match = re.fullmatch(form, text)
    if match is None:
        return False
    second = "59" if match[2] == "60" else match[2]
    offset = "+00:00" if match[3] in "Zz" else match[3]
    return _reads(datetime.fromisoformat, f"2000-01-01T{match[1]}:{second}{offset}")


def _uri(text: str) -> bool:
    """Whether a text is a URI with a scheme."""
    return _reference(text) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:.", text) is not None


def _reference(text: str) -> bool:
    """Whether a text is a URI or a relative reference."""
    broken = re.search(r"[\s<>\"\\^`{|}]|%(?![0-9A-Fa-f]{2})", text)
    return broken is None and _reads(lambda value: urlsplit(value).port, text)


def _reads(read: Callable[[str], object], text: str) -> bool:
    """Whether a function accepts a text."""
    try:
        read(text)
    except ValueError:
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    """Return a check by a pattern for the whole text."""
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _pattern(text: str) -> bool:
    """Whether a text is a regular expression."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


_POINTER = r"(?:/(?:[^~/]|~[01])*)*"
_UNIT = r"(?:[0-9]+[.,])?[0-9]+"
FORMATS: Mapping[str, Callable[[str], bool]] = {
    "email": _email,
    "idn-email": _email,
    "date": _date,
    "time": _time,
    "date-time": _date_time,
    "duration": _matches(
        r"P(?=[0-9]|T[0-9])(?:[0-9]+W|(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
        rf"(?:T(?=[0-9])(?:{_UNIT}H)?(?:{_UNIT}M)?(?:{_UNIT}S)?)?)"
    ),
    "ipv4": lambda text: _reads(IPv4Address, text),
    "ipv6": lambda text: "%" not in text and _reads(IPv6Address, text),
    "hostname": _hostname,
    "idn-hostname": _hostname,
    "uri": _uri,
    "iri": _uri,
    "url": _uri,
    "uri-reference": _reference,
    "iri-reference": _reference,
    "uri-template": _matches(r"(?:[^\s{}]|\{[^\s{}]+\})*"),
    "uuid": _matches(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "json-pointer": _matches(_POINTER),
    "relative-json-pointer": _matches(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
    "regex": _pattern,
}
"""The formats that are asserted, with their checks."""
