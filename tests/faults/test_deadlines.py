"""Deadlines of an attempt, a trial and a session, in every provider."""

import json
import os
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

LATE_S = 25.0
"""Seconds after which something that should have been ended took part in the ending; hangs last
far longer."""


@pytest.fixture
def times(pytester):
    """Set the deadlines in the ini file."""

    def times(**given) -> None:
        lines = "\n".join(f"evals_{name} = {value}" for name, value in given.items())
        pytester.makeini(f"[pytest]\n{lines}\n")

    return times


def quick(run):
    """Run, and see that it ended well before a hang would have."""
    began = monotonic()
    result = run()
    assert monotonic() - began < LATE_S
    return result


def test_a_server_that_hangs_is_a_timeout_and_is_asked_again(server, ask, evals, times, records):
    """The second attempt brings the answer."""
    times(attempt_timeout="0.5s")
    server.script({"q0": [{"hang": True}]})
    quick(lambda: evals(ask())).assert_outcomes(passed=1)
    assert server.asked() == {"q0": 2}
    assert [a["type"] for a in records()["c0"]["exchanges"][0]["attempts"]] == ["timeout"]


def test_a_server_that_drips_is_a_timeout(server, ask, evals, times, records):
    """A byte now and then does not keep an attempt alive."""
    times(attempt_timeout="0.5s", max_retries=0)
    server.script({"q0": [{"drip_s": 0.05}]})
    quick(lambda: evals(ask())).assert_outcomes(errors=1)
    assert records()["c0"]["error"]["type"] == "timeout"


def test_a_trial_ends_at_its_own_deadline(server, ask, evals, times, records):
    """However many attempts are left."""
    times(attempt_timeout="0.4s", trial_timeout="1s", max_retries=50)
    server.script({"*": [{"hang": True, "forever": True}]})
    quick(lambda: evals(ask())).assert_outcomes(errors=1)
    record = records()["c0"]
    assert record["error"]["type"] == "deadline"
    assert 1 <= server.total() <= 4
    assert len(record["exchanges"][0]["attempts"]) == server.total()


def test_an_answer_and_its_judge_share_the_trials_time(server, ask, evals, times, records):
    """A judge that hangs is a score that could not be had, never a wrong answer."""
    times(trial_timeout="1s")
    judge = {"id": "j", "provider": "openai", "base_url": server.url, "model": "judge"}
    name = ask(
        judges={"good": {"model": judge, "rubric": "?"}}, scorers=[{"judge": {"use": "good"}}]
    )
    server.script({"q0": [], "*": [{"hang": True, "forever": True}]})
    quick(lambda: evals(name)).assert_outcomes(errors=1)
    (score,) = records()["c0"]["scores"]
    assert "value" not in score
    assert "the trial's 1 s (evals_trial_timeout)" in score["message"]


@pytest.mark.parametrize(
    ("limits", "options", "named"),
    [
        ({"attempt_timeout": "0.5s", "max_retries": 0}, (), "0.5 s (evals_attempt_timeout)"),
        ({}, ("--evals-timeout=1s",), "the session's time (--evals-timeout)"),
    ],
    ids=["attempt", "session"],
)
def test_a_judge_that_hangs_names_the_limit_that_ended_it(
    server, ask, evals, times, records, limits, options, named
):
    """So the reader knows which one to raise."""
    times(**limits)
    judge = {"id": "j", "provider": "openai", "base_url": server.url, "model": "judge"}
    name = ask(
        judges={"good": {"model": judge, "rubric": "?"}}, scorers=[{"judge": {"use": "good"}}]
    )
    server.script({"q0": [], "*": [{"hang": True, "forever": True}]})
    quick(lambda: evals(*options, name)).assert_outcomes(errors=1)
    (score,) = records()["c0"]["scores"]
    assert named in score["message"]


def test_a_model_that_always_hangs_is_given_up(server, ask, evals, times, records):
    """The breaker counts deadlines: the rest is not run."""
    times(attempt_timeout="0.2s", trial_timeout="0.2s", breaker=3)
    server.script({"*": [{"hang": True, "forever": True}]})
    result = quick(lambda: evals("--evals-concurrency=1", ask(40)))
    assert result.parseoutcomes()["errors"] == 3
    assert server.total() <= 6
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_session_ends_at_its_deadline(server, ask, evals, records):
    """What was not run by then is told as not run; the session fails."""
    server.script({f"q{i}": [{"hang": True, "forever": True}] for i in range(2, 40)})
    run = lambda: evals("--evals-timeout=2s", "--evals-concurrency=4", ask(40))  # noqa: E731
    result = quick(run)
    assert result.parseoutcomes()["passed"] == 2
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert server.total() <= 2 + 4 + 4
    told = {r["error"]["type"] for r in records().values() if r.get("error")}
    assert told <= {"timeout", "not_run"}
    result.stdout.fnmatch_lines(["*trials were not run*--evals-timeout*is up"])


def test_a_session_does_not_outlive_its_deadline_for_a_servers_wish(server, ask, evals):
    """Those who wait for a place while the server wants a minute are told at the deadline."""
    server.script({"*": [{"status": 429, "headers": [["Retry-After", "60"]], "forever": True}]})
    result = quick(lambda: evals("--evals-timeout=3s", "--evals-concurrency=2", ask(12)))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert server.total() <= 4


def test_a_sync_target_that_hangs_costs_only_its_own_trial(python_target, evals, times, records):
    """Its thread is left behind; the others are answered, and the process ends."""
    times(trial_timeout="2s", max_retries=0)
    source = """
        import time

        def answer(text):
            if text in ("q0", "q1", "q2"):
                time.sleep(3600)
            return text
        """
    name = python_target(source, 12)
    result = quick(lambda: evals("--evals-concurrency=3", name))
    result.assert_outcomes(passed=9, errors=3)
    assert {records()[c]["error"]["type"] for c in ("c0", "c1", "c2")} == {"timeout"}


