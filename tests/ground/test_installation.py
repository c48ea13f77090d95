"""What is missing, or installed over us, is one line."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_evals.ground.installation import NEEDED, shadowed_by_another

START = """
import sys
sys.modules[{module!r}] = None  # as if it were not installed
import os
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
import pytest
{call}
"""
SESSION = 'sys.exit(pytest.main(["-p", "pytest_evals.plugin", "--evals", "a.evals.yaml"]))'
COMMAND = 'from pytest_evals.cli import main; sys.exit(main(["lint", "a.evals.yaml"]))'
DATASET = """
models: [{id: m, provider: script}]
prompt: "{{ input }}"
scorers: [{contains: ok}]
cases: [{id: a, input: q, script: [{kind: chat_response, content: ok}]}]
"""


def started(folder, module, call):
    """Start Python without a module; return the status, and the lines on standard error."""
    (folder / "a.evals.yaml").write_text(DATASET)
    command = [sys.executable, "-c", START.format(module=module, call=call)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, [line for line in done.stderr.splitlines() if line.strip()]


def test_every_dependency_is_known():
    """The table has what the distribution declares, and no more."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    declared = {name.split(">")[0] for name in project["project"]["dependencies"]}
    assert declared - {"pytest", "pluggy"} == set(NEEDED.values())


@pytest.mark.heavy
@pytest.mark.parametrize("module", NEEDED)
def test_a_session_without_a_dependency_is_one_line(module, tmp_path):
    """A usage error that names the package, whatever needs it first."""
    status, lines = started(tmp_path, module, SESSION)
    assert status == 4, lines
    assert len(lines) == 1, lines
    assert f"needs {NEEDED[module]}, not installed for {sys.executable}" in lines[0]


@pytest.mark.heavy
@pytest.mark.parametrize("module", ["pydantic", "yaml"])
def test_a_command_without_a_dependency_is_one_line(module, tmp_path):
    """The same in ``pytest-evals``."""
    status, lines = started(tmp_path, module, COMMAND)
    assert (status, len(lines)) == (4, 1), lines
    assert f"needs {NEEDED[module]}" in lines[0]


def test_another_project_in_our_folder(tmp_path, monkeypatch):
    """Either of the two was installed last: its file is beside ours, or its package was imported."""
    assert shadowed_by_another(tmp_path) is None
    (tmp_path / "plugin.py").touch()
    assert "another project" in (shadowed_by_another(tmp_path) or "")
    (tmp_path / "plugin.py").unlink()
    monkeypatch.setitem(sys.modules, "pytest_evals", type(sys)("pytest_evals"))
    assert "uninstall" in (shadowed_by_another(Path(tmp_path)) or "")
