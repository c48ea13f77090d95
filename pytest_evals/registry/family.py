"""Family: interchangeable members by name, each with the plugin that registered it.

The members of a plugin are checked when they are registered, so that an error names the plugin and
not the dataset that uses it first.
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
class FamilySpec:
    """The rules for the members of a family."""

    noun: str
    """What messages call a member."""
    hook: str
    """The hook that registers members."""
    names: str
    """The pattern of valid names."""
    form: str
    """The pattern in words."""
    wrong: Callable[[str, type], Iterator[str]]
    """Yields what is wrong with a class that is registered under a name."""


class Family(Generic[T]):
    """Members by name.

    Args:
        spec: the rules for them.
    """

    def __init__(self, spec: FamilySpec) -> None:
        self.spec = spec
        self._members: dict[str, str | type[T]] = {}
        self._origins: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def origin(self, name: str) -> str:
        """Return the plugin that registered a member."""
        return self._origins[name]

    def add(self, plugin: str, members: object) -> None:
        """Register the members of a plugin; none of them if any is invalid.

        Raises:
            PluginError: they are no mapping of names to classes, or a name is taken.
        """
        origin = f"{self.spec.hook} of the plugin {plugin}"
        if not isinstance(members, Mapping):
            raise PluginError(
                f"{origin} returned {_shown(members)}, expected a mapping of names to classes or "
                "'module:Class'"
            )
        for name, member in members.items():
            if not isinstance(name, str) or not re.fullmatch(self.spec.names, name):
                raise PluginError(f"{origin}: {name!r} is no name here; write {self.spec.form}")
            if name in self._origins:
                raise PluginError(
                    f"two plugins bring the {self.spec.noun} {name!r}: {self._origins[name]} and "
                    f"{plugin}; turn one of them off with -p no:NAME, or rename it there"
                )
            if plugin != OURS:
                self._check(plugin, name, member)
        self._members.update(members)
        self._origins.update(dict.fromkeys(members, plugin))

    def find(self, name: str) -> type[T] | None:
        """Return a member, imported on first use; None if there is none.

        Raises:
            PluginError: a plugin's member cannot be imported, or is invalid.
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
            imported = getattr(import_module(module), attribute)
        except Exception as error:
            raise PluginError(
                f"the {self.spec.noun} {name!r} of the plugin {plugin} cannot be imported from "
                f"{home!r}: {type(error).__name__}: {error}",
                detail=user_traceback(error),
            ) from error
        self._check(plugin, name, imported)
        member: type[T] = imported
        return member

    def _check(self, plugin: str, name: str, member: object) -> None:
        """Reject a value that is no member of this family."""
        origin = f"the {self.spec.noun} {name!r} of the plugin {plugin}"
        if isinstance(member, str):
            if not re.fullmatch(r"[\w.]+:\w+", member):
                raise PluginError(
                    f"{origin} is registered as {member!r}; write 'package.module:Class'"
                )
            return
        if not isclass(member):
            raise PluginError(f"{origin} is {_shown(member)}, expected a class or 'module:Class'")
        if wrong := "; ".join(self.spec.wrong(name, member)):
            raise PluginError(f"{origin} ({member.__module__}.{member.__qualname__}) {wrong}")


def _shown(value: object) -> str:
    """Return the repr of a value, truncated."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _methods(cls: type, *names: str) -> Iterator[str]:
    """Yield the methods that a class lacks."""
    lacking = [name for name in names if not callable(getattr(cls, name, None))]
    if lacking:
        yield f"has no {', '.join(f'`{name}`' for name in lacking)}"


def _named(cls: type, attribute: str, name: str) -> Iterator[str]:
    """Yield a problem if a class has another name than the registered one."""
    class_name = getattr(cls, attribute, None)
    if class_name != name:
        yield f"has the `{attribute}` {class_name!r}; give it {attribute} = {name!r}"


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
        function = getattr(cls, method, None)
        if function is not None and not iscoroutinefunction(function):
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

FAMILIES: Mapping[str, FamilySpec] = {
    "providers": FamilySpec("provider", "pytest_evals_providers", _WORD, _WORDS, _provider),
    "scorers": FamilySpec(
        "scorer",
        "pytest_evals_scorers",
        rf"(?!(?:{_RESERVED})$){_WORD}",
        f"{_WORDS}, and none of the keys that every scorer has",
        _scorer,
    ),
    "loaders": FamilySpec(
        "loader",
        "pytest_evals_loaders",
        r"\.[a-z0-9]+",
        "a file name's ending with its dot, in small letters, such as '.toml'",
        _loader,
    ),
    "reporters": FamilySpec("reporter", "pytest_evals_reporters", _WORD, _WORDS, _reporter),
    "stores": FamilySpec(
        "store of answers",
        "pytest_evals_stores",
        r"[a-z][a-z0-9+]+",
        "the scheme of an address: small letters and digits, at least two",
        _store,
    ),
}
