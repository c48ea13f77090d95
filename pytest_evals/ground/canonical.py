"""Canonical JSON, so that equal values have equal digests; and `Frozen`, the base of the nouns.

This module knows JSON, hashes and pydantic. It knows nothing of evals.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from itertools import pairwise
from operator import gt, lt
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

Json = Any
"""Any JSON value: None, bool, int, float, str, a list of these, a dict from str to these."""


class Frozen(BaseModel):
    """The base of every noun: immutable, rejects unknown fields, converts to and from JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",
        protected_namespaces=(),  # pydantic 2.9 warns of `model_id`
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changed fields, without the cached properties of the original."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            for name in copy.__dict__.keys() - type(self).model_fields:
                del copy.__dict__[name]
        return copy

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe each field by its docstring.

        pydantic can do this itself, but then it reads the source of each class during import. That
        is a fifth of the start-up time of a session.
        """
        return schema_with_descriptions(cls, schema, handler)


def schema_with_descriptions(
    noun: type, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
) -> dict[str, Any]:
    """Return the JSON Schema of a noun, with each field's docstring as its description."""
    json_schema = handler(schema)
    properties = handler.resolve_ref_schema(json_schema).get("properties", {})
    fields = noun.model_fields if issubclass(noun, BaseModel) else {}
    for name, text in field_docs(noun).items():
        key = fields[name].alias or name if name in fields else name
        if key in properties:
            properties[key].setdefault("description", text)
    return json_schema


def field_docs(noun: type) -> dict[str, str]:
    """Return field docstrings of a noun or dataclass by field name, including inherited fields."""
    import ast
    import inspect
    import textwrap

    docs: dict[str, str] = {}
    for owner in reversed(noun.__mro__):
        if owner is BaseModel or not (issubclass(owner, BaseModel) or is_dataclass(owner)):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in pairwise(body.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[field.target.id] = inspect.cleandoc(after.value.value)
    return docs


N = TypeVar("N", bound=Frozen)


def canonical(value: Json) -> str:
    """Serialize a JSON value to its canonical form.

    Keys are sorted, there is no whitespace, and every non-ASCII character is escaped. The order of
    keys does not change the text. Different values give different texts: 1 and 1.0 differ, because
    a server may distinguish them.

    Raises:
        TypeError: a value is not JSON, or a mapping key is not a string.
        ValueError: a number is NaN or infinite.
    """
    _reject_other_keys(value)
    return _encode(value)


def digest(value: Json, *, length: int = 64) -> str:
    """Return the sha256 of the canonical form, in lower-case hexadecimal.

    Args:
        value: any JSON value.
        length: number of leading digits to return, 1..64.
    """
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()[:length]


def digest_streamed(value: dict[str, Json], key: str, items: Iterable[Json]) -> str:
    """Return ``digest({**value, key: [*items]})`` without holding all items in memory."""
    before, after = (
        canonical({other: value[other] for other in value if test(other, key)})[1:-1]
        for test in (lt, gt)
    )
    sha256 = hashlib.sha256(f"{{{before}{',' * bool(before)}{canonical(key)}:[".encode("ascii"))
    separator = b""
    for item in items:
        sha256.update(separator)
        sha256.update(canonical(item).encode("ascii"))
        separator = b","
    sha256.update(f"]{',' * bool(after)}{after}}}".encode("ascii"))
    return sha256.hexdigest()


def to_json(noun: N) -> tuple[N, str]:
    r"""Serialize a noun to JSON, omitting fields that have their default value.

    A server's text can contain a lone surrogate (``\ud800``), which UTF-8 cannot encode. It is
    replaced by its visible escape.

    Returns:
        The noun (a copy if a text was replaced) and its JSON.
    """
    try:
        return noun, noun.model_dump_json(exclude_defaults=True)
    except PydanticSerializationError:
        encodable = type(noun).model_validate(_escape_surrogates(noun.model_dump()))
        return encodable, encodable.model_dump_json(exclude_defaults=True)


def _escape_surrogates(value: Any) -> Any:
    """Replace lone surrogates by their escapes in every text of a value."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_escape_surrogates(key): _escape_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escape_surrogates(item) for item in value]
    return value


_NESTED = (dict, list, tuple)


def _reject_other_keys(value: Json) -> None:
    """Reject keys that json.dumps would silently convert to strings: 1 and "1" must differ."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                msg = f"a mapping key must be a string, found {key!r}"
                raise TypeError(msg)
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        if isinstance(item, _NESTED):
            _reject_other_keys(item)
