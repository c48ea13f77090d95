"""The verdict on a run of each example is the same, whoever reads it: eleven readers agree."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_evals import load_run

EXAMPLES = Path(__file__).parents[2] / "examples"
REPLAY = ("--evals-cassette=cassettes", "--evals-responses=replay")
REPORTS = ("--evals-json=r.json", "--evals-md=r.md", "--evals-html=r.html", "--junitxml=j.xml")
MARKDOWN = {
    ("accept", False): "✅ Evals: accept",
    ("reject", True): "❌ Evals: reject",
    ("investigate", False): "⚠️ Evals: investigate",
    ("investigate", True): "❌ Evals: failed, investigate",
    (None, False): "✅ Evals: passed",
    (None, True): "❌ Evals: failed",
}
HTML = {
    ("accept", False): "Accept",
    ("reject", True): "Reject",
    ("investigate", False): "Investigate",
    ("investigate", True): "Failed: investigate",
    (None, False): r"All \d+ trials passed",
    (None, True): r"\d+ of \d+ trials passed",
}


@dataclass(frozen=True)
class Played:
    """A way in which an example is run, and the verdict that is right."""

    id: str
    folder: str
    word: str | None
    failed: bool
    options: tuple[str, ...] = ()
    gates: str = ""
    """Are written at the end of the dataset."""
    edit: tuple[str, str, str] | None = None
    """A file, a text and its replacement, after the baseline was made."""
    baseline: tuple[str, ...] | None = None
    """The options of the run that makes one; None without a baseline."""
    functions: bool = False
    """Whether the evals are test functions, which only pytest runs."""
    variables: dict[str, str] = field(default_factory=dict)


BROKEN = ("atlas.py", '"Japan": "Tokyo"', '"Japan": "Kyoto"')
REGRESSIONS = "samples: 3\ngates: [no regressions]\n"
WITHIN = "samples: 3\ngates: [no regressions within 0.5]\n"
PLAYED = [
    Played("csv", "csv", None, False),
    Played("csv, too few", "csv", "investigate", False, gates=REGRESSIONS, baseline=()),
    Played("csv, unchanged", "csv", "accept", False, gates=WITHIN, baseline=()),
    Played("csv, broken", "csv", "reject", True, gates=REGRESSIONS, baseline=(), edit=BROKEN),
    Played("python_app", "python_app", None, False),
    Played("quickstart", "quickstart", None, True),
    Played("quickstart, low", "quickstart", "accept", False, gates="gates: [pass@1 >= 0.9]\n"),
    Played("quickstart, high", "quickstart", "reject", True, gates="gates: [pass@1 >= 0.95]\n"),
    Played("judge", "judge", "investigate", False),
    Played("judge, strict", "judge", "investigate", True, options=("--evals-strict",)),
    Played("python_tests", "python_tests", "accept", False, functions=True),
    Played(
        "sdk_agent",
        "sdk_agent",
        None,
        False,
        options=REPLAY,
        variables={"OPENAI_BASE_URL": "http://127.0.0.1:8123/v1", "OPENAI_API_KEY": "none"},
    ),
]


@dataclass(frozen=True)
class Project:
    """An example in a folder of its own."""

    folder: Path
    played: Played

    def command(self, *words: str) -> tuple[int, str]:
        """Run a module; return its exit status and what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | self.played.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def evals(self, *options: str) -> tuple[int, str]:
        """Run ``pytest --evals`` with the options of the example."""
        words = ("pytest", "-p", "evals-matrix", "--evals", ".", *self.played.options, *options)
        return self.command(*words)


@pytest.fixture(params=PLAYED, ids=lambda played: played.id)
def project(request, tmp_path: Path) -> Project:
    """Copy an example, write its gates, make its baseline, break what is to break."""
    played = request.param
    if played.folder == "sdk_agent":
        pytest.importorskip("openai")
    left = shutil.ignore_patterns("__pycache__", ".*")
    folder = Path(shutil.copytree(EXAMPLES / played.folder, tmp_path / "example", ignore=left))
    (folder / "pytest.ini").write_text("[pytest]\n")
    if played.gates:
        (dataset,) = folder.glob("*.evals.yaml")
        dataset.write_text(dataset.read_text() + "\n" + played.gates)
    made = Project(folder, played)
    if played.baseline is not None:
        status, out = made.evals("--evals-update-baseline", *played.baseline)
        assert status == 0, out
    if played.edit:
        name, old, new = played.edit
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return made


