"""What the README shows is what happens."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.docs._pages import ROOT, blocks, dataset_of, run, run_console

README = ROOT / "README.md"
TESTS = "pip install tox && tox"
INSTALL = "pip install -e . && pytest --evals examples/quickstart"


@pytest.fixture
def clone(tmp_path):
    """What a reader has after cloning: the repository's own files, none of what runs leave."""
    folder = tmp_path / "clone"
    left = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "build", "dist")
    shutil.copytree(ROOT, folder, ignore=left)
    return folder


@pytest.mark.parametrize("block", blocks(README, "console"), ids=str)
def test_outputs_shown_are_the_real_ones(block, clone):
    """Line by line, but for run ids and times; `...` leaves lines out."""
    run_console(block, clone)


def test_the_two_commands_are_the_ones_that_ci_runs():
    """One installs it and runs the example, one runs the tests, as CI and tox.ini do."""
    install, tests, *_ = (block.text.strip() for block in blocks(README, "bash"))
    assert install == INSTALL
    assert tests == TESTS
    assert TESTS in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "[testenv]" in (ROOT / "tox.ini").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_first_command_works_in_an_empty_environment(clone, tmp_path):
    """It is run as it stands, by a reader who has nothing but Python."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    done = run(f". {venv}/bin/activate && {INSTALL}", clone, settings={})
    if "No matching distribution" in done.stdout or "ConnectionError" in done.stdout:
        pytest.skip(f"no package index can be reached: {done.stdout.splitlines()[-1]}")
    assert re.search(r"=+ 2 failed, 22 passed in .* =+", done.stdout), done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("block", blocks(README, "yaml"), ids=str)
def test_datasets_shown_are_right(block, tmp_path):
    """Every scorer, provider and key in them is one that there is."""
    assert dataset_of(block, tmp_path).cases


def test_the_table_of_providers_is_whole():
    """Every provider has a row, and no other has."""
    from pytest_evals.registry import PROVIDERS

    rows = re.findall(r"^\| `(\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(PROVIDERS)


SCRIPTED = """
models: [{id: app, provider: script}]
cases:
  - id: refund-window
    input: How long do I have to return it?
    script: [{kind: chat_response, content: You have 30 days.}]
"""


@pytest.mark.parametrize("block", blocks(README, "python"), ids=str)
def test_tests_shown_pass(block, tmp_path):
    """They run as they stand, on a dataset of that name."""
    (tmp_path / "test_shown.py").write_text(block.text)
    (tmp_path / "support.evals.yaml").write_text(SCRIPTED)
    done = run("pytest -p no:randomly --evals test_shown.py", tmp_path)
    assert "3 passed" in done.stdout, done.stdout
