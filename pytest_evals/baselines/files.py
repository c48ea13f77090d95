"""The committed baselines of a project: which files a user names. Reads no baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.ground.errors import StoreError
from pytest_evals.loaders.base import Checker
from pytest_evals.registry.datasets import load_dataset
from pytest_evals.storage.baseline_file import baselines_below
from pytest_evals.storage.baseline_path import FOLDER, baseline_path


@dataclass(frozen=True, slots=True)
class BaselinePath:
    """A baseline that the user names."""

    path: Path
    """The file; it need not exist."""
    shown: str
    """Its name in messages."""
    dataset: Path | None = None
    """The dataset's file, if the user named that."""


def find_files(paths: Sequence[str], checker: Checker) -> list[BaselinePath]:
    """Return the baselines that the user names.

    Args:
        paths: files of baselines, folders of them, or files of datasets; empty is every file in a
            folder ``baselines`` below the working directory.
        checker: knows the scorers and providers of datasets.

    Raises:
        StoreError: there is no baseline.
        DatasetError: a dataset is not valid.
    """
    if not paths:
        files = [BaselinePath(path, path.as_posix()) for path in sorted(baselines_below(Path()))]
        if not files:
            raise StoreError(
                f"no folder {FOLDER}/ with a baseline below {Path.cwd()}; make one with "
                "`pytest --evals --evals-update-baseline`, or `pytest-evals baseline accept latest`"
            )
        return files
    return [file for text in paths for file in _named_by(text, checker)]


def _named_by(text: str, checker: Checker) -> list[BaselinePath]:
    """Return the baselines of one path.

    Raises:
        StoreError: the path is a folder without a baseline.
        DatasetError: the path is a dataset that is not valid.
    """
    path = Path(text)
    if path.is_dir():
        files = sorted(path.glob("*.jsonl")) or sorted(path.glob(f"{FOLDER}/*.jsonl"))
        if not files:
            raise StoreError(f"{text}: no baseline is in this folder")
        return [BaselinePath(file, file.as_posix()) for file in files]
    if path.is_file() and not _is_baseline(path):
        baseline = baseline_path(path, load_dataset(path, checker).name)
        return [BaselinePath(baseline, baseline.as_posix(), path)]
    return [BaselinePath(path, text)]


def _is_baseline(path: Path) -> bool:
    """Whether a file is a baseline, valid or not."""
    if path.suffix != ".jsonl" or path.name.endswith(".evals.jsonl"):
        return False
    with path.open("rb") as file:
        return b'"$dataset"' not in file.readline(4096)
