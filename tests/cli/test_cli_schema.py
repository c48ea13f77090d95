"""`pytest-evals schema` prints the schema that is shipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest_evals
from pytest_evals.cli import main
from pytest_evals.cli.commands.schema import schema_text
from pytest_evals.registry import Registry

SHIPPED = Path(pytest_evals.__file__).parent / "dataset.schema.json"


def test_the_shipped_schema_is_the_generated_one():
    """After a change: python -m pytest_evals.cli schema > pytest_evals/dataset.schema.json."""
    assert schema_text(Registry.builtin()) == SHIPPED.read_text(encoding="utf-8")


def test_schema_prints_it(capsys):
    """The whole of it, ending in one new line."""
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert SHIPPED.read_text(encoding="utf-8") == printed
    assert json.loads(printed)["title"] == "pytest_evals dataset"


def test_the_module_is_the_command():
    """`python -m pytest_evals.cli` where the script is not on the path, in plain bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_evals.cli", "schema"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert SHIPPED.read_bytes() == done.stdout
