"""What the README shows is what happens."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """Return the README's code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def plain(text: str) -> list[str]:
    """Return lines without what differs from run to run: ids, times, widths."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\d+\.\d+s", "TIME", text)
    text = re.sub(r"[=_-]{3,}", "---", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_output_shown_is_the_output(tmp_path):
    """Every line of the block stands in the real output, in its order; `...` leaves lines out."""
    (shown,) = blocks("console")
    command, *expected = plain(shown)
    assert command == "$ pytest --evals examples/quickstart"
    shutil.copytree(ROOT / "examples/quickstart", tmp_path / "examples/quickstart")
    tmp_path.joinpath("pytest.ini").write_text("[pytest]")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--evals", "examples/quickstart", "-p", "no:randomly",
         "-p", "no:cacheprovider", "--color=no"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    real = iter(plain(done.stdout))
    for line in expected:
        assert line == "..." or line in real, line
    assert done.returncode == 1


def test_the_two_commands_are_what_ci_runs():
    """One installs and runs the example, one runs the tests; CI calls the second."""
    install, tests, *_ = [block.strip() for block in blocks("bash")]
    assert install == "pip install -e . && pytest --evals examples/quickstart"
    assert tests == "pip install tox && tox"
    assert tests in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_datasets_shown_are_datasets(text, tmp_path):
    """They load, with every scorer and provider they name."""
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load
    from pytest_evals.registry import Registry

    path = tmp_path / "shown.yaml"
    path.write_text(text, encoding="utf-8")
    dataset = load(path, LoadContext(rootdir=tmp_path, checker=Registry.builtin()))
    assert len(dataset.cases) == len(yaml.safe_load(text)["cases"])
