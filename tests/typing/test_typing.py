"""User code type-checks under mypy and pyright, and mistakes in it are found."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
pytestmark = pytest.mark.slow


def _wrong_lines():
    """Return the numbers of the lines that are marked as wrong."""
    lines = (HERE / "wrong_code.py").read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def _mypy(tmp_path):
    """Run mypy in strict mode over both files; return its errors by file, as line numbers."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    command += [f"--cache-dir={tmp_path}", "--follow-imports=silent"]
    done = subprocess.run(
        [*command, HERE / "user_code.py", HERE / "wrong_code.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "" == done.stderr
    found = {"user_code.py": set(), "wrong_code.py": set()}
    for file, line in re.findall(r"(\w+\.py):(\d+): error", done.stdout):
        found.setdefault(file, set()).add(int(line))
    return found, done.stdout


def _pyright(tmp_path):
    """Run pyright (basedpyright, with pyright's own strict rules) over both files."""
    settings = {
        "typeCheckingMode": "strict",
        "include": [str(HERE / "user_code.py"), str(HERE / "wrong_code.py")],
        "reportUnusedCoroutine": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "-p",
            tmp_path,
            "--pythonpath",
            sys.executable,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = json.loads(done.stdout)["generalDiagnostics"]
    found = {"user_code.py": set(), "wrong_code.py": set()}
    for one in told:
        if one["severity"] == "error":
            found[Path(one["file"]).name].add(one["range"]["start"]["line"] + 1)
    return found, json.dumps(told, indent=1)


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")
def test_mypy(tmp_path):
    """Mypy --strict finds nothing in what users write, and every mistake in what they must not."""
    found, told = _mypy(tmp_path)
    assert {"user_code.py": set(), "wrong_code.py": _wrong_lines()} == found, told


@pytest.mark.skipif(find_spec("basedpyright") is None, reason="needs basedpyright")
def test_pyright(tmp_path):
    """Pyright in strict mode agrees."""
    found, told = _pyright(tmp_path)
    assert {"user_code.py": set(), "wrong_code.py": _wrong_lines()} == found, told


def test_every_public_name_has_a_home():
    """What `pytest_evals` lists can be imported, and is what type checkers see."""
    import pytest_evals

    told = (ROOT / "pytest_evals" / "__init__.py").read_text()
    seen = re.search(r"if TYPE_CHECKING:\n(.*?)\n\n", told, re.DOTALL)[1]
    for name in pytest_evals.__all__:
        assert hasattr(pytest_evals, name), name
        assert name == "__version__" or re.search(rf"\b{name}\b", seen), name
