"""Types of options that several providers have: addresses, headers, values from the environment.

A secret is named in a dataset and read from the environment when a call is made. It is stored
nowhere. This module knows nothing of HTTP clients.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers.base import CONTEXT

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"

EnvName = Annotated[str, Field(pattern=_VARIABLE)]
"""The name of an environment variable."""


class EnvValue(Frozen):
    """A value that is read from the environment when a call is made and never stored."""

    env: EnvName
    """The name of the variable."""
    prefix: str = ""
    """Text before its value, such as ``"Bearer "``."""

    def read(self, environ: Mapping[str, str]) -> str:
        """Return the prefix and the variable's value.

        Raises:
            AnswerError: of type ``unauthorized``: the variable is not set.
        """
        return self.prefix + read_secret(self.env, environ)


Value = str | EnvValue
"""A header, query or environment value: literal, or from the environment."""


def read_secret(name: str, environ: Mapping[str, str]) -> str:
    """Return a secret from the environment.

    Raises:
        AnswerError: of type ``unauthorized``: the variable is not set, or cannot be sent.
    """
    value = environ.get(name, "").strip()
    if not value:
        raise AnswerError("unauthorized", f"the environment variable {name} is not set")
    if not value.isprintable() or not value.isascii():
        raise AnswerError(
            "unauthorized",
            f"the environment variable {name} holds characters that no key has; set it again",
        )
    return value


def env_names(*tables: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the environment variables that tables of values name."""
    return tuple(v.env for table in tables for v in table.values() if isinstance(v, EnvValue))


def literal_values(table: Mapping[str, Value]) -> dict[str, str]:
    """Return the values that are no secrets."""
    return {name: value for name, value in table.items() if isinstance(value, str)}


def secret_names(
    api_key_env: str | None = None, **tables: Mapping[str, Value]
) -> dict[str, dict[str, Any]]:
    """Return the names of the secrets that a model declares, as the ``context`` of its identity.

    Args:
        api_key_env: the variable that the model names for its API key.
        tables: tables of values by the name of their option.

    Returns:
        Empty if the model names no variable, so that its Key stays what it was.
    """
    named: dict[str, Any] = {} if api_key_env is None else {"api_key_env": api_key_env}
    for option, table in tables.items():
        values = {
            name: value.model_dump(mode="json")
            for name, value in table.items()
            if isinstance(value, EnvValue)
        }
        if values:
            named[f"{option} from the environment"] = values
    return {CONTEXT: named} if named else {}


def read_values(table: Mapping[str, Value], environ: Mapping[str, str]) -> dict[str, str]:
    """Return all values; secrets are read from the environment."""
    return {
        name: value.read(environ) if isinstance(value, EnvValue) else value
        for name, value in table.items()
    }


def check_headers(headers: Mapping[str, Value]) -> Mapping[str, Value]:
    """Reject headers that cannot be sent.

    Raises:
        ValueError: an invalid name or value.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            raise ValueError(f"the header {name!r} holds a line break")
    return headers


def check_url(url: str) -> str:
    """Reject anything but the address of a server; drop trailing slashes.

    Raises:
        ValueError: not an http or https address, or one with a password.
    """
    try:
        parts = urlsplit(url)
        has_valid_port = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("an address of a server begins with http:// or https://") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_valid_port:
        raise ValueError("an address of a server begins with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("an address holds no user and no password; use headers: {name: {env: …}}")
    return url.rstrip("/")


def check_base_url(url: str) -> str:
    """Reject an address with a query or a fragment; drop trailing slashes.

    Raises:
        ValueError: not the address of a server, or one with a query or a fragment.
    """
    if "?" in url or "#" in url:
        raise ValueError(
            "the address of a server has no query and no fragment; some providers have the option "
            "`query`"
        )
    return check_url(url)


BaseUrl = Annotated[str, AfterValidator(check_base_url)]
"""The address of a server, without a trailing slash."""
HeaderTable = Annotated[dict[str, Value], AfterValidator(check_headers)]
"""Headers by name."""
