"""Baselines where they are kept: a committed file beside the dataset, a git revision, or a run."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.files import replace_text
from pytest_evals.verdict.baseline import Baseline, read_baseline, write_baseline

FOLDER = "baselines"
"""The folder beside the dataset."""

_GIT_SECONDS = 30

RunReader = Callable[[str], Baseline]
"""Makes the baseline of a stored run from its id or ``latest``; raises StoreError where there is
none."""


def baseline_path(dataset_path: Path, dataset: str) -> Path:
    """Return where a dataset's baseline is kept: ``baselines/<dataset>.jsonl`` beside it."""
    return dataset_path.parent / FOLDER / f"{dataset}.jsonl"


def load_baseline(path: Path, *, dataset: str | None = None, shown: str | None = None) -> Baseline:
    """Read a baseline's file.

    Args:
        path: the file.
        dataset: the dataset it must be of; None takes any.
        shown: what it is called in messages; None is its path.

    Raises:
        StoreError: it is not there, cannot be read, or is not right (see `read_baseline`).
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
    """Write a baseline's file, whole or not at all.

    Returns:
        Whether the file changed.

    Raises:
        StoreError: it cannot be written; the old file is untouched.
    """
    text = write_baseline(baseline)
    try:
        if path.is_file() and path.read_bytes() == text.encode("utf-8"):
            return False
        replace_text(path, text)
    except OSError as error:
        raise StoreError(f"{path}: the baseline cannot be written: {error.strerror}") from None
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """A baseline, and what it is called."""

    baseline: Baseline
    name: str
    """A path, a run's id, or a revision and a path."""


def find_baseline(
    source: str, *, rootdir: Path, dataset: str, dataset_path: Path, run: RunReader
) -> Found:
    """Return the baseline that ``--evals-baseline`` names.

    A file or a folder of baselines that exists wins; then ``REVISION:PATH`` (``main:`` alone means
    the dataset's own file there); else it is a run's id, the beginning of one, or ``latest``.

    Args:
        source: what the user wrote.
        rootdir: where relative paths begin.
        dataset: the dataset's name.
        dataset_path: the dataset's file.
        run: makes the baseline of a stored run.

    Raises:
        StoreError: there is none of that name, with what was tried, or it is not right.
    """
    path = rootdir / source
    if path.is_dir():
        path = path / f"{dataset}.jsonl"
        return Found(load_baseline(path, dataset=dataset), str(Path(source) / path.name))
    if path.is_file():
        return Found(load_baseline(path, dataset=dataset, shown=source), source)
    revision, colon, inside = source.partition(":")
    if colon and len(revision) > 1:
        own = baseline_path(dataset_path, dataset)
        return _from_git(revision, inside, own, rootdir=rootdir, dataset=dataset)
    if path.suffix or "/" in source or "\\" in source:
        return Found(load_baseline(path, dataset=dataset, shown=source), source)
    try:
        return Found(run(source), source)
    except StoreError as error:
        raise StoreError(
            f"baseline {source}: it is no file, no git revision with a path "
            f"(`main:{FOLDER}/{dataset}.jsonl`), and no stored run: {error}"
        ) from None


def _from_git(revision: str, inside: str, own: Path, *, rootdir: Path, dataset: str) -> Found:
    """Read a baseline from a commit.

    Raises:
        StoreError: there is no such revision or file, or git cannot be run.
    """
    if revision.startswith("-"):
        raise StoreError(f"baseline {revision}:{inside}: that is no git revision")
    told = f"{revision}:{inside}"
    _git(rootdir, told, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not inside:
        top = Path(_git(rootdir, told, "rev-parse", "--show-toplevel").decode().strip())
        inside = own.resolve().relative_to(top.resolve()).as_posix()
    elif inside.endswith("/"):
        inside = f"{inside}{dataset}.jsonl"
    # A path with ./ is read from the rootdir, a plain one from the top of the repository.
    shown = f"{revision}:{inside}"
    tried = [shown] if inside.startswith("./") else [shown, f"{revision}:./{inside}"]
    for place in tried:
        content = _show(rootdir, place)
        if content is not None:
            return Found(read_baseline(_decoded(content, shown), shown, dataset=dataset), shown)
    raise StoreError(
        f"{shown}: that revision has no such file; commit a baseline made with "
        "--evals-update-baseline, or name the path it has there"
    )


def _git(rootdir: Path, told: str, *words: str) -> bytes:
    """Run git and return what it printed.

    Raises:
        StoreError: git failed, or is not there.
    """
    done = _run(rootdir, told, *words)
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()
        what = why or f"git knows no such revision here (git {' '.join(words[:1])} failed)"
        raise StoreError(f"baseline {told}: {what}; in a shallow checkout fetch the revision first")
    return done.stdout


def _show(rootdir: Path, place: str) -> bytes | None:
    """Return a file of a commit; None where the commit has none."""
    done = _run(rootdir, place, "show", "--no-textconv", place)
    return None if done.returncode else done.stdout


def _run(rootdir: Path, told: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command, no shell
            ["git", *words],  # noqa: S607 - the user's own git
            cwd=rootdir,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"baseline {told}: git cannot be run: {error}") from None


def baselines_below(folder: Path) -> Iterator[Path]:
    """Yield the baselines below a folder; hidden ones and those of installed packages are not."""
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f[0] != "." and f not in {"node_modules", "venv"}]
        if Path(here).name == FOLDER:
            yield from (Path(here) / file for file in files if file.endswith(".jsonl"))
