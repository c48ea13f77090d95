"""`pytest-evals lint FILE…`: the loader's problems, and the exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_evals.cli import main
from pytest_evals.registry.datasets import find_root

GOOD = (
    "models: [script]\n"
    "cases:\n"
    "- {id: a, input: x, scorers: [contains: x], script: [{kind: error}]}\n"
)
BAD = (
    "models: [nobody:x]\n"
    "cases:\n"
    "- {id: a, input: x, scorers: [contans: x]}\n"
    "- {id: b, inptu: x, scorers: [is_json]}\n"
)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Be in a folder that is a rootdir."""
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_clean_file_prints_nothing_and_exits_0(here, capsys):
    """Standard output is for problems."""
    (here / "d.yaml").write_text(GOOD)
    assert main(["lint", "d.yaml"]) == 0
    assert capsys.readouterr() == ("", "no problem in 1 file\n")


def test_every_problem_is_a_line_and_the_exit_is_1(here, capsys):
    """Those of the form and those that only the registry sees, in the order of the file."""
    (here / "d.yaml").write_text(BAD)
    (here / "e.yaml").write_text(GOOD)
    assert main(["lint", "e.yaml", "d.yaml", "no.yaml"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "d.yaml:1:10",
        "d.yaml:3:31",
        "d.yaml:4:11",
        "no.yaml",
    ]
    assert "no provider is called 'nobody'" in lines[0]
    assert "no scorer is called 'contans'. Did you mean 'contains'" in lines[1]
    assert "unknown key 'inptu'. Did you mean 'input'?" in lines[2]
    assert err == "4 problems in 3 files\n"


def test_json_has_the_same_problems(here, capsys):
    """One object a problem; an empty list when all is well."""
    (here / "d.yaml").write_text(BAD)
    assert main(["lint", "--json", "d.yaml"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [(row["path"], row["line"], row["column"]) for row in rows] == [
        ("d.yaml", 1, 10),
        ("d.yaml", 3, 31),
        ("d.yaml", 4, 11),
    ]
    assert all(row["message"] for row in rows)
    (here / "d.yaml").write_text(GOOD)
    assert main(["lint", "--json", "d.yaml"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_lint_without_files_is_a_usage_error(capsys):
    """Exit status 4, as pytest's."""
    with pytest.raises(SystemExit) as error:
        main(["lint"])
    assert error.value.code == 4
    assert "FILE" in capsys.readouterr().err


def test_the_rootdir_bounds_what_is_included(here, capsys):
    """By default the nearest folder with a configuration; --rootdir says otherwise."""
    (here / "cases.csv").write_text("id,input,expected\na,x,y\n")
    (here / "sub").mkdir()
    (here / "sub" / "d.yaml").write_text(
        "scorers: [equals]\nmodels: [openai:x]\ncases: ../cases.csv\n"
    )
    assert main(["lint", "sub/d.yaml"]) == 0
    assert main(["lint", "--rootdir", "sub", "sub/d.yaml"]) == 1
    assert capsys.readouterr().out.startswith(
        "d.yaml:3:8: '../cases.csv' is outside of the rootdir"
    )


def test_the_rootdir_is_found(tmp_path, monkeypatch):
    """The nearest mark above the file, else the working directory, else the file's folder."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert tmp_path == find_root(Path("a/b/d.yaml"))
    (tmp_path / "a" / "pytest.ini").write_text("")
    assert tmp_path / "a" == find_root(Path("a/b/d.yaml"))
    (tmp_path / "a" / "pytest.ini").unlink()
    monkeypatch.chdir(tmp_path / "a")
    assert tmp_path == find_root(tmp_path / "d.yaml")


def test_control_sequences_of_a_file_are_shown_not_obeyed(here, capsys):
    """What stands in a dataset cannot command the terminal."""
    (here / "d.json").write_text('{"\\u001b[2J": 1, "cases": [{"id": "a"}]}')
    assert main(["lint", "d.json"]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_it_runs_without_pytest(here):
    """As a process: no pytest is imported, and no traceback is printed."""
    (here / "d.yaml").write_text(BAD)
    code = (
        "import sys; from pytest_evals.cli import main; status = main(['lint', 'd.yaml']); "
        "assert '_pytest' not in sys.modules; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stderr) == (1, "3 problems in 1 file\n")
    assert len(done.stdout.splitlines()) == 3
