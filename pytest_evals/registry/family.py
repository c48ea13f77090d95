"""A family of interchangeable members by name, each with the plugin that brought it.

What a plugin brings is looked at before it is used, so that a fault is told of the plugin, not of
the dataset that first needed it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import isclass, iscoroutinefunction
from typing import Generic, TypeVar

from pytest_evals.case import COMMON_SCORER_KEYS
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import PluginError
from pytest_evals.ground.user_code import user_traceback
from pytest_evals.hooks import OURS
from pytest_evals.scorers.base import Scorer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the members of a family are."""

    noun: str
    hook: str
    names: str
    """A pattern of the names that there can be."""
    form: str
    """The same, in words."""
    wrong: Callable[[str, type], Iterator[str]]
    """Yields what is wrong with a class that is brought under a name."""


class Family(Generic[T]):
    """Members of one kind by name.

    Args:
        kind: what they are.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._members: dict[str, str | type[T]] = {}
        self._origins: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def origin(self, name: str) -> str:
        """Return which plugin brought a member."""
        return self._origins[name]

    def take(self, plugin: str, brought: object) -> None:
        """Take in what a plugin brings; nothing of it where anything is wrong.

        Raises:
            PluginError: it is no mapping of names to classes, or a name is taken.
        """
        said = f"{self.kind.hook} of the plugin {plugin}"
        if not isinstance(brought, Mapping):
            raise PluginError(
                f"{said} returned {_shown(brought)}, expected a mapping of names to classes or "
                "'module:Class'"
            )
        for name, member in brought.items():
            if not isinstance(name, str) or not re.fullmatch(self.kind.names, name):
                raise PluginError(f"{said}: {name!r} is no name here; write {self.kind.form}")
            if name in self._origins:
                raise PluginError(
                    f"two plugins bring the {self.kind.noun} {name!r}: {self._origins[name]} and "
                    f"{plugin}; turn one of them off with -p no:NAME, or rename it there"
                )
            if plugin != OURS:
                self._check(plugin, name, member)
        self._members.update(brought)
        self._origins.update(dict.fromkeys(brought, plugin))

    def find(self, name: str) -> type[T] | None:
        """Return a member, imported when it is first asked for; None where there is none.

        Raises:
            PluginError: what a plugin named cannot be imported, or is not right.
        """
        member = self._members.get(name)
        if isinstance(member, str):
            member = self._members[name] = self._imported(name, member)
        return member

    def _imported(self, name: str, home: str) -> type[T]:
        """Import a member."""
        module, _, attribute = home.partition(":")
        plugin = self._origins[name]
        if plugin == OURS:
            ours: type[T] = getattr(import_module(module), attribute)
            return ours
        try:
            found = getattr(import_module(module), attribute)
        except Exception as error:
            raise PluginError(
                f"the {self.kind.noun} {name!r} of the plugin {plugin} cannot be imported from "
                f"{home!r}: {type(error).__name__}: {error}",
                detail=user_traceback(error),
            ) from error
        self._check(plugin, name, found)
        member: type[T] = found
        return member

    def _check(self, plugin: str, name: str, member: object) -> None:
        """Refuse what is no member of this family."""
        said = f"the {self.kind.noun} {name!r} of the plugin {plugin}"
        if isinstance(member, str):
            if not re.fullmatch(r"[\w.]+:\w+", member):
                raise PluginError(f"{said} is brought as {member!r}; write 'package.module:Class'")
            return
        if not isclass(member):
            raise PluginError(f"{said} is {_shown(member)}, expected a class or 'module:Class'")
        if wrong := "; ".join(self.kind.wrong(name, member)):
            raise PluginError(f"{said} ({member.__module__}.{member.__qualname__}) {wrong}")


def _shown(value: object) -> str:
    """Show a value that was found."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _methods(cls: type, *names: str) -> Iterator[str]:
    """Say which methods a class lacks."""
    lacking = [name for name in names if not callable(getattr(cls, name, None))]
    if lacking:
        yield f"has no {', '.join(f'`{name}`' for name in lacking)}"


def _named(cls: type, attribute: str, name: str) -> Iterator[str]:
    """Say where a class calls itself otherwise."""
    own = getattr(cls, attribute, None)
    if own != name:
        yield f"has the `{attribute}` {own!r}; give it {attribute} = {name!r}"


def _provider(name: str, cls: type) -> Iterator[str]:
    yield from _methods(cls, "required_env", "host", "prepare", "identity", "complete", "aclose")
    abstract: frozenset[str] = getattr(cls, "__abstractmethods__", frozenset())
    if abstract:
        yield f"does not implement {', '.join(f'`{name}`' for name in sorted(abstract))}"
    yield from _named(cls, "name", name)
    options = getattr(cls, "Options", None)
    if not isclass(options) or not issubclass(options, Frozen):
        yield "has no `Options` that is a subclass of pytest_evals.ground.canonical.Frozen"
    for flag in ("opaque", "recorded", "local"):
        if not isinstance(getattr(cls, flag, None), bool):
            yield f"does not say `{flag}` (True or False)"
    for method in ("complete", "aclose"):
        found = getattr(cls, method, None)
        if found is not None and not iscoroutinefunction(found):
            yield f"has a `{method}` that is not `async def`"


def _scorer(name: str, cls: type) -> Iterator[str]:
    if not issubclass(cls, Scorer):
        yield "is no subclass of pytest_evals.Scorer"
        return
    yield from _named(cls, "type", name)
    if cls.score is Scorer.score and not hasattr(cls, "combine"):
        yield "has no `score`"


def _loader(_: str, cls: type) -> Iterator[str]:
    yield from _methods(cls, "parse")


def _reporter(name: str, cls: type) -> Iterator[str]:
    yield from _methods(cls, "write")
    yield from _named(cls, "name", name)


def _store(_: str, cls: type) -> Iterator[str]:
    yield from _methods(cls, "get", "put", "nearest", "close")


_RESERVED = "|".join(sorted(COMMON_SCORER_KEYS))
_WORD = r"[a-z][a-z0-9_]*"
_WORDS = "small letters, digits and _"

KINDS: Mapping[str, Kind] = {
    "providers": Kind("provider", "pytest_evals_providers", _WORD, _WORDS, _provider),
    "scorers": Kind(
        "scorer",
        "pytest_evals_scorers",
        rf"(?!(?:{_RESERVED})$){_WORD}",
        f"{_WORDS}, and none of the keys that every scorer has",
        _scorer,
    ),
    "loaders": Kind(
        "loader",
        "pytest_evals_loaders",
        r"\.[a-z0-9]+",
        "a file name's ending with its dot, in small letters, such as '.toml'",
        _loader,
    ),
    "reporters": Kind("reporter", "pytest_evals_reporters", _WORD, _WORDS, _reporter),
    "stores": Kind(
        "store of answers",
        "pytest_evals_stores",
        r"[a-z][a-z0-9+]+",
        "the scheme of an address: small letters and digits, at least two",
        _store,
    ),
}
