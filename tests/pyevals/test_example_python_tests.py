"""The example with test functions runs as its page says, with and without workers."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs._pages import QUICK, blocks, run_console

EXAMPLE = Path(__file__).parents[2] / "examples/python_tests"


@pytest.mark.parametrize("options", ["", "-p xdist -n 2"])
def test_python_tests(tmp_path, options):
    """Its commands print what is shown; under workers the numbers are the same."""
    left = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(EXAMPLE, tmp_path / "examples/python_tests", ignore=left)
    settings = {**QUICK, "PYTEST_ADDOPTS": f"-p evals-matrix {options}"}
    shown = blocks(EXAMPLE / "README.md", "console")
    if options:
        told = "$ pytest --evals examples/python_tests\n...\ndecision: accept\n...\n"
        ended = "============================== 11 passed in 0.20s ==============================\n"
        shown = [replace(shown[0], text=told + ended)]
    for block in shown:
        run_console(block, tmp_path, settings)
