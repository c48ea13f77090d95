"""What a run says of the code that was tested, read by a real git."""

import subprocess
from pathlib import Path

from pytest_evals.session.checkout import GitReader, git_info
from pytest_evals.storage.sqlite import SqliteRunStore


def git(folder: Path, *words: str) -> str:
    """Run git in a folder."""
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_checkout(tmp_path: Path) -> None:
    """The commit, the branch, and whether and how files differ from it."""
    git(tmp_path, "init", "-b", "main")
    assert GitReader(tmp_path).result() is None
    (tmp_path / "a.txt").write_text("a\n")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    clean = GitReader(tmp_path).result()
    assert clean is not None
    assert (commit, "main", False, "") == (clean.commit, clean.branch, clean.dirty, clean.tree)
    (tmp_path / "a.txt").write_text("b\n")
    changed = GitReader(tmp_path).result()
    assert changed is not None
    assert (commit, True, 16) == (changed.commit, changed.dirty, len(changed.tree))
    assert changed == git_info(tmp_path)


def test_outside_of_one(tmp_path: Path) -> None:
    """Where there is no checkout, nothing is said, however often it is asked."""
    reader = GitReader(tmp_path)
    assert (None, None) == (reader.result(), reader.result())


def test_a_run_keeps_it(support: str, evals, pytester) -> None:
    """What was read while the dataset was collected is in the run's record."""
    git(pytester.path, "init", "-b", "main")
    git(pytester.path, "add", ".")
    git(pytester.path, "commit", "-m", "evals")
    evals(support)
    store = SqliteRunStore(pytester.path / ".evals" / "evals.sqlite", write=False)
    run = store.run("latest")
    store.close()
    assert run.git is not None
    assert (git(pytester.path, "rev-parse", "HEAD"), "main") == (run.git.commit, run.git.branch)
