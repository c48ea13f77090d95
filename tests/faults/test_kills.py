"""Sessions that are ended at any moment: what was answered and kept stays answered."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest

_RUNS = "import sys; from pytest_evals.cli import main; sys.exit(main(['runs', '--json']))"
WINDOW = 4
"""Calls at once in these sessions."""


def answers(stored) -> set[str]:
    """Return the cases that have a stored answer."""
    return {case for (case,) in stored("select case_id from responses")}


def listed(pytester) -> list[dict]:
    """Return what ``pytest-evals runs`` lists, newest first."""
    done = subprocess.run(
        [sys.executable, "-c", _RUNS],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["runs"]


@pytest.mark.parametrize(
    "sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_a_killed_session_is_finished_by_the_next_one(
    sign, server, ask, begin, evals, stored, pytester
):
    """Over both, no more calls than cases and those in flight; stored answers are not asked again."""
    cases = 40
    server.script({"*": [{"delay_s": 0.05, "forever": True}]})
    name = ask(cases)
    session = begin(f"--evals-concurrency={WINDOW}", name)
    at = random.randint(3, 25)
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= at)
    assert session.end(sign) != 0
    kept = answers(stored)
    assert len(kept) >= at - WINDOW
    before = server.asked()
    assert sum(before.values()) <= len(kept) + WINDOW
    server.forget()
    evals(f"--evals-concurrency={WINDOW}", name).assert_outcomes(passed=cases)
    after = server.asked()
    assert after == {f"q{i}": 1 for i in range(cases) if f"c{i}" not in kept}
    assert [run["status"] for run in listed(pytester)] == ["complete", "interrupted"]


def test_a_session_that_is_killed_again_and_again_comes_to_its_end(
    server, ask, begin, evals, stored
):
    """Each session goes on where the last one was killed."""
    cases, kills = 30, 4
    server.script({"*": [{"delay_s": 0.03, "forever": True}]})
    name = ask(cases)
    for number in range(1, kills + 1):
        session = begin(f"--evals-concurrency={WINDOW}", name)
        server.wait_for(lambda seen, n=number: sum(seen["answered"].values()) >= 5 * n)
        session.end(signal.SIGKILL)
    evals(name).assert_outcomes(passed=cases)
    assert answers(stored) == {f"c{i}" for i in range(cases)}
    assert cases <= server.total() <= cases + kills * WINDOW


def test_ctrl_c_tells_what_is_missing_and_keeps_what_was_answered(server, ask, begin, stored):
    """Pytest's own status 2; the answers that came before are all in the store."""
    server.script({"*": [{"delay_s": 0.05, "forever": True}]})
    session = begin(f"--evals-concurrency={WINDOW}", ask(40))
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= 8)
    assert session.end(signal.SIGINT) == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in session.output
    assert "run saved: pytest-evals show" in session.output
    answered = set(server.seen()["answered"])
    kept = {case.replace("c", "q") for case in answers(stored)}
    assert kept <= answered
    assert len(answered - kept) <= WINDOW
    assert stored("select status from runs") == [("interrupted",)]


def test_sigterm_is_heard_like_ctrl_c(server, ask, begin, stored):
    """What ends a CI job leaves a sealed run and a summary behind."""
    server.script({"*": [{"delay_s": 0.05, "forever": True}]})
    session = begin(f"--evals-concurrency={WINDOW}", ask(40))
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= 8)
    assert session.end(signal.SIGTERM) == pytest.ExitCode.INTERRUPTED
    assert "SIGTERM" in session.output
    assert "run saved: pytest-evals show" in session.output
    assert stored("select sealed, status from runs") == [(1, "interrupted")]


def test_last_failed_asks_only_what_erred(server, ask, evals):
    """After errors, ``--lf`` asks those questions and no other."""
    server.script({q: [{"status": 400}] for q in ("q1", "q4")})
    name = ask(6)
    evals(name).assert_outcomes(passed=4, errors=2)
    server.forget()
    server.script({})
    evals("--lf", name).assert_outcomes(passed=2)
    assert server.asked() == {"q1": 1, "q4": 1}


@pytest.mark.slow
def test_a_killed_controller_leaves_nothing_running_and_nothing_lost(
    server, ask, begin, evals, stored
):
    """Workers end with their controller; the next session asks only what is missing."""
    cases = 40
    server.script({"*": [{"delay_s": 0.1, "forever": True}]})
    name = ask(cases)
    session = begin("-n", "2", f"--evals-concurrency={WINDOW}", name)
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= 10)
    session.end(signal.SIGKILL)
    server.wait_for(lambda seen: seen["active"] == 0)
    kept = answers(stored)
    before = server.total()
    server.forget()
    evals(name).assert_outcomes(passed=cases)
    assert server.asked() == {f"q{i}": 1 for i in range(cases) if f"c{i}" not in kept}
    assert before + server.total() <= cases + WINDOW


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_its_own_unfinished_trials(
    python_target, evals_process, stored, pytester
):
    """The trial it ran is reported; the others run once each on its replacement."""
    source = """
        import os, signal, time
        from pathlib import Path

        def answer(text):
            mark = Path("died")
            with open("asked.txt", "a") as file:
                file.write(text + "\\n")
            time.sleep(0.05)
            if text == "q7" and not mark.exists():
                mark.touch()
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGKILL)
            return text
        """
    name = python_target(source, 24)
    result = evals_process("-n", "2", f"--evals-concurrency={WINDOW}", name)
    crashed = result.parseoutcomes().get("failed", 0)
    assert crashed == 1
    assert result.parseoutcomes()["passed"] == 23
    trials = [case for (case,) in stored("select case_id from trials")]
    assert len(trials) == len(set(trials)) == 23
    asked = pytester.path.joinpath("asked.txt").read_text().split()
    assert len(asked) <= 24 + WINDOW
    assert stored("select status from runs") == [("interrupted",)]


