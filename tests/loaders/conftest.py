"""A folder of files that are loaded with a checker of the test's own."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import LoadContext, Loc
from pytest_evals.loaders.build import load
from pytest_evals.registry import Registry


class FakeChecker:
    """Knows a few names and every format, and says what the test wants said."""

    def __init__(self) -> None:
        registry = Registry.builtin()
        self.loader = registry.loader
        self.suffixes = registry.suffixes
        self.says: Callable[[Dataset], Iterable[tuple[Loc, str]]] = lambda _dataset: ()

    def check(self, dataset: Dataset) -> Iterable[tuple[Loc, str]]:
        """Say what the test wants said."""
        return self.says(dataset)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Know two of each."""
        return ("contains", "regex"), ("openai", "script")


class Folder:
    """Writes files and loads them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checker = FakeChecker()

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, with its folders."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, name: str, content: str | bytes | None = None) -> Dataset:
        """Load a file, written first where a content is given."""
        path = self.path / name if content is None else self.write(name, content)
        return load(path, LoadContext(self.path, self.checker))

    def problems(self, name: str, content: str | bytes | None = None) -> list[str]:
        """Return what is wrong with a file that does not load."""
        with pytest.raises(DatasetError) as error:
            self.load(name, content)
        return str(error.value).split("\n")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return an empty folder, which is the rootdir."""
    return Folder(tmp_path)
