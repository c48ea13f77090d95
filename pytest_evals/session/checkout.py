"""The state of the git checkout under test, read while datasets are collected.

In a large checkout git takes longer than everything else before the first trial.
"""

import subprocess
import threading
from pathlib import Path

from pytest_evals.run_record import GitInfo


class GitReader:
    """Reads a checkout on a background thread.

    Args:
        rootdir: a folder of the checkout.
    """

    def __init__(self, rootdir: Path) -> None:
        self._rootdir = rootdir
        self._info: GitInfo | None = None
        self._thread = threading.Thread(target=self._read, name="evals-git", daemon=True)
        self._thread.start()

    def result(self) -> GitInfo | None:
        """Wait for the state and return it; None outside a checkout."""
        self._thread.join()
        return self._info

    def _read(self) -> None:
        """Run git."""
        self._info = git_info(self._rootdir)


def git_info(rootdir: Path) -> GitInfo | None:
    """Read the commit, the branch and a digest of uncommitted changes; None outside a checkout."""
    import hashlib

    def git(*words: str) -> bytes | None:
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                ["git", *words],  # noqa: S607 - the user's own git
                cwd=rootdir,
                capture_output=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    status = git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return None
    heads = dict(
        line[2:].split(" ", 1)
        for line in status.decode(errors="replace").splitlines()
        if line.startswith("# branch.")
    )
    commit = heads.get("branch.oid", "")
    if not commit or commit == "(initial)":
        return None
    changed = any(not line.startswith(b"#") for line in status.splitlines())
    diff = git("diff", "HEAD", "--no-ext-diff") if changed else None
    branch = heads.get("branch.head")
    return GitInfo(
        commit=commit,
        branch=None if branch == "(detached)" else branch,
        dirty=changed,
        tree=hashlib.sha256(diff).hexdigest()[:16] if diff else "",
    )
