"""Where baselines are stored: in a committed file beside the dataset, a git revision, or a run."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.files import replace_text
from pytest_evals.storage.baseline_path import FOLDER, baseline_path
from pytest_evals.verdict.baseline import Baseline, read_baseline, write_baseline

_GIT_SECONDS = 30

RunReader = Callable[[str], Baseline]
"""Builds the baseline of a stored run from its id or ``latest``; raises StoreError if there is
none."""


def load_baseline(path: Path, *, dataset: str | None = None, shown: str | None = None) -> Baseline:
    """Read a baseline's file.

    Args:
        path: the file.
        dataset: the dataset it must belong to; None accepts any.
        shown: its name in messages; None is its path.

    Raises:
        StoreError: it is missing, cannot be read, or is invalid (see `read_baseline`).
    """
    where = shown or str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StoreError(
            f"{where}: there is no such baseline; make it with --evals-update-baseline"
        ) from None
    except OSError as error:
        raise StoreError(f"{where}: the baseline cannot be read: {error.strerror}") from None
    return read_baseline(_decoded(content, where), where, dataset=dataset)


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StoreError(f"{where}:{line}: the baseline is not UTF-8 text") from None


def save_baseline(path: Path, baseline: Baseline) -> bool:
    """Write a baseline's file atomically.

    Returns:
        Whether the file changed.

    Raises:
        StoreError: it cannot be written; the old file is unchanged.
    """
    text = write_baseline(baseline)
    try:
        if path.is_file() and path.read_bytes() == text.encode("utf-8"):
            return False
        replace_text(path, text)
    except OSError as error:
        raise StoreError(f"{path}: the baseline cannot be written: {error.strerror}") from None
    return True


def check_writable(path: Path, shown: str) -> None:
    """Check that a baseline can be written, before anything is paid for.

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        StoreError: its folder is read-only.
    """
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{shown}: the baseline cannot be written: {folder} is read-only")


@dataclass(frozen=True, slots=True)
class NamedBaseline:
    """A baseline with its name."""

    baseline: Baseline
    name: str
    """A path, a run id, or a revision and a path."""


def find_baseline(
    source: str, *, rootdir: Path, dataset: str, dataset_path: Path, run: RunReader
) -> NamedBaseline:
    """Return the baseline that ``--evals-baseline`` names.

    An existing file or folder of baselines takes precedence. Next comes ``REVISION:PATH``
    (``main:`` alone is the dataset's baseline in that revision). Otherwise it is a run id, a prefix
    of one, or ``latest``.

    Args:
        source: the value of the option.
        rootdir: the base of relative paths.
        dataset: the dataset's name.
        dataset_path: the dataset's file.
        run: builds the baseline of a stored run.

    Raises:
        StoreError: there is none of that name (says what was tried), or it is invalid.
    """
    path = rootdir / source
    if path.is_dir():
        path = path / f"{dataset}.jsonl"
        return NamedBaseline(load_baseline(path, dataset=dataset), str(Path(source) / path.name))
    if path.is_file():
        return NamedBaseline(load_baseline(path, dataset=dataset, shown=source), source)
    revision, colon, inside = source.partition(":")
    if colon and len(revision) > 1:
        default = baseline_path(dataset_path, dataset)
        return _from_git(revision, inside, default, rootdir=rootdir, dataset=dataset)
    if path.suffix or "/" in source or "\\" in source:
        return NamedBaseline(load_baseline(path, dataset=dataset, shown=source), source)
    try:
        return NamedBaseline(run(source), source)
    except StoreError as error:
        raise StoreError(
            f"baseline {source}: it is no file, no git revision with a path "
            f"(`main:{FOLDER}/{dataset}.jsonl`), and no stored run: {error}"
        ) from None


def _from_git(
    revision: str, inside: str, default: Path, *, rootdir: Path, dataset: str
) -> NamedBaseline:
    """Read a baseline from a commit.

    Raises:
        StoreError: there is no such revision or file, or git cannot be run.
    """
    if revision.startswith("-"):
        raise StoreError(f"baseline {revision}:{inside}: that is no git revision")
    name = f"{revision}:{inside}"
    _git(rootdir, name, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not inside:
        top = Path(_git(rootdir, name, "rev-parse", "--show-toplevel").decode().strip())
        inside = default.resolve().relative_to(top.resolve()).as_posix()
    elif inside.endswith("/"):
        inside = f"{inside}{dataset}.jsonl"
    # A path with ./ is relative to the rootdir, any other to the top of the repository.
    shown = f"{revision}:{inside}"
    candidates = [shown] if inside.startswith("./") else [shown, f"{revision}:./{inside}"]
    for candidate in candidates:
        content = _show(rootdir, candidate)
        if content is not None:
            return NamedBaseline(
                read_baseline(_decoded(content, shown), shown, dataset=dataset), shown
            )
    raise StoreError(
        f"{shown}: that revision has no such file; commit a baseline made with "
        "--evals-update-baseline, or name the path it has there"
    )


def _git(rootdir: Path, name: str, *args: str) -> bytes:
    """Run git and return its output.

    Raises:
        StoreError: git failed, or is not installed.
    """
    done = _run(rootdir, name, *args)
    if done.returncode:
        stderr = done.stderr.decode(errors="replace").strip()
        reason = stderr or f"git knows no such revision here (git {' '.join(args[:1])} failed)"
        raise StoreError(
            f"baseline {name}: {reason}; in a shallow checkout fetch the revision first"
        )
    return done.stdout


def _show(rootdir: Path, name: str) -> bytes | None:
    """Return a file of a commit; None if the commit does not have it."""
    done = _run(rootdir, name, "show", "--no-textconv", name)
    return None if done.returncode else done.stdout


def _run(rootdir: Path, name: str, *args: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command, no shell
            ["git", *args],  # noqa: S607 - the user's own git
            cwd=rootdir,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"baseline {name}: git cannot be run: {error}") from None


def baselines_below(folder: Path) -> Iterator[Path]:
    """Yield the baselines below a folder, except in hidden folders and installed packages."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f[0] != "." and f not in {"node_modules", "venv"}]
        if Path(parent).name == FOLDER:
            yield from (Path(parent) / file for file in files if file.endswith(".jsonl"))
