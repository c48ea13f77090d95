"""Evals beside other plugins of pytest: the same outcomes, records, gates and exit status.

Each run is a process of its own with real plugins, alone and with two workers. Two datasets are run
next to ordinary tests which the other plugin has something to do with. What a target was called for
is what would have been paid.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_evals.storage.sqlite import SqliteRunStore

pytestmark = pytest.mark.slow

APP = """
from pathlib import Path

def answer(question):
    with Path("calls.txt").open("a") as file:
        file.write(question + chr(10))
    if "down" in question:
        raise RuntimeError("nobody there")
    return "no" if "fail" in question else "yes"
"""
STRICT = """
name: strict
models: [{id: app, provider: python, target: "app:answer"}]
scorers: [{contains: "yes"}]
samples: 2
cases:
  - {id: good, input: "strict: good?"}
  - {id: bad, input: "strict: fail?", tags: [flaky]}
  - {id: down, input: "strict: down?"}
"""
GATED = """
name: gated
models: [{id: app, provider: python, target: "app:answer"}]
scorers: [{contains: "yes"}]
gates: [pass@1 >= 0.5, pass@1 >= 0.9]
cases:
  - {id: good, input: "gated: good?"}
  - {id: bad, input: "gated: fail?"}
"""
PYTHON = """
import pytest
from app import answer
from pytest_evals import Case

@pytest.fixture
def evals_target():
    return answer

@pytest.mark.evals([Case(id=id, input=f"python: {id}?") for id in ("good", "fail", "down")])
def test_python(response):
    assert "yes" in response.text
