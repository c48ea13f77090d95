"""What the tests of traces share: a folder with an application, run by pytest as users run it."""

import io
import os
import subprocess
import sys
import textwrap
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml

from pytest_evals.cli import main
from pytest_evals.result import TrialResult
from pytest_evals.storage.sqlite import SqliteRunStore


class Folder:
    """A user's project."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        file = self.path / name
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def dataset(self, **keys: object) -> Path:
        """Write the dataset ``app.evals.yaml``."""
        return self.write("app.evals.yaml", yaml.safe_dump({"name": "app", **keys}))

    def evals(self, *args: str, **environ: str) -> str:
        """Run ``pytest --evals`` as a process with our plugin alone; return what it prints."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "PYTEST_"))}
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONIOENCODING": "utf-8"}
        plain = ("-p", "evals-matrix", "-p", "no:cacheprovider")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--evals", "-q", *plain, *args],
            cwd=self.path,
            env={**kept, **alone, "NO_PROXY": "127.0.0.1", **environ},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return f"{done.stdout}{done.stderr}\nstatus {done.returncode}"

    def cli(self, *args: str) -> str:
        """Run ``pytest-evals`` here; return what it prints, the errors behind it, and the status."""
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.path), redirect_stdout(out), redirect_stderr(err):
            status = main(list(args))
        return f"{out.getvalue()}{err.getvalue()}\nstatus {status}"

    def results(self) -> dict[str, TrialResult]:
        """Return the trials of the last run, by their names."""
        store = SqliteRunStore(self.path / ".evals" / "evals.sqlite", write=False)
        try:
            return {one.id.partition("::")[2]: one for one in store.results("latest")}
        finally:
            store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty project."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Folder(tmp_path)
