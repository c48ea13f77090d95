"""The command provider: real programs, real pipes, and nothing left running."""

import asyncio
import sys
import threading
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep

import pytest
from pydantic import ValidationError

from pytest_evals.exchange import Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message


@pytest.fixture
def program(bench):
    """Write a Python program into the rootdir; return the command that runs it."""

    def write(source):
        (bench.rootdir / "agent.py").write_text(dedent(source))
        return [sys.executable, "agent.py"]

    return write


def test_text(bench, program):
    """What a program writes is the answer, without the last line's end."""
    answer = bench.ask("command", command=program("print('30 days\\nor more ü')"))
    assert answer.text == "30 days\nor more ü"
    assert 0 < answer.latency_s < 20


def test_what_it_reads(bench, program, question):
    """It reads one JSON object with everything that is known of the question."""
    command = program(
        "import json, sys; json.dump({'data': json.load(sys.stdin), 'text': ''}, sys.stdout)"
    )
    request = question(
        "hi",
        messages=(Message(role="user", content="hi"),),
        params={"t": 0},
        variables={"lang": "en"},
        case_id="refund",
        sample=1,
        turn=1,
        turns=2,
    )
    assert bench.ask("command", request, command=command, id="tool").data == {
        "input": "hi",
        "messages": [{"role": "user", "content": "hi"}],
        "params": {"t": 0},
        "variables": {"lang": "en"},
        "tools": [],
        "case_id": "refund",
        "model": "tool",
        "sample": 1,
        "turn": 1,
        "turns": 2,
    }


def test_json(bench, program):
    """A JSON object says more than the text."""
    source = """
        import json
        print(json.dumps({"answer": "x", "usage": {"input_tokens": 4}, "tool_calls": ["look"]}))
    """
    answer = bench.ask("command", command=program(source))
    assert (answer.text, answer.usage) == ("x", Usage(input_tokens=4))
    assert answer.tool_calls[0].name == "look"


@pytest.mark.parametrize(
    ("written", "output", "text", "data"),
    [
        ('{"a": 1}', "auto", '{"a": 1}', {"a": 1}),
        ("[1]", "auto", "[1]", None),
        ("42", "auto", "42", None),
        ('"x"', "auto", '"x"', None),
        ("", "auto", "", None),
        ('{"text": "y"}', "text", '{"text": "y"}', None),
        ("[1]", "json", "[1]", [1]),
        ('"x"', "json", "x", None),
    ],
)
def test_output(bench, program, written, output, text, data):
    """Only an object is read as JSON by itself; `output` decides otherwise."""
    command = program(f"print({written!r})")
    answer = bench.ask("command", command=command, output=output)
    assert (answer.text, answer.data) == (text, data)


def test_output_that_must_be_json(bench, program):
    """With `output: json` anything else is an error that shows it."""
    error = bench.refusal("command", command=program("print('oops')"), output="json")
    assert "what is not JSON" in str(error)
    assert "oops" in str(error)


def test_stderr_is_kept(bench, program):
    """What it writes to stderr is shown with the trial and is no part of the answer."""
    answer = bench.ask(
        "command", command=program("import sys; print('x'); print('log', file=sys.stderr)")
    )
    assert (answer.text, answer.output) == ("x", "log\n")


def test_status(bench, program):
    """A status other than 0 is an error with the end of stderr."""
    command = program("import sys; print('half'); sys.exit('it broke')")
    error = bench.refusal("command", command=command)
    assert (error.type, error.transient) == ("target", False)
    assert str(error).endswith("ended with status 1: it broke")
    assert error.detail == "it broke\n"


def test_signal(bench, program):
    """A program that was killed is said to have been."""
    command = program("import os; os.kill(os.getpid(), 9)")
    assert "was ended by SIGKILL" in str(bench.refusal("command", command=command))


def test_a_program_that_does_not_read(bench, question):
    """A program that ends without reading a long question is no error of ours."""
    answer = bench.ask("command", question("x" * 2_000_000), command=["echo", "done"])
    assert answer.text == "done"


def test_too_much_output(bench, program, monkeypatch):
    """A program that writes without end is killed, and that is said."""
    monkeypatch.setattr("pytest_evals.providers.command.MAX_OUTPUT_BYTES", 1024 * 1024)
    command = program("while True: print('x' * 100_000)")
    began = monotonic()
    error = bench.refusal("command", command=command)
    assert "wrote more than 1 MB and was killed" in str(error)
    assert monotonic() - began < 20