def test_an_async_target_that_hangs_is_cancelled(python_target, evals, times, pytester):
    """Its finally blocks run."""
    times(trial_timeout="1s", max_retries=0)
    source = """
        import asyncio

        async def answer(text):
            try:
                await asyncio.sleep(3600 if text == "q0" else 0)
            except asyncio.CancelledError:
                open("cancelled", "w").close()
                raise
            return text
        """
    quick(lambda: evals(python_target(source, 3))).assert_outcomes(passed=2, errors=1)
    assert pytester.path.joinpath("cancelled").exists()


def test_an_async_target_that_blocks_its_loop_does_not_block_the_session(
    python_target, evals_process, times
):
    """The deadline fires, and later trials get another loop."""
    times(trial_timeout="2s", max_retries=0)
    source = """
        import time

        async def answer(text):
            if text == "q0":
                time.sleep(3600)
            return text
        """
    name = python_target(source, 5)
    result = quick(lambda: evals_process("--evals-concurrency=1", name))
    result.assert_outcomes(passed=4, errors=1)


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "raise KeyboardInterrupt"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_target_that_wants_to_end_the_process_ends_only_its_trial(
    source, kind, python_target, evals_process, records
):
    """As any exception of user code, it is an error of the trial."""
    text = f"""
        {kind} answer(text):
            if text == "q1":
                {source}
            return text
        """
    result = quick(lambda: evals_process(python_target(text, 4)))
    result.assert_outcomes(passed=3, errors=1)
    assert records()["c1"]["error"]["type"] == "target"


def test_a_target_that_cancels_itself_ends_only_its_trial(python_target, evals_process):
    """Nobody waits for ever for a trial whose task is gone."""
    source = """
        import asyncio

        async def answer(text):
            if text == "q1":
                raise asyncio.CancelledError
            return text
        """
    quick(lambda: evals_process(python_target(source, 4))).assert_outcomes(passed=3, errors=1)


def test_a_program_that_hangs_is_killed_with_its_children(write, evals, times, pytester):
    """Nothing of it is left running."""
    times(trial_timeout="2s", max_retries=0)
    write(
        "tool.py",
        """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        open("pids", "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(3600)
        """,
    )
    data = {
        "models": [{"id": "c", "provider": "command", "command": ["python", "tool.py"]}],
        "scorers": [{"contains": "x"}],
        "cases": [{"id": "c0", "input": "q0"}],
    }
    write("tool.evals.yaml", json.dumps(data))
    quick(lambda: evals("tool.evals.yaml")).assert_outcomes(errors=1)
    pids = [int(pid) for pid in pytester.path.joinpath("pids").read_text().split()]
    end = monotonic() + LATE_S
    while any(alive(pid) for pid in pids):
        assert monotonic() < end, pids
        sleep(0.05)


DAEMON = """
    import os, subprocess, sys, time
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def begin():
        child = subprocess.Popen(command, start_new_session=True, **quiet)
        with open("pids", "a") as file:
            file.write(f"{child.pid}\\n")
        child.returncode = 0  # no one waits for it
"""
"""What begins a session of its own, as `setsid` and daemons do."""


@pytest.mark.parametrize("then", ["pass", "time.sleep(3600)"], ids=["ends", "hangs"])
@pytest.mark.parametrize("kind", ["command", "scorer", "processes"])
def test_a_grandchild_with_a_session_of_its_own_ends_with_its_trial(
    write, evals, times, pytester, kind, then
):
    """Whether the program that started it has ended or is killed."""
    if not sys.platform.startswith("linux"):
        pytest.skip("found by the environment of processes, which Linux shows")
    times(trial_timeout="2s", max_retries=0)
    write("tool.py", f"{DAEMON}\n    begin()\n    {then}\n    print('true')\n")
    answers = f"\n    def answer(q):\n        begin()\n        {then}\n        return q\n"
    answers += "\n    def plain(q):\n        return q\n"
    write("app.py", DAEMON + answers)
    command = {"id": "c", "provider": "command", "command": ["python", "tool.py"]}
    python = {"id": "p", "provider": "python", "target": "app.py:answer"}
    models = {
        "command": command,
        "scorer": {**python, "target": "app.py:plain"},
        "processes": {**python, "processes": 1},
    }
    scorers = [{"command": {"run": ["python", "tool.py"]}}] if kind == "scorer" else []
    case = {"id": "c0", "input": "q0", "scorers": [*scorers, {"not": {"contains": "zzz"}}]}
    write("tool.evals.yaml", json.dumps({"models": [models[kind]], "cases": [case]}))
    outcome = "passed" if then == "pass" else "errors"
    quick(lambda: evals("tool.evals.yaml")).assert_outcomes(**{outcome: 1})
    pids = [int(pid) for pid in pytester.path.joinpath("pids").read_text().split()]
    assert pids
    end = monotonic() + LATE_S
    while any(alive(pid) for pid in pids):
        assert monotonic() < end, pids
        sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not waited for does not)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
    except OSError:
        os.kill(pid, 0)
        return True


def test_a_scorer_that_hangs_is_an_error_and_never_a_fail(ask, write, evals, times, records):
    """Within the trial's time."""
    times(trial_timeout="1s")
    write("own.py", "import time\n\n\ndef slow(answer):\n    time.sleep(3600)\n    return True\n")
    quick(lambda: evals(ask(2, scorers=[{"python": "own.py:slow"}]))).assert_outcomes(errors=2)
    assert "did not end within" in records()["c0"]["scores"][0]["message"]
