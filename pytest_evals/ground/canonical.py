"""One way to write a value, so that equal things have equal digests; and the base of the nouns.

This module knows JSON and hashes, nothing of evals.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import is_dataclass
from itertools import pairwise
from operator import gt, lt
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

Json = Any
"""A value JSON can hold: None, bool, int, float, str, a list of such, a str-keyed dict of such."""


class Frozen(BaseModel):
    """The base of every noun: immutable, no unknown field, read from and written to JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",
        protected_namespaces=(),  # pydantic 2.9 warns of `model_id`
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe each field by its docstring.

        pydantic can do so by itself, but reads every class's source when it is imported: a fifth of
        what a session takes to start.
        """
        return described(cls, schema, handler)


def described(noun: type, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
    """Return the JSON Schema of a noun, each field described by its docstring."""
    made = handler(schema)
    properties = handler.resolve_ref_schema(made).get("properties", {})
    fields = noun.model_fields if issubclass(noun, BaseModel) else {}
    for name, text in field_docs(noun).items():
        shown = fields[name].alias or name if name in fields else name
        if shown in properties:
            properties[shown].setdefault("description", text)
    return made


def field_docs(noun: type) -> dict[str, str]:
    """Return the docstrings of the fields of a noun or dataclass, inherited ones included."""
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
    """Write a JSON value in its one canonical form.

    Keys are sorted, nothing is padded, every non-ASCII character is escaped; so the text does not
    depend on the order of keys, and different values give different texts (1 and 1.0 differ: a
    server may tell them apart).

    Raises:
        TypeError: a value that JSON cannot hold, or a mapping key that is not a string.
        ValueError: NaN or an infinity.
    """
    _refuse_other_keys(value)
    return _encode(value)


def digest(value: Json, *, length: int = 64) -> str:
    """Return the sha256 of the canonical form, in lower-case hexadecimal.

    Args:
        value: any JSON value.
        length: how many of the 64 digits are wanted.
    """
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()[:length]


def digest_with(value: dict[str, Json], key: str, items: Iterable[Json]) -> str:
    """Return ``digest({**value, key: [*items]})``, where the items are too many to hold at once."""
    before, after = (
        canonical({other: value[other] for other in value if test(other, key)})[1:-1]
        for test in (lt, gt)
    )
    made = hashlib.sha256(f"{{{before}{',' * bool(before)}{canonical(key)}:[".encode("ascii"))
    comma = b""
    for item in items:
        made.update(comma)
        made.update(canonical(item).encode("ascii"))
        comma = b","
    made.update(f"]{',' * bool(after)}{after}}}".encode("ascii"))
    return made.hexdigest()


def to_json(noun: N) -> tuple[N, str]:
    r"""Write a noun as JSON, without what is the default.

    A text from a server can hold half a character (a lone surrogate, ``\ud800``), which
    no encoding can write: it becomes visible text.

    Returns:
        The noun (another one where a text had to change) and its JSON.
    """
    try:
        return noun, noun.model_dump_json(exclude_defaults=True)
    except PydanticSerializationError:
        whole = type(noun).model_validate(_whole(noun.model_dump()))
        return whole, whole.model_dump_json(exclude_defaults=True)


def _whole(value: Any) -> Any:
    """Make half characters visible in every text of a value."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


_NESTED = (dict, list, tuple)


def _refuse_other_keys(value: Json) -> None:
    """Refuse keys that json.dumps would quietly turn into strings: 1 and "1" must differ."""
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
            _refuse_other_keys(item)