def alive(pid):
    """Whether a process is there and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("how", ["times out", "ends first"])
def test_nothing_is_left_running(bench, program, question, how):
    """What a program started ends with it, when its time is up and when it ends itself."""
    pids = bench.rootdir / "pids"
    command = program(
        f"""
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open("pids.tmp", "w").write(f"{{os.getpid()}} {{child.pid}}")
        os.rename("pids.tmp", "pids")
        print("started", flush=True)
        time.sleep({60 if how == "times out" else 0})
        """
    )
    began = monotonic()
    if how == "ends first":
        assert bench.ask("command", command=command).text == "started"
    else:

        async def main():
            task = asyncio.ensure_future(
                bench.provider("command", command=command).complete(question("x"))
            )
            while not pids.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
    assert monotonic() - began < 20
    for pid in pids.read_text().split():
        for _ in range(100):
            if not alive(int(pid)):
                break
            sleep(0.02)
        assert not alive(int(pid))


def test_on_a_background_loop(bench, program, question):
    """Programs run from an event loop on another thread than the main one, many at once."""
    command = program("import sys, json; print(json.load(sys.stdin)['input'])")
    texts = []

    def serve():
        async def main():
            asked = bench.provider("command", command=command)
            answers = await asyncio.gather(*(asked.complete(question(f"q{i}")) for i in range(8)))
            texts.extend(answer.text for answer in answers)

        asyncio.run(main())

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert texts == [f"q{i}" for i in range(8)]


def test_environment_and_folder(bench, program):
    """It runs in its folder with the session's environment and its own additions."""
    (bench.rootdir / "sub").mkdir()
    bench.environ |= {"SEEN": "yes", "TOKEN": "t0k"}
    source = "import os; print(os.environ['SEEN'], os.environ['A'], os.environ['B'], os.getcwd())"
    command = [sys.executable, "-c", source]
    answer = bench.ask("command", command=command, cwd="sub", env={"A": "a", "B": {"env": "TOKEN"}})
    assert answer.text == f"yes a t0k {(bench.rootdir / 'sub').resolve()}"
    asked = bench.provider("command", command=command, env={"B": {"env": "TOKEN"}})
    assert asked.required_env(asked._model) == ("TOKEN",)


def prepare(bench, **options):
    """Prepare, and return the words of the error it must end with."""
    with pytest.raises(AnswerError) as caught:
        bench.provider("command", **options).prepare()
    assert caught.value.type == "target"
    return str(caught.value)


def test_a_program_that_is_not_there(bench):
    """The error says what was searched, before the first call."""
    (bench.rootdir / "agent").write_text("#!/bin/sh\necho hi\n")
    assert "no program 'no-such-program' on PATH" in prepare(bench, command=["no-such-program"])
    assert "/usr/bin:/bin" in prepare(bench, command=["no-such-program"])
    assert "(write ./agent)" in prepare(bench, command=["agent"])
    assert "there is no program" in prepare(bench, command=["./other"])
    assert "is not executable (chmod +x)" in prepare(bench, command=["./agent"])
    assert "there is no folder" in prepare(bench, command=["echo"], cwd="nowhere")
    (bench.rootdir / "agent").chmod(0o755)
    bench.provider("command", command="./agent --json").prepare()
    assert bench.ask("command", command="./agent --json").text == "hi"


def test_a_program_that_cannot_be_started(bench):
    """A file that the system cannot run is an error, not a crash."""
    (bench.rootdir / "agent").write_bytes(b"\x7fELF nonsense")
    (bench.rootdir / "agent").chmod(0o755)
    error = bench.refusal("command", command=["./agent"])
    assert error.type == "target"
    assert "cannot be started" in str(error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "command"),
        ({"command": []}, "at least 1"),
        ({"command": "echo 'open"}, "cannot be split"),
        ({"command": ["a"], "output": "xml"}, "'auto'"),
    ],
)
def test_options_that_are_wrong(bench, options, said):
    """Wrong options are validation errors."""
    with pytest.raises(ValidationError, match=said):
        bench.provider("command", **options)


def test_identity(bench, question):
    """What makes the Key is the command and all that it reads: also the case's id."""
    asked = bench.provider("command", command="agent --json")
    one = asked.identity(question("q", case_id="one"))
    assert one == asked.identity(question("q", case_id="one"))
    assert one != asked.identity(question("q", case_id="two"))
    assert one["command"] == ["agent", "--json"]
    assert one != asked.identity(question("r"))
