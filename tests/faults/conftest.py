"""What the tests of faults share: a server that misbehaves, datasets, and sessions to run."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import jinja2  # noqa: F401 - loaded once, see tests/plugin/conftest.py
import pytest
import yaml  # noqa: F401 - the same

PATIENCE_S = 60.0
"""Seconds a test waits for what must come, on a machine that may be busy."""


@dataclass
class FaultServer:
    """The server's process, seen from a test."""

    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, acts: dict[str, list[dict[str, Any]]]) -> None:
        """Say what it does with each question."""
        self._call("/script", acts)

    def forget(self) -> None:
        """Let it count anew."""
        self._call("/forget", {})

    def seen(self) -> dict[str, Any]:
        """Return what it has seen."""
        return self._call("/seen")

    def asked(self) -> dict[str, int]:
        """Return how often each question was asked."""
        return dict(self.seen()["asked"])

    def total(self) -> int:
        """Return how many calls there were."""
        return sum(self.asked().values())

    def wait_for(self, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until what it has seen meets a condition."""
        end = monotonic() + PATIENCE_S
        while True:
            seen = self.seen()
            if met(seen):
                return seen
            assert monotonic() < end, f"did not come to pass: {seen['asked']}"
            sleep(0.01)

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, data=data, timeout=PATIENCE_S) as reply:
            return json.load(reply)


@pytest.fixture(scope="session")
def _server_process() -> Iterator[FaultServer]:
    """Start the server once."""
    program = Path(__file__).with_name("fault_server.py")
    process = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    yield FaultServer(int(process.stdout.readline()))
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def server(_server_process: FaultServer) -> FaultServer:
    """Lend the server, knowing nothing of earlier tests."""
    _server_process.script({})
    _server_process.forget()
    return _server_process


@pytest.fixture
def ask(server: FaultServer, pytester: pytest.Pytester):
    """Write a dataset whose cases ask the server ``q0``, ``q1``, ...; return its name."""

    def ask(cases: int = 1, *, name: str = "ask", **extra: Any) -> str:
        model = {"id": "m", "provider": "openai", "base_url": server.url, "model": "fake"}
        questions = extra.pop("questions", None) or [f"q{i}" for i in range(cases)]
        data: dict[str, Any] = {
            "name": name,
            "models": [{**model, **extra.pop("model", {})}],
            "scorers": extra.pop("scorers", [{"contains": "said"}]),
            "cases": [{"id": f"c{i}", "input": q} for i, q in enumerate(questions)],
            **extra,
        }
        (pytester.path / f"{name}.evals.yaml").write_text(json.dumps(data, indent=1))
        return f"{name}.evals.yaml"

    return ask


@pytest.fixture
def python_target(pytester: pytest.Pytester):
    """Write a dataset whose cases ask a function of a file; return its name."""

    def write(source: str, cases: int = 1, *, name: str = "app", **extra: Any) -> str:
        (pytester.path / f"{name}.py").write_text(textwrap.dedent(source))
        model = {"id": "app", "provider": "python", "target": f"{name}.py:answer"}
        data = {
            "name": name,
            "models": [{**model, **extra.pop("model", {})}],
            "scorers": extra.pop("scorers", [{"contains": "q"}]),
            "cases": [{"id": f"c{i}", "input": f"q{i}"} for i in range(cases)],
            **extra,
        }
        (pytester.path / f"{name}.evals.yaml").write_text(json.dumps(data, indent=1))
        return f"{name}.evals.yaml"

    return write


@pytest.fixture
def evals(pytester: pytest.Pytester):
    """Run pytest with ``--evals`` in process."""

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(
            "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", *args
        )

    return run


@pytest.fixture
def evals_process(pytester: pytest.Pytester):
    """Run pytest with ``--evals`` as a process of its own."""

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(
            "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", *args
        )

    return run


@dataclass
class Session:
    """A session that runs on its own."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def end(self, sign: int) -> int:
        """Send a signal and wait for the end; return the status."""
        os.kill(self.process.pid, sign)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the status."""
        return self.process.wait(PATIENCE_S)

    @property
    def output(self) -> str:
        """What it has written."""
        return self.log.read_text(errors="replace")


@pytest.fixture
def begin(pytester: pytest.Pytester):
    """Begin a session that can be killed."""
    begun: list[Session] = []

    def begin(*args: str) -> Session:
        log = pytester.path / f"session{len(begun)}.log"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--evals",
            "-p",
            "no:randomly",
            "-p",
            "no:hypothesispytest",
            *args,
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=pytester.path,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        begun.append(Session(process, log))
        return begun[-1]

    yield begin
    for session in begun:
        if session.process.poll() is None:
            os.killpg(session.process.pid, signal.SIGKILL)
            session.process.wait()


@pytest.fixture
def stored(pytester: pytest.Pytester):
    """Query the store."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(pytester.path / ".evals/evals.sqlite")
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    return query


@pytest.fixture
def records(stored):
    """Return the recorded trials of the last run by case."""

    def records() -> dict[str, dict[str, Any]]:
        rows = stored(
            "select record from trials where run = (select max(seq) from runs) order by seq"
        )
        return {record["case_id"]: record for (text,) in rows for record in [json.loads(text)]}

    return records
