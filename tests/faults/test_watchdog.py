"""Deadlines and signals where the process cannot keep them: code in C holds the interpreter."""

import json
import os
import signal
import sys
from pathlib import Path
from time import monotonic, sleep
from xml.etree import ElementTree as ET

import pytest

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform == "win32", reason="holds the interpreter by libc"),
]

LATE_S = 20.0
"""What holds the interpreter does so for a minute; an ending within 10 s has half of them here."""

HOLDS = """
    import asyncio, ctypes, os, re, signal, sys, time
    from pathlib import Path

    def hold(kind):
        Path("held").touch()
        if kind == "sleep":
            ctypes.PyDLL(None).sleep(60)
        if kind == "regex":
            re.match(r"(a+)+$", "a" * 40 + "!")

    def answer(text):
        time.sleep(0.1)
        if text == "q3":
            hold({kind!r})
        if text == "q4":
            time.sleep(1)
        return text
"""


def ended_early(session):
    """Return how long a session took, which is far less than what held it."""
    began = monotonic()
    session.wait()
    took = monotonic() - began
    assert took < LATE_S
    return took


def wait_for(path):
    """Wait until a file is there."""
    end = monotonic() + LATE_S
    while not path.exists():
        assert monotonic() < end
        sleep(0.05)


@pytest.mark.parametrize("kind", ["sleep", "regex"])
def test_a_target_that_holds_the_interpreter_is_ended_at_the_sessions_deadline(
    python_target, begin, pytester, stored, records, kind
):
    """The terminal names the trial and the limit; what was recorded is stored and reported."""
    name = python_target(HOLDS.format(kind=kind), 6)
    session = begin(
        "--evals-timeout=4",
        "--evals-concurrency=1",
        "--evals-json=r.json",
        "--junitxml=j.xml",
        name,
    )
    ended_early(session)
    assert session.process.returncode != 0
    assert "app.evals.yaml::c3[app] holds the Python interpreter past --evals-timeout (4 s)" in (
        session.output
    )
    assert "3 of 6 trials were recorded before" in session.output
    assert stored("select status from runs") == [("interrupted",)]
    assert list(records()) == ["c0", "c1", "c2", "c3"]
    assert records()["c3"]["error"]["type"] == "deadline"
    report = json.loads((pytester.path / "r.json").read_text())
    assert report["run"]["status"] == "interrupted"
    assert [t["case"] for t in report["trials"]] == ["c0", "c1", "c2", "c3"]
    suite = ET.parse(pytester.path / "j.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("errors")) == ("4", "1")


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_trial_is_named_among_others_under_way(python_target, begin, options):
    """Others wait for the interpreter, or sleep; the one that holds it is told apart."""
    session = begin("--evals-timeout=4", *options, python_target(HOLDS.format(kind="sleep"), 8))
    ended_early(session)
    assert session.process.returncode not in {0, None}
    assert "app.evals.yaml::c3[app] holds the Python interpreter" in session.output
    assert "--evals-timeout (4 s)" in session.output


def test_a_scorer_that_holds_the_interpreter(python_target, begin, pytester):
    """A regular expression of the dataset that never ends, and a function as a scorer."""
    pytester.makepyfile(
        judge="import ctypes\ndef hold(answer):\n"
        "    if answer == 'q1':\n        ctypes.PyDLL(None).sleep(60)\n    return True\n"
    )
    name = python_target(
        "def answer(text):\n    return text", 3, scorers=[{"python": "judge.py:hold"}]
    )
    session = begin("--evals-timeout=3", name)
    ended_early(session)
    assert "app.evals.yaml::c1[app] holds the Python interpreter" in session.output


def test_an_async_target(python_target, begin):
    """Several coroutines share a thread: the trial is one of those under way."""
    source = HOLDS.format(kind="sleep").replace("def answer", "async def answer")
    session = begin("--evals-timeout=3", python_target(source, 4))
    ended_early(session)
    assert "c3[app]" in session.output
    assert "--evals-timeout (3 s)" in session.output


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.slow
def test_signals_end_a_session_that_is_held(python_target, begin, pytester, options, sign):
    """Also without a deadline: a user who presses Ctrl-C, and a CI that ends a job."""
    session = begin(*options, python_target(HOLDS.format(kind="sleep"), 6))
    wait_for(pytester.path / "held")
    os.kill(session.process.pid, sign)
    ended_early(session)
    assert session.process.returncode != 0
    if not options:
        assert f"c3[app] holds the Python interpreter past {sign.name}" in session.output


def test_a_session_that_is_slow_after_its_deadline_is_not_killed(python_target, begin, pytester):
    """Python code that never ends gives others their turn: it is left behind, as before."""
    name = python_target("def answer(text):\n    while text == 'q1': pass\n    return text", 3)
    pytester.makepyfile(test_later="import time\ndef test_later(): time.sleep(4)")
    session = begin("--evals-timeout=2", name, "test_later.py")
    ended_early(session)
    assert session.process.returncode == 1
    assert "holds the Python interpreter" not in session.output


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize(
    "ending", ["os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"], ids=["kill", "abort"]
)
def test_a_process_that_dies_is_told_with_its_trial(
    python_target, begin, pytester, stored, options, ending
):
    """Killed for its memory, or crashed: which trial it was."""
    source = HOLDS.format(kind="").replace('Path("held").touch()', ending)
    name = python_target(source, 6)
    session = begin("--evals-concurrency=1", "--evals-json=r.json", *options, name)
    ended_early(session)
    assert session.process.returncode != 0
    said = "the process ended without a word while app.evals.yaml::c3[app] ran"
    wait = monotonic() + LATE_S
    while said not in session.output and monotonic() < wait:
        sleep(0.1)  # the watchdog writes after the process has died
    assert said in session.output


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit(0)", "raise KeyboardInterrupt"])
def test_code_that_exits_is_an_error_of_its_trial(python_target, evals_process, options, ending):
    """Also `os._exit(0)`, after which a CI system would have seen success."""
    source = HOLDS.format(kind="").replace('Path("held").touch()', ending)
    result = evals_process(*options, python_target(source, 6))
    result.assert_outcomes(passed=5, errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR *::c3* - *"])


def test_a_process_that_the_code_forks_may_exit(python_target, evals_process):
    """`os._exit` is how a forked process ends."""
    source = """
        import os

        def answer(text):
            child = os.fork()
            if not child:
                os._exit(3)
            _, status = os.waitpid(child, 0)
            return f"{text} {os.waitstatus_to_exitcode(status)}"
        """
    name = python_target(source, 3, scorers=[{"contains": " 3"}])
    evals_process("-W", "ignore", name).assert_outcomes(passed=3)


def test_nothing_is_watched_without_user_code_and_deadline(ask, begin, pytester, server):
    """No further process for a session that calls servers only."""
    server.script({"*": [{"delay_s": 1.0, "forever": True}]})
    session = begin(ask(1))
    server.wait_for(lambda seen: seen["asked"])
    assert not watchdogs_of(session.process.pid)
    session.wait()


def test_the_watchdog_ends_with_its_session(python_target, begin):
    """It is there while the session runs, and not a moment longer."""
    source = "import time\ndef answer(text):\n    time.sleep(1)\n    return text"
    session = begin(python_target(source, 2))
    end = monotonic() + LATE_S
    while not (found := watchdogs_of(session.process.pid)):
        assert monotonic() < end
        sleep(0.05)
    assert session.wait() == 0
    assert not [pid for pid in found if Path(f"/proc/{pid}").exists()]


def watchdogs_of(pid):
    """Return the watchdogs among the children of a process."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    except OSError:  # one has just ended
        return []
    return [child for child, command in commands.items() if b"watchdog_process" in command]
