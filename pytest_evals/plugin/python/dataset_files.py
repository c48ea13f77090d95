"""DatasetFiles: the dataset files that marked tests name, each loaded once."""

from collections.abc import Iterable
from pathlib import Path

from pytest_evals.dataset import Dataset
from pytest_evals.loaders.base import LoadContext, Loader, Loc
from pytest_evals.loaders.build import load
from pytest_evals.registry import Registry
from pytest_evals.session.state import SessionState


class DatasetFiles:
    """Loads dataset files for marked tests.

    Args:
        state: the session's fixed values.
    """

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.checker = CodeChecker(state.registry)
        self._loaded: dict[Path, Dataset] = {}

    def load(self, path: Path) -> Dataset:
        """Return the dataset of a file.

        Raises:
            DatasetError: all problems of the file.
        """
        dataset = self._loaded.get(path)
        if dataset is None:
            context = LoadContext(rootdir=self.state.settings.rootdir, checker=self.checker)
            dataset = self._loaded[path] = load(path, context)
        return dataset


class CodeChecker:
    """Checks a dataset that a test function uses."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def check(self, dataset: Dataset) -> Iterable[tuple[Loc, str]]:
        """Return every problem: its location in the dataset, and a message."""
        return self._registry.check(dataset, code=True)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of all scorers and of all providers."""
        return self._registry.names()

    def loader(self, suffix: str) -> type[Loader] | None:
        """Return the loader of a file name's suffix."""
        return self._registry.loader(suffix)

    def suffixes(self) -> tuple[str, ...]:
        """Return the file name suffixes that have a loader."""
        return self._registry.suffixes()
