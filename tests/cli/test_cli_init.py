"""`pytest-evals init`: what a new user begins with passes at once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_evals.cli import main

ROOT = Path(__file__).parents[2]
FILES = [
    "evals/starter.evals.yaml",
    ".github/workflows/evals.yml",
    ".github/actions/evals/action.yml",
    ".gitignore",
]
QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p evals-matrix"}


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Stand in an empty folder; run the command: its status, output, error output."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = main(["init", *words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def written(folder):
    """Return the files below a folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_it_passes_at_once(init, tmp_path):
    """In an empty folder, by the very commands that are printed, with no key; git sees no store."""
    status, out, _ = init()
    assert (status, written(tmp_path)) == (0, sorted(FILES))
    commands = re.findall(r"^  (.*)$", out, re.MULTILINE)
    assert commands == ["pytest --evals evals", "pytest-evals show latest"]
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environ = {**os.environ, **QUICK, "PATH": os.pathsep.join(places)}
    for command in commands:
        done = subprocess.run(
            command.split(), env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "3 passed" in done.stdout
    subprocess.run(["git", "init", "-q"], check=True)
    listed = ["git", "ls-files", "--others", "--exclude-standard"]
    seen = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(FILES) == sorted(name for name in seen if "__pycache__" not in name)


def test_nothing_is_overwritten(init, tmp_path):
    """Files that are there stay as they are, byte for byte; .gitignore is added to, once."""
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine \xff")
    status, out, _ = init()
    assert status == 0
    assert [(tmp_path / name).read_bytes() for name in FILES[:3]] == [b"mine \xff"] * 3
    ignored = b"mine \xff\n.evals/\nevals-reports/\n"
    assert (tmp_path / ".gitignore").read_bytes() == ignored
    assert out.splitlines()[:4] == [
        *(f"{name}: left as it is" for name in FILES[:3]),
        ".gitignore: added to",
    ]
    init()
    assert (tmp_path / ".gitignore").read_bytes() == ignored


def test_a_link_is_not_followed(init, tmp_path):
    """Also one that leads nowhere."""
    (tmp_path / "evals").mkdir()
    (tmp_path / FILES[0]).symlink_to(tmp_path / "outside")
    assert f"{FILES[0]}: left as it is" in init()[1]
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("line", [".evals", "/.evals/", ".evals/"])
def test_lines_of_gitignore_that_say_so_are_enough(init, tmp_path, line):
    """However they are written."""
    (tmp_path / ".gitignore").write_text(f"{line}\nevals-reports\n")
    init()
    assert (tmp_path / ".gitignore").read_text() == f"{line}\nevals-reports\n"


def test_another_folder_and_no_workflow(init, tmp_path):
    """The folder is made; the next steps lead into it."""
    status, out, _ = init("my project", "--no-workflow", "--json")
    told = json.loads(out)
    assert (status, told["next"][0]) == (0, "cd 'my project'")
    assert told["files"] == [
        {"path": FILES[0], "what": "written"}, {"path": ".gitignore", "what": "written"},
    ]  # fmt: skip
    assert written(tmp_path / "my project") == [".gitignore", FILES[0]]


@pytest.mark.parametrize(
    ("name", "why"), [("evals", "evals"), (".gitignore/x", ".gitignore: cannot be written")]
)
def test_what_stands_in_the_way_is_named(init, tmp_path, name, why):
    """A file where a folder is needed, a folder where a file is."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    status, _, err = init()
    assert (status, why in err, "cannot be written" in err) == (1, True, True), err


def test_the_action_is_that_of_the_examples(init, tmp_path):
    """One text, so that both are the tested one."""
    init()
    expected = (ROOT / "examples/github/action.yml").read_text(encoding="utf-8")
    assert expected == (tmp_path / FILES[2]).read_text(encoding="utf-8")


def test_the_workflow_fits_its_schema(init, tmp_path):
    """As GitHub's own schema of workflows and actions has it."""
    pytest.importorskip("check_jsonschema")
    init()
    for schema, name in (("github-workflows", FILES[1]), ("github-actions", FILES[2])):
        words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
        done = subprocess.run([*words, name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_workflow_calls_the_action_as_it_is(init, tmp_path):
    """Its local action is there and takes these inputs; its own commands are what we are called."""
    init()
    workflow = yaml.safe_load((tmp_path / FILES[1]).read_text())
    action = yaml.safe_load((tmp_path / FILES[2]).read_text())
    steps = workflow["jobs"]["evals"]["steps"]
    (call,) = (step for step in steps if step.get("uses", "").startswith("./"))
    assert (tmp_path / call["uses"] / "action.yml").is_file()
    assert set(call["with"]) <= set(action["inputs"])
    assert (tmp_path / call["with"]["paths"]).is_dir()
    (install,) = (step["run"] for step in steps if "run" in step)
    assert install.split()[-1] == "pytest-evals-matrix"