def decisions(text: str) -> list[str]:
    """Return the words after ``decision:`` at the beginning of a line."""
    return re.findall(r"^decision: (\w+)$", text, re.MULTILINE)


def verdicts_of(run) -> list[tuple[str, str]]:
    """Return the gates of a run with their verdicts."""
    return sorted((gate["gate"], gate["verdict"]) for gate in run.gates)


@pytest.mark.slow
def test_eleven_readers_agree(project: Project):
    """Exit status, terminal, JUnit, JSON, Markdown, HTML, show, diff, rescore, --evals-from, run.

    And the session in two processes.
    """
    right = (project.played.word, project.played.failed)
    told = [right[0]] if right[0] else []
    status, out = project.evals(*REPORTS)
    assert (int(right[1]), told) == (status, decisions(out)), out
    session = load_run(rootdir=project.folder)
    assert right == verdict_of(session)
    reports_agree(project.folder, right)
    later_readers_agree(project, session, right)
    status, out = project.evals("-p", "xdist", "-n", "2")
    assert (int(right[1]), told) == (status, decisions(out)), out
    assert verdicts_of(load_run(rootdir=project.folder)) == verdicts_of(session)


def verdict_of(run) -> tuple[str | None, bool]:
    """Return the decision on a run, and whether its exit status says that it failed."""
    word = None if run.decision is None else run.decision["decision"]
    if run.decision is not None:
        assert run.decision["failed"] == bool(run.exit_status)
    return word, bool(run.exit_status)


def reports_agree(folder: Path, right: tuple[str | None, bool]) -> None:
    """Compare the four reports of a session with what is right."""
    report = json.loads((folder / "r.json").read_text())
    assert int(right[1]) == report["run"]["exit_status"]
    if right[0] is None:
        assert report["decision"] is None
    else:
        assert right == (report["decision"]["decision"], report["decision"]["failed"])
    title = (folder / "r.md").read_text().splitlines()[1]
    assert f"## {MARKDOWN[right]}" == title
    page = (folder / "r.html").read_text()
    found = re.search(r'class="hero (\w+)".*?<h1 id="verdict">(.*?)</h1>', page, re.DOTALL)
    assert found is not None
    assert re.fullmatch(HTML[right], found[2]), found[2]
    assert (found[1] == "bad") == right[1]
    suite = ET.parse(folder / "j.xml").getroot()[0]
    broken = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    assert bool(broken) == right[1]


def later_readers_agree(project: Project, session, right: tuple[str | None, bool]) -> None:
    """Compare what reads the stored run with what is right."""
    told = [right[0]] if right[0] else []
    status, out = project.command("pytest_evals.cli", "show", session.id)
    assert (0, told) == (status, decisions(out)), out
    readers: list[Callable[[], tuple[int, str]]] = [
        lambda: project.evals("--evals-from", session.id)
    ]
    if not project.played.functions:
        readers.append(lambda: project.command("pytest_evals.cli", "rescore", session.id))
        readers.append(lambda: api(project))
    for read in readers:
        status, out = read()
        assert (int(right[1]), told) == (status, decisions(out)), out
        again = load_run(rootdir=project.folder)
        assert again.id != session.id
        assert (right, verdicts_of(session)) == (verdict_of(again), verdicts_of(again))
    if project.played.baseline is not None:
        status, out = project.command("pytest_evals.cli", "diff", session.id)
        assert int(right[1]) == status, out
        status, out = project.command("pytest_evals.cli", "diff", session.id, "--json")
        compared = json.loads(out)
        assert (status, status) == (compared["exit_status"], int(compared["regressed"]))
        seen = sorted((gate["gate"], gate["verdict"]) for gate in compared["gates"])
        assert verdicts_of(session) == seen


def api(project: Project) -> tuple[int, str]:
    """Run the dataset from Python; return the run's status, and its decision as a line."""
    (dataset,) = project.folder.glob("*.evals.yaml")
    options: dict[str, object] = (
        {"strict": True} if "--evals-strict" in project.played.options else {}
    )
    if "--evals-responses=replay" in project.played.options:
        options |= {"cassette": "cassettes", "responses": "replay"}
    code = (
        "import pytest_evals\n"
        f"made = pytest_evals.run({dataset.name!r}, **{options!r})\n"
        "print('decision:', made.decision['decision']) if made.decision else None\n"
        "raise SystemExit(made.exit_status)\n"
    )
    (project.folder / "plain_script.py").write_text(code)
    return project.command("plain_script")
