"""The live line on a real terminal: it shows how far it is, and leaves nothing behind."""

import os
import re
import subprocess
import sys

import pytest

COLUMNS, LINES = 110, 60

SLOW = """
    import time

    def answer(text):
        time.sleep(0.25)
        print(f"printed for {text}")
        return text
    """


@pytest.fixture
def terminal(pytester):
    """Run a session on a pseudo terminal; return the screens that came, the last one at the end."""
    pyte = pytest.importorskip("pyte")
    if sys.platform == "win32":
        pytest.skip("pseudo terminals here are POSIX")

    def terminal(*args: str) -> list[list[str]]:
        import pty

        screen = pyte.Screen(COLUMNS, LINES)
        stream = pyte.ByteStream(screen)
        master, slave = pty.openpty()
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
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
        process = subprocess.Popen(
            command, cwd=pytester.path, stdin=slave, stdout=slave, stderr=slave, env=environ
        )
        os.close(slave)
        screens = []
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # how Linux tells the end
                break
            if not data:
                break
            stream.feed(data)
            screens.append([line.rstrip() for line in screen.display])
        os.close(master)
        process.wait(60)
        return screens

    return terminal


def settled(screen: list[str]) -> list[str]:
    """Take out of a screen what differs each time: times, ids and places."""
    text = "\n".join(screen)
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\d+(\.\d+)? ?m?s\b", "TIME", text)
    text = re.sub(r" +", " ", re.sub(r"=+|-{4,}", "=", text))
    text = re.sub(r"(gw\d|\[gw\d\] )", "", text)
    return re.sub(r"^plugins: .*$", "", text, flags=re.MULTILINE).split("\n")


@pytest.mark.parametrize(
    "options",
    [["-v"], ["-s"], *(pytest.param(o, marks=pytest.mark.slow) for o in ([], ["-v", "-s"]))],
    ids=" ".join,
)
def test_the_last_screen_is_the_one_without_it(options, python_target, terminal):
    """While it runs one sees how far; afterwards there is no trace of that."""
    name = python_target(SLOW, 8, scorers=[{"not": {"contains": "q5"}}])
    common = ("--evals-concurrency=2", *options, name)
    plain = terminal("-p", "no:evals-progress", *common)
    live = terminal(*common)
    shown = [line for screen in live for line in screen if " in flight" in line]
    assert any(re.search(r"\d/8, [12] in flight", line) for line in shown)
    assert any("1 failed" in line for line in shown)
    assert not any(" in flight" in line for screen in plain for line in screen)
    assert settled(plain[-1]) == settled(live[-1])


@pytest.mark.slow
def test_with_workers_the_controller_draws(python_target, terminal):
    """Done, failed and the rest, and no trace of it at the end."""
    pytest.importorskip("xdist")
    name = python_target(SLOW, 12)
    live = terminal("-n", "2", "--evals-concurrency=2", name)
    shown = {found[0] for s in live for line in s for found in re.finditer(r"\d+/12\b", line)}
    assert len(shown) >= 3
    assert not any(re.search(r"\d+/12,", line) for line in live[-1])
    assert any("12 passed" in line for line in live[-1])


def test_quiet_has_no_line(python_target, terminal):
    """With ``-q`` pytest's dots are all there is."""
    live = terminal("-q", "--evals-concurrency=2", python_target(SLOW, 4))
    assert not any("in flight" in line for screen in live for line in screen)


def test_a_log_has_a_plain_line_now_and_then(python_target, evals_process, pytester):
    """Whole lines, no control sequences, at intervals."""
    pytester.makeconftest(
        """
        def pytest_sessionstart(session):
            session.config.pluginmanager.getplugin("evals-progress")._every_s = 0.3
        """
    )
    name = python_target(SLOW, 8)
    result = evals_process("--evals-concurrency=2", name)
    result.assert_outcomes(passed=8)
    lines = [line for line in result.outlines if " in flight" in line]
    assert 1 <= len(lines) <= 8
    assert all(re.fullmatch(r"evals: \d/8, \d in flight.*", line) for line in lines)
    assert "\x1b" not in result.stdout.str()