"""
OUTCOMES = {
    "test_evals.py::test_python[good-app]": "passed",
    "test_evals.py::test_python[fail-app]": "failed",
    "test_evals.py::test_python[down-app]": "errored",
    "strict.evals.yaml::good[app-0]": "passed",
    "strict.evals.yaml::good[app-1]": "passed",
    "strict.evals.yaml::bad[app-0]": "failed",
    "strict.evals.yaml::bad[app-1]": "failed",
    "strict.evals.yaml::down[app-0]": "errored",
    "strict.evals.yaml::down[app-1]": "errored",
    "gated.evals.yaml::good[app]": "passed",
    "gated.evals.yaml::bad[app]": "failed",
}
PAID = {"strict: good?": 2, "strict: fail?": 2, "strict: down?": 2, "gated: good?": 1, "gated: fail?": 1,
        "python: good?": 1, "python: fail?": 1, "python: down?": 1}  # fmt: skip
FILES = {
    "app.py": APP,
    "strict.evals.yaml": STRICT,
    "gated.evals.yaml": GATED,
    "test_evals.py": PYTHON,
}
ORDINARY = "def test_ordinary(): pass\n"


@dataclass(frozen=True)
class Peer:
    """Another plugin, and what a session with it looks like."""

    name: str
    """The distribution."""
    plugin: str
    """What ``-p`` loads: a module."""
    args: tuple[str, ...] = ()
    test: str = ORDINARY
    """A test file with something for the plugin to do; it has one test, which passes."""
    also: tuple[str, ...] = ()
    """Other modules that the plugin needs loaded."""
    environ: tuple[tuple[str, str], ...] = ()


ASYNC = "import asyncio\n{mark}\nasync def test_async(): await asyncio.sleep(0)\n"
PEERS = [
    Peer(
        "pytest-rerunfailures",
        "pytest_rerunfailures",
        ("--reruns", "2"),
        "seen = []\ndef test_second_time():\n    seen.append(1)\n    assert len(seen) == 2\n",
    ),
    Peer("pytest-timeout", "pytest_timeout", ("--timeout", "30")),
    Peer("pytest-randomly", "pytest_randomly", ("-p", "no:dummy")),
    Peer(
        "pytest-cov",
        "pytest_cov",
        ("--cov=app", "--cov-report=term"),
        "import app\ndef test_covered(): assert app.answer('') == 'yes'\n",
    ),
    Peer(
        "pytest-html",
        "pytest_html.plugin",
        ("--html=page.html", "--self-contained-html", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
        also=("pytest_metadata.plugin",),
    ),
    Peer("pytest-sugar", "pytest_sugar", ("--force-sugar",)),
    Peer(
        "syrupy",
        "syrupy",
        ("--snapshot-update",),
        "def test_snapshot(snapshot): assert {'a': 1} == snapshot\n",
    ),
    Peer(
        "hypothesis",
        "_hypothesis_pytestplugin",
        test="from hypothesis import given, strategies as st\n@given(st.integers())\n"
        "def test_law(n): assert n + 0 == n\n",
    ),
    Peer("pytest-asyncio", "pytest_asyncio.plugin", ("-o", "asyncio_mode=auto"), ASYNC.format(mark="")),
    Peer(
        "pytest-asyncio",
        "pytest_asyncio.plugin",
        ("-o", "asyncio_mode=strict"),
        ASYNC.format(mark="import pytest\n@pytest.mark.asyncio"),
    ),
    Peer(
        "anyio",
        "anyio.pytest_plugin",
        test="import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
        + ASYNC.format(mark="@pytest.mark.anyio"),
    ),
    Peer("langsmith", "langsmith.pytest_plugin", environ=(("LANGSMITH_TEST_TRACKING", "false"),)),
    Peer(
        "deepeval",
        "deepeval.plugins.plugin",
        environ=(("DEEPEVAL_TELEMETRY_OPT_OUT", "YES"), ("ERROR_REPORTING", "NO")),
    ),
]  # fmt: skip


def _id(peer):
    """Name a peer, and its mode where it has two."""
    mode = next((arg for arg in peer.args if arg.startswith("asyncio_mode")), "")
    return f"{peer.name}-{mode}".rstrip("-")


@dataclass(frozen=True)
class Session:
    """What one session left."""

    status: int
    output: str
    folder: Path

    @property
    def report(self):
        """The report for programs."""
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    def is_right(self):
        """Compare all that evals left with what they leave without any other plugin."""
        trials = [(trial["id"], trial["outcome"]) for trial in self.report["trials"]]
        assert sorted(OUTCOMES.items()) == sorted(trials), self.output
        verdicts = {gate["gate"]: gate["verdict"] for gate in self.report["gates"]}
        assert {"pass@1 >= 0.5": "passed", "pass@1 >= 0.9": "failed"} == verdicts
        calls = Counter((self.folder / "calls.txt").read_text(encoding="utf-8").split("\n"))
        assert calls == Counter({**PAID, "": calls[""]}), self.output
        counts = {"passed": 4, "failed": 4, "errored": 3, "skipped": 0, "unneeded": 0}
        assert counts == self.report["run"]["counts"]
        self.is_stored_right()
        assert self.status == 1, self.output

    def is_stored_right(self):
        """Compare the store's records with the outcomes."""
        store = SqliteRunStore(self.folder / ".evals/evals.sqlite")
        try:
            (run,) = store.runs(limit=5)
            records = [one for name in OUTCOMES for one in store.attempts(run.id, name)]
        finally:
            store.close()
        assert sorted(OUTCOMES.items()) == sorted((one.id, str(one.outcome)) for one in records)
        assert "complete" == run.status


@pytest.fixture
def session(tmp_path):
    """Run datasets, by default both, and an ordinary test for each peer beside peers."""

    def run(peers, *args, files=FILES):
        tests = {f"test_beside_{n}.py": peer.test for n, peer in enumerate(peers)}
        for name, text in {**files, **tests}.items():
            tmp_path.joinpath(name).write_text(text, encoding="utf-8")
        loaded = [arg for p in peers for module in (*p.also, p.plugin) for arg in ("-p", module)]
        environ = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
            "PYTHONPATH": str(tmp_path),
            "COLUMNS": "80",
            "NO_COLOR": "1",
            **{name: value for peer in peers for name, value in peer.environ},
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "evals-matrix", "--evals", *loaded,
             *(arg for peer in peers for arg in peer.args), "--evals-json=report.json",
             "-p", "no:cacheprovider", *args],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )  # fmt: skip
        return Session(done.returncode, done.stdout, tmp_path)

    return run


def installed(peers):
    """Skip where a peer is not installed."""
    for peer in peers:
        if find_spec(peer.plugin.partition(".")[0]) is None:
            pytest.skip(f"{peer.name} is not installed")


WORKERS = pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["one", "n2"])


