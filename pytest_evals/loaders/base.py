"""Loader: from the text of a file to plain data that knows where every value stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import Position, Problem

Loc = tuple[str | int, ...]
"""The way to a value from the root: keys and indices, ``("cases", 3, "scorers", 0, "regex")``."""

MAX_DEPTH = 100
"""How many lists and mappings may stand in one another, in any format."""


class Locator(Protocol):
    """Knows where every value of a document stands."""

    def __call__(self, loc: Loc, *, key: bool = False) -> Position:
        """Return where a value begins; of the deepest part of the way that exists.

        Args:
            loc: the way to the value.
            key: whether the place of its key in its mapping is wanted instead.
        """
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its data and where everything in it stands."""

    data: Json
    where: Locator
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file although its data can be read (a key that stands twice)."""


class Loader(Protocol):
    """One file format."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    """File name endings, with the dot, lower case."""

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file.

        Raises:
            DatasetError: it cannot be read at all: every problem found, with its position.
        """
        ...


class Checker(Protocol):
    """Knows what is registered; finds what is wrong with a Dataset that it cannot know itself."""

    def check(self, dataset: Dataset) -> Iterable[tuple[Loc, str]]:
        """Return every problem as the way to it and a message."""
        ...

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        ...

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader of files whose names end so; None where there is none."""
        ...

    def suffixes(self) -> tuple[str, ...]:
        """Return the endings of the names of files that can be loaded."""
        ...


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What loading needs besides the file."""

    rootdir: Path
    """``file://`` and ``$include`` stay below it; paths are shown relative to it."""
    checker: Checker
