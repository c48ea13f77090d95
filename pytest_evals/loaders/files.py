"""The files of a dataset: find them beside it and below the rootdir, read and parse them.

This module knows paths and the loader of each suffix, and nothing of the content of a dataset.
"""

import os
import stat
from pathlib import Path

from pytest_evals.ground.errors import DatasetError, EvalsError, Position, suggest
from pytest_evals.loaders.base import Checker, Document, Loader

_WHOLE = frozenset({".yaml", ".yml", ".json"})
"""Suffixes of files with a dataset as one mapping; a list in any other file is rows of cases."""


class BadReferenceError(EvalsError):
    """A file that a dataset names cannot be used; says why, and where it was expected."""


class Files:
    """The files below one rootdir.

    Args:
        rootdir: files must stay below it, after resolving links; messages show paths relative to
            it.
        formats: has the loader of each suffix.
    """

    def __init__(self, rootdir: Path, formats: Checker) -> None:
        self._formats = formats
        self._rootdir = rootdir.absolute()
        self._real = rootdir.resolve()

    def shown(self, path: Path) -> str:
        """Return a path for messages: relative to the rootdir if it is below it."""
        path = path.absolute()
        for root in (self._rootdir, self._real):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.as_posix()

    def beside(self, dataset: Path, written: str) -> Path:
        """Return the path of a file that a dataset names, relative to the dataset.

        Raises:
            BadReferenceError: the file does not exist, or is outside of the rootdir.
        """
        name = written.removeprefix("file://")
        if not name or "\0" in name:
            raise BadReferenceError(f"{written!r} is not the name of a file")
        try:
            path = dataset.parent / name
            real = path.resolve()
            plain = Path(os.path.normpath(path))
            if plain.resolve() == real:  # otherwise there is a link before a `..`
                path = plain
            if not real.is_relative_to(self._real):
                raise BadReferenceError(
                    f"{written!r} is outside of the rootdir; move the file below {self._rootdir}"
                )
            if not path.exists():
                near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
                raise BadReferenceError(
                    f"file {self.shown(path)!r} does not exist (named {written!r} relative to this "
                    f"file).{suggest(path.name, near)}"
                )
        except (OSError, RuntimeError) as error:
            raise BadReferenceError(f"{written!r} cannot be found: {error}") from None
        return path

    def read(self, path: Path) -> bytes:
        """Return the content of a file.

        Raises:
            DatasetError: it does not exist, is not a file, or cannot be read.
        """
        where = Position(self.shown(path))
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise DatasetError.at(where, "found a directory, expected a file")
            if not stat.S_ISREG(mode):
                raise DatasetError.at(where, "found a device or pipe, expected a file")
            return path.read_bytes()
        except FileNotFoundError:
            raise DatasetError.at(where, "the file does not exist") from None
        except OSError as error:
            raise DatasetError.at(where, f"cannot be read: {error.strerror or error}") from None

    def parse(self, path: Path) -> Document:
        """Return a parsed file.

        Raises:
            DatasetError: it cannot be read or parsed, or there is no loader for its suffix.
        """
        content = self.read(path)
        return self._loader(path).parse(content, self.shown(path))

    def _loader(self, path: Path) -> Loader:
        """Return the loader for the suffix of a file.

        Raises:
            DatasetError: there is none.
        """
        loader = self._formats.loader(path.suffix.lower())
        if loader is None:
            raise DatasetError.at(
                Position(self.shown(path)),
                f"found a file with the suffix {path.suffix or 'nothing'!r}, expected one of "
                f"{', '.join(self._formats.suffixes())}",
            )
        return loader()


def is_rows(path: Path) -> bool:
    """Whether a list in a file is its cases, one in each row."""
    return path.suffix.lower() not in _WHOLE
