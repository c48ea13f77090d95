"""Loader: parse the text of a file to plain data with the position of every value."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import Position, Problem

Loc = tuple[str | int, ...]
"""The location of a value: keys and indices, ``("cases", 3, "scorers", 0, "regex")``."""

MAX_DEPTH = 100
"""The maximum nesting of lists and mappings, in any format."""


class Locator(Protocol):
    """Returns the position of a value in a document."""

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return the position of a value, or of its deepest existing parent.

        Args:
            loc: the location of the value.
            key: whether to return the position of its key instead.
        """
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its data and the positions of its values."""

    data: Json
    where: Locator
    problems: tuple[Problem, ...] = ()
    """Problems of a file whose data can be read, such as duplicate keys."""


class Loader(Protocol):
    """One file format."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    """File name suffixes in lower case, with the dot."""

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file.

        Raises:
            DatasetError: it cannot be parsed; holds every problem with its position.
        """
        ...


class Checker(Protocol):
    """The registry as loaders see it: the registered names, and checks that need them."""

    def check(self, dataset: Dataset) -> Iterable[tuple[Loc, str]]:
        """Return every problem of a dataset: its location and a message."""
        ...

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        ...

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader for a file name suffix; None without one."""
        ...

    def suffixes(self) -> tuple[str, ...]:
        """Return the file name suffixes that can be loaded."""
        ...


@dataclass(frozen=True, slots=True)
class LoadContext:
    """The context of loading."""

    rootdir: Path
    """``file://`` and ``$include`` must stay below it; messages show paths relative to it."""
    checker: Checker
