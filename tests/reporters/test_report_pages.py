"""The pages on reports, their workflows and the composite action do what they say."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.docs._pages import DOCS, ROOT, blocks, play

pytestmark = pytest.mark.heavy

ACTION = ROOT / "examples" / "github" / "action.yml"
GUIDE = DOCS / "how-to" / "report-on-a-pull-request.md"
WORKFLOWS = {block.name: block.text for block in blocks(GUIDE, "yaml")}


def load(text: str) -> dict:
    """Read YAML as GitHub does: `on` is a word."""
    return yaml.load(text, yaml.BaseLoader)


@pytest.mark.parametrize("page", ["reference/reports.md", "how-to/report-on-a-pull-request.md"])
def test_pages_can_be_played(page: str, tmp_path: Path) -> None:
    """Their commands run, and show what is shown."""
    shutil.copytree(ROOT / "examples" / "quickstart", tmp_path / "examples" / "quickstart")
    play(DOCS / page, tmp_path)


def test_the_workflows_are_workflows() -> None:
    """Each has a trigger, least rights, and jobs of steps that either use or run something."""
    assert [".github/workflows/evals.yml", ".github/workflows/evals-comment.yml"] == list(WORKFLOWS)
    for text in WORKFLOWS.values():
        told = load(text)
        assert {"name", "on", "permissions", "jobs"} <= set(told)
        for job in told["jobs"].values():
            assert "ubuntu-latest" == job["runs-on"]
            assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    run, comment = map(load, WORKFLOWS.values())
    assert {"contents": "read"} == run["permissions"]
    assert [run["name"]] == comment["on"]["workflow_run"]["workflows"]
    assert not any(
        "checkout" in step.get("uses", "") for step in comment["jobs"]["comment"]["steps"]
    )


def test_the_workflows_use_the_action_as_it_is() -> None:
    """They give it inputs that it has."""
    inputs = set(load(ACTION.read_text())["inputs"])
    for job in load(WORKFLOWS[".github/workflows/evals.yml"])["jobs"].values():
        (step,) = (one for one in job["steps"] if one.get("uses", "").startswith("./"))
        assert inputs >= set(step["with"])


def test_no_script_holds_an_expression() -> None:
    """What others can choose reaches scripts as variables alone, so that it is never run."""
    texts = [ACTION.read_text(), *WORKFLOWS.values()]
    steps = [
        step
        for told in map(load, texts)
        for job in (told.get("jobs") or {"": told["runs"]}).values()
        for step in job["steps"]
    ]
    assert [] == [step["run"] for step in steps if "${{" in step.get("run", "")]


@pytest.mark.skipif(not find_spec("pytest_evals.reporters.html"), reason="needs the HTML report")
def test_the_action_runs(tmp_path: Path) -> None:
    """Its scripts write every report, tell the status, and end with it."""
    shutil.copytree(ROOT / "examples" / "quickstart", tmp_path / "evals dir")
    steps = [step for step in load(ACTION.read_text())["runs"]["steps"] if "run" in step]
    inputs = {name: one["default"] for name, one in load(ACTION.read_text())["inputs"].items()}
    output = tmp_path / "output"
    environ = {
        **os.environ,
        **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        "INPUT_PYTHON": shutil.which("python", path=_own_path()),
        "INPUT_ARGS": "-p no:randomly -q",
        "INPUT_CASSETTE": "cassettes/a b.jsonl",
        "PULL_REQUEST": "12",
        "GITHUB_OUTPUT": str(output),
    }
    first = _bash(steps[0]["run"], environ, tmp_path / "evals dir")
    assert 0 == first.returncode, first.stderr
    assert "status=1\nmarkdown=evals-reports/evals.md\n" == output.read_text()
    folder = tmp_path / "evals dir" / "evals-reports"
    names = {"evals.csv", "evals.html", "evals.json", "evals.md", "junit.xml", "pull-request"}
    assert names == {path.name for path in folder.iterdir()}
    assert "12\n" == (folder / "pull-request").read_text()
    assert 1 == _bash(steps[1]["run"], {**environ, "STATUS": "1"}, tmp_path).returncode


def _own_path() -> str:
    import sys

    return str(Path(sys.executable).parent)


def _bash(script: str, environ: dict, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step's script as GitHub does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env=environ, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


GH = """#!/bin/bash
echo "$@" >> "$CALLS"
case "$*" in
  *pulls/12*) echo abc ;;
  *--paginate*) printf '%s' "$EXISTING" ;;
esac
"""


@pytest.mark.parametrize(
    ("commit", "existing", "calls"),
    [
        ("abc", "", ["pulls/12", "--paginate", "POST repos/o/r/issues/12/comments"]),
        ("abc", "77\n78\n", ["pulls/12", "--paginate", "PATCH repos/o/r/issues/comments/77"]),
        ("old", "", ["pulls/12"]),
    ],
    ids=["new", "again", "outdated"],
)
def test_the_comment_is_one(tmp_path: Path, commit: str, existing: str, calls: list) -> None:
    """It is written once, then brought up to date; never for a commit that is not the head."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "pull-request").write_text("12; echo hacked\n")
    (tmp_path / "reports" / "evals.md").write_text("<!-- pytest-evals -->\n")
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (step,) = (
        one
        for one in load(WORKFLOWS[".github/workflows/evals-comment.yml"])["jobs"]["comment"][
            "steps"
        ]
        if "run" in one
    )
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "EXISTING": existing,
        "REPO": "o/r",
        "COMMIT": commit,
    }
    done = _bash(step["run"], environ, tmp_path)
    assert 0 == done.returncode, done.stderr
    told = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == len(told)
    assert all(word in line for word, line in zip(calls, told, strict=True))
