"""Targets in processes: `processes: N` of the python provider, with real processes."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep

import pytest
from pydantic import ValidationError

from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.user_process import Job, ProcessError, ProcessPool
from tests.providers.conftest import question_of

pytestmark = pytest.mark.heavy


@pytest.fixture
def ask(bench, monkeypatch):
    """Return what asks a target of the module `mill`, in two processes; all end with the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def ask(source, *questions, most=2, target="mill:answer", timeout=None):
        (bench.rootdir / "mill.py").write_text(dedent(source))

        async def run():
            provider = bench.provider("python", target=target, processes=most)
            try:
                calls = [provider.complete(question_of(text)) for text in questions]
                waited = [asyncio.wait_for(call, timeout) for call in calls]
                return await asyncio.gather(*waited, return_exceptions=True)
            finally:
                await provider.aclose()

        return asyncio.run(run())

    yield ask
    sys.modules.pop("mill", None)


def alive(pid):
    """Whether a process runs; one that has ended but is not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_calls_run_in_other_processes(ask):
    """Never more of them than asked for, each with a memory of its own, and they end."""
    source = """
    import os, time
    calls = []
    def answer(text):
        calls.append(text)
        time.sleep(0.1)
        return {"text": text.upper(), "metadata": {"pid": os.getpid(), "calls": len(calls)}}
    """
    answers = ask(source, *"abcdef")
    assert [answer.text for answer in answers] == list("ABCDEF")
    pids = {answer.metadata["pid"] for answer in answers}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert sum(1 for answer in answers if answer.metadata["calls"] == 1) == 2
    assert not any(map(alive, pids))


def test_all_kinds_of_targets(ask):
    """A coroutine function, one with a context, one that returns a Response."""
    source = """
    import asyncio
    from pytest_evals.exchange import Response
    async def later(text, context):
        await asyncio.sleep(0)
        return f"{text} {context.model.id} {context.messages[0]['content']}"
    def whole(text):
        return Response(text=text, finish_reason="stop", latency_s=9.0)
    """
    (later,) = ask(source, "hi", target="mill:later")
    assert later.text == "hi m hi"
    (whole,) = ask(source, "hi", target="mill:whole")
    assert (whole.finish_reason, whole.latency_s) == ("stop", 9.0)


def test_an_exception_is_told_with_its_own_frames(ask):
    """As where it runs in this process."""
    (error,) = ask("def answer(text):\n    return {}[text]\n", "hi")
    assert isinstance(error, AnswerError)
    assert (error.type, error.message) == ("target", "target 'mill:answer' raised KeyError: 'hi'")
    assert "return {}[text]" in error.detail
    assert "pytest_evals" not in error.detail


def test_an_error_of_the_application_stays_what_it_is(ask):
    """An `AnswerError` crosses whole."""
    source = """
    from pytest_evals.ground.errors import AnswerError
    def answer(text):
        raise AnswerError("rate_limit", "slow down", status=429, retry_after_s=7.0)
    """
    (error,) = ask(source, "hi")
    assert (error.type, error.status, error.retry_after_s) == ("rate_limit", 429, 7.0)
    assert error.transient


def test_a_call_that_hangs_is_killed(ask, tmp_path):
    """With what it has started, and the next call has a fresh process."""
    source = f"""
    import os, subprocess, sys, time
    def answer(text):
        if text == "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
            while True:
                pass
        return text
    """
    began = monotonic()
    hung, fine = ask(source, "hang", "fine", most=2, timeout=3)
    assert isinstance(hung, TimeoutError)
    assert fine.text == "fine"
    assert monotonic() - began < 60
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until = monotonic() + 10
    while any(map(alive, pids)) and monotonic() < until:
        sleep(0.05)
    assert not any(map(alive, pids))


def test_a_process_that_dies_is_an_error(ask):
    """It says how, with the last it said; others go on."""
    source = """
    import os, signal
    def answer(text):
        if text == "kill":
            os.write(2, b"out of luck")
            os.kill(os.getpid(), signal.SIGKILL)
        if text == "leave":
            os._exit(3)
        return text
    """
    killed, left, fine = ask(source, "kill", "leave", "fine", most=1)
    assert "its process ended by SIGKILL" in killed.message
    assert "out of luck" in killed.detail
    assert "its process ended with exit status 3" in left.message
    assert fine.text == "fine"


def test_what_it_prints_does_not_disturb(ask, capsys):
    """Print, writes of C code and of programs, and reads of the input."""
    source = """
    import os, sys
    def answer(text):
        print("printed", text)
        print("to the error stream", file=sys.stderr)
        os.write(1, b"by C")
        os.system("echo by a program")
        return repr(sys.stdin.read())
    """
    (answer,) = ask(source, "hi")
    assert answer.text == "''"
    assert "printed hi\nto the error stream\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("lambda: 1", "its result cannot be sent back"),
        ("None", "returned None"),
        ("object()", "cannot be sent back|no answer"),
    ],
)
def test_an_answer_that_cannot_cross(ask, value, said):
    """Is an error that says so."""
    (error,) = ask(f"def answer(text):\n    return {value}\n", "hi")
    assert isinstance(error, AnswerError)
    assert any(part in error.message for part in said.split("|"))


def test_it_is_refused_where_calls_are_recorded(bench):
    """They are recorded in the session's process."""
    with pytest.raises(ValidationError, match="exclude each other"):
        bench.provider("python", target="mill:answer", processes=2, record_http=True)


def test_a_job_that_was_stopped_does_not_begin():
    """Nor does one of a closed pool; what cannot be sent is told."""
    pool = ProcessPool(1)
    try:
        job = Job(os.getpid, ())
        job.stop()
        with pytest.raises(ProcessError, match="stopped before it began"):
            pool.call(job)
        with pytest.raises(ProcessError, match="cannot be sent"):
            pool.call(Job(os.getpid, (lambda: 1,)))
        pid, printed = pool.call(Job(os.getpid, ()))
        assert (pid != os.getpid(), printed) == (True, "")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ProcessError, match="its process ended"):
            pool.call(Job(os.getpid, ()))
        assert pool.call(Job(abs, (-3,))) == (3, "")
    finally:
        pool.close()
    with pytest.raises(ProcessError, match="closed"):
        pool.call(Job(os.getpid, ()))
