"""Datasets loaded from files with everything that is registered."""

from pathlib import Path

from pytest_evals.dataset import Dataset
from pytest_evals.loaders.base import Checker, LoadContext
from pytest_evals.loaders.build import load

_ROOT_MARKS = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", ".git")


def find_root(path: Path) -> Path:
    """Return the nearest folder above a file with a pytest configuration or a repository.

    Without one it is the working directory if the file is below it, else the file's folder.
    """
    folder = path.absolute().parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in _ROOT_MARKS):
            return candidate
    current = Path.cwd()
    return current if folder.is_relative_to(current) else folder


def load_dataset(path: Path, checker: Checker, *, rootdir: Path | None = None) -> Dataset:
    """Load a dataset's file.

    Args:
        path: the file.
        checker: knows the scorers and providers.
        rootdir: the folder that included files stay below; None finds it as pytest would.

    Raises:
        DatasetError: every problem of the file.
    """
    root = (rootdir or find_root(path)).absolute()
    return load(path, LoadContext(rootdir=root, checker=checker))