@pytest.mark.slow
def test_a_killed_worker_is_replaced(server, ask, begin, stored):
    """Killed from outside, at any moment: every other trial is recorded once."""
    cases = 40
    server.script({"*": [{"delay_s": 0.1, "forever": True}]})
    session = begin("-n", "2", f"--evals-concurrency={WINDOW}", ask(cases))
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= random.randint(4, 16))
    children = subprocess.run(
        ["pgrep", "-P", str(session.process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(random.choice(children.stdout.split())), signal.SIGKILL)
    assert session.wait() == pytest.ExitCode.TESTS_FAILED
    trials = [case for (case,) in stored("select case_id from trials")]
    assert len(trials) == len(set(trials))
    assert cases - 1 <= len(trials)
    assert server.total() <= cases + WINDOW


def test_two_sessions_at_once_share_one_store(server, ask, begin, stored):
    """Both end well, both runs are whole, and no answer is lost."""
    server.script({"*": [{"delay_s": 0.02, "forever": True}]})
    sessions = [begin(ask(25)), begin("--evals-responses=refresh", ask(25))]
    assert [session.wait() for session in sessions] == [0, 0], sessions[0].output
    assert [n for (n,) in stored("select count(*) from trials group by run")] == [25, 25]
    assert answers(stored) == {f"c{i}" for i in range(25)}
    assert [status for (status,) in stored("select status from runs")] == ["complete"] * 2


def test_a_run_of_user_code_that_was_interrupted_is_finished_for_what_is_missing(
    python_target, begin, evals, pytester
):
    """Only then, and only of the same commit, are answers of user code used again."""
    git(pytester, "init", "-q")
    source = """
        import time

        def answer(text):
            with open("asked.txt", "a") as file:
                file.write(text + "\\n")
            time.sleep(0.05)
            return text
        """
    name = python_target(source, 30)
    git(pytester, "add", "app.py", name)
    git(pytester, "commit", "-qm", "begin")
    session = begin(f"--evals-concurrency={WINDOW}", name)
    path = pytester.path / "asked.txt"
    while not path.exists() or len(path.read_text().split()) < 12:
        assert session.process.poll() is None, session.output
    session.end(signal.SIGINT)
    first = path.read_text().split()
    path.unlink()
    evals(name).assert_outcomes(passed=30)
    second = path.read_text().split()
    assert len(first) + len(second) <= 30 + WINDOW
    path.unlink()
    evals(name).assert_outcomes(passed=30)
    assert len(path.read_text().split()) == 30


def test_an_interrupted_run_of_other_code_is_not_gone_on_with(python_target, evals, pytester):
    """A changed file is another application."""
    git(pytester, "init", "-q")
    source = """
        def answer(text):
            with open("asked.txt", "a") as file:
                file.write(text + "\\n")
            return "{}"
        """
    name = python_target(source.format("one"), 3, scorers=[{"contains": "two"}])
    git(pytester, "add", "app.py", name)
    git(pytester, "commit", "-qm", "begin")
    evals("-x", "--evals-concurrency=1", name).assert_outcomes(failed=1)
    python_target(source.format("two, indeed"), 3, scorers=[{"contains": "two"}])
    evals(name).assert_outcomes(passed=3)


def git(pytester, *words: str) -> None:
    """Run git in the test's folder."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *who, *words], cwd=pytester.path, check=True, capture_output=True)


LOST = """
import os, signal, time

def lose():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    except KeyboardInterrupt:
        pass
"""


def test_a_lost_interrupt_is_raised_again(python_target, evals_process, write):
    """Compiled code can swallow Ctrl-C: the trial at hand is kept, and the session ends."""
    name = python_target("def answer(text): return text", 5)
    write("lost.py", LOST)
    write(
        "conftest.py",
        """
        from lost import lose

        def pytest_runtest_setup(item):
            if item.name.startswith("c1"):
                lose()
        """,
    )
    result = evals_process(name)
    assert pytest.ExitCode.INTERRUPTED == result.ret
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])


def test_a_test_that_deals_with_its_own_interrupt(python_target, evals_process, write):
    """A test of signals, beside evals, ends nothing."""
    name = python_target("def answer(text): return text", 3)
    write("lost.py", LOST)
    write("test_own.py", "from lost import lose\n\ndef test_own():\n    lose()\n")
    result = evals_process("test_own.py", name)
    result.assert_outcomes(passed=4)
    assert pytest.ExitCode.OK == result.ret