@WORKERS
@pytest.mark.parametrize("peer", PEERS, ids=_id)
def test_evals_are_the_same_beside(peer, workers, session):
    """Outcomes, records, gates, calls and exit status; and the peer's own test passes."""
    installed([peer])
    if workers and find_spec("xdist") is None:
        pytest.skip("xdist is not installed")
    done = session([peer], *workers)
    done.is_right()
    assert not re.search(r"INTERNALERROR|(FAILED|ERROR) test_beside", done.output), done.output


EVERYDAY = [peer for peer in PEERS if peer.name not in {"deepeval", "langsmith", "anyio"}
            and "asyncio_mode=auto" not in peer.args]  # fmt: skip


@WORKERS
def test_evals_are_the_same_beside_all_at_once(workers, session):
    """Those that are used day by day, together."""
    peers = [*EVERYDAY, Peer("pytest-xdist", "xdist")] if workers else EVERYDAY
    installed(peers)
    done = session(peers[: len(EVERYDAY)], *workers)
    done.is_right()
    assert not re.search(r"INTERNALERROR|(FAILED|ERROR) test_beside", done.output), done.output


def named(name):
    """Return a peer that is installed."""
    peer = next(peer for peer in PEERS if peer.name == name)
    installed([peer])
    return peer


def test_reruns_are_of_ordinary_tests_alone_and_it_is_said(session):
    """A trial that fails is one sample."""
    done = session([named("pytest-rerunfailures")])
    assert re.search(r", 1 rerun\b", done.output), done.output
    assert "--reruns does not apply to evals" in done.output


def test_a_tag_of_a_case_is_no_mark_for_reruns(session):
    """A case tagged ``flaky`` runs once, and nothing is said where nobody asked for reruns."""
    peer = named("pytest-rerunfailures")
    done = session([Peer(peer.name, peer.plugin)])
    done.is_right()
    assert "rerun " not in done.output.replace("rerun   pytest", "")
    assert "--reruns" not in done.output


def test_a_timeout_of_a_test_leaves_a_trial_without_record_and_the_session_fails(session):
    """pytest-timeout ends pytest's wait; what has no record is never green."""
    peer = named("pytest-timeout")
    slow = (
        "import time\ndef answer(question): return time.sleep(3) if 'fail' in question else 'yes'\n"
    )
    files = {"app.py": slow, "gated.evals.yaml": GATED}
    done = session([Peer(peer.name, peer.plugin, ("--timeout", "1"))], files=files)
    assert 1 == done.status
    assert "1 of 2 trials have no record" in done.output
    assert "ERROR gated.evals.yaml::bad[app] - Failed: Timeout (>1.0s)" in done.output
    assert {"incomplete"} == {gate["verdict"] for gate in done.report["gates"]}


def test_pytest_html_shows_each_trial_with_its_reason(session):
    """The page lists the trials, a wrong answer with its question."""
    done = session([named("pytest-html")])
    page = done.folder.joinpath("page.html").read_text(encoding="utf-8")
    for trial in OUTCOMES:
        assert trial in page
    assert "strict: fail?" in page


def test_coverage_sees_the_target(session):
    """What answers on the engine's threads is measured as what tests call."""
    peer = named("pytest-cov")
    done = session([Peer(peer.name, peer.plugin, peer.args)])
    assert re.search(r"^app\.py +\d+ +0 +100%$", done.output, re.MULTILINE), done.output


def test_sugar_draws_our_outcomes(session):
    """Its own summary counts what the gates tolerate as skipped, not as failed."""
    done = session([named("pytest-sugar")])
    counts = re.findall(r"^ +(\d+) (\w+)$", done.output.partition("Results (")[2], re.MULTILINE)
    assert {"passed": "6", "failed": "4", "error": "3", "skipped": "1"} == {b: a for a, b in counts}


WATCH = """
import sys

def look(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and args[1][0] != "127.0.0.1"):
        print("asked:", args, file=sys.__stderr__)

sys.addaudithook(look)
"""


@pytest.mark.parametrize("name", ["deepeval", "langsmith"])
def test_nobody_is_asked_beside(name, session):
    """With its tracking off, a session beside it looks no host up and connects to none."""
    done = session([Peer("watch", "watch"), named(name)], files={**FILES, "watch.py": WATCH})
    assert "asked:" not in done.output, done.output
    done.is_right()
