"""Stores that cannot be read or written: what was asked is told, and nothing pretends."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

NOTE = "*responses are not stored*"


@pytest.fixture
def evals_unprivileged(pytester):
    """Run pytest with ``--evals`` as somebody whom permissions bind, even where tests run as root.

    In a user namespace of its own, root is nobody special outside of it.
    """
    if sys.platform == "win32":
        pytest.skip("permissions here are POSIX")
    prefix = []
    if os.geteuid() == 0:
        prefix = [shutil.which("unshare") or "unshare", "--user", "--map-user=1000"]
        if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
            pytest.skip("root here, and no user namespaces: nothing is read-only")

    def run(*args: str) -> pytest.RunResult:
        command = [
            *prefix,
            sys.executable,
            "-m",
            "pytest",
            "--evals",
            "-p",
            "no:randomly",
            "-p",
            "no:hypothesispytest",
        ]
        return pytester.run(*command, "-p", "no:cacheprovider", *args)

    return run


@pytest.mark.parametrize(
    "damage",
    [b"no database at all", b"SQLite format 3\x00" + b"\x00" * 100, b"\x00" * 4096],
    ids=["text", "header", "zeros"],
)
def test_a_corrupt_store_costs_no_answer(damage, server, ask, evals, pytester):
    """The session runs, says so, and leaves the file alone."""
    folder = pytester.path / ".evals"
    folder.mkdir()
    (folder / "evals.sqlite").write_bytes(damage)
    result = evals(ask(4))
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random([NOTE, "*this run is not saved*"])
    assert (folder / "evals.sqlite").read_bytes() == damage


def test_a_corrupt_store_cannot_be_replayed(server, ask, evals, pytester):
    """A usage error, with what is wrong."""
    folder = pytester.path / ".evals"
    folder.mkdir()
    (folder / "evals.sqlite").write_bytes(b"no database at all")
    result = evals("--evals-responses=replay", ask(2))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*evals.sqlite*"])
    assert server.total() == 0


def test_a_store_whose_place_is_taken_by_a_folder(server, ask, evals, pytester):
    """Told like any other fault."""
    (pytester.path / ".evals/evals.sqlite").mkdir(parents=True)
    result = evals(ask(2))
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([NOTE])


def test_what_a_read_only_store_has_is_used(evals_unprivileged, server, ask, evals, pytester):
    """Answers are read, new ones are not kept, and that is said."""
    name = ask(3)
    evals(name).assert_outcomes(passed=3)
    folder = pytester.path / ".evals"
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    server.forget()
    try:
        result = evals_unprivileged(ask(5))
        replayed = evals_unprivileged("--evals-responses=replay", name)
    finally:
        folder.chmod(0o755)
    result.assert_outcomes(passed=5)
    assert server.asked() == {"q3": 1, "q4": 1}
    result.stdout.fnmatch_lines([NOTE])
    replayed.assert_outcomes(passed=3, errors=2)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_full_disk_keeps_what_was_stored_and_says_so(server, ask, evals, pytester, stored):
    """Every trial has its verdict; the next session asks only what could not be kept."""
    server.script({"*": [{"text": "said " + "x" * 8000, "forever": True}]})
    name = ask(60)
    pytester.makeconftest(
        """
        import resource

        def pytest_runtestloop(session):
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        """
    )
    full = pytester.runpytest_subprocess(
        "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", name
    )
    full.assert_outcomes(passed=60)
    full.stdout.fnmatch_lines([NOTE])
    pytester.path.joinpath("conftest.py").unlink()
    kept = {case for (case,) in stored("select case_id from responses")}
    assert 0 < len(kept) < 60
    server.forget()
    evals(name).assert_outcomes(passed=60)
    assert server.asked() == {f"q{i}": 1 for i in range(60) if f"c{i}" not in kept}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000


def test_x_spends_only_the_window(server, ask, evals, pytester):
    """Calls begun before the first failure was seen: the window, which is a setting."""
    pytester.makeini("[pytest]\nevals_window = 6\n")
    server.script({"*": [{"text": "no", "delay_s": 0.02, "forever": True}]})
    evals("-x", "--evals-concurrency=3", ask(100)).assert_outcomes(failed=1)
    assert server.total() <= 1 + 6


def test_items_that_another_plugin_skips_do_not_use_up_the_window(server, ask, evals, pytester):
    """The window goes on with the host, whatever it leaves out."""
    pytester.makeini("[pytest]\nevals_window = 4\n")
    server.script({"*": [{"delay_s": 0.3, "forever": True}]})
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            number = int(item.trial.case.id[1:])
            if number < 18 and number % 3:
                pytest.skip("not today")
        """
    )
    evals("--evals-concurrency=4", ask(28)).assert_outcomes(passed=16, skipped=12)
    assert server.seen()["peak"] >= 3


@pytest.mark.parametrize("option", ["--capture=fd", "--capture=sys", "-s"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_a_target_prints_stands_in_its_own_trial(option, kind, python_target, evals, records):
    """However pytest captures, and whichever item is running meanwhile."""
    pause = "await asyncio.sleep(0.002)" if kind.startswith("async") else "time.sleep(0.002)"
    source = f"""
        import asyncio, sys, time

        {kind} answer(text):
            for i in range(20):
                print(f"{{text}}-{{i}}")
                {pause}
            print("to stderr", file=sys.stderr)
            return text
        """
    result = evals(option, "--evals-concurrency=10", python_target(source, 40))
    result.assert_outcomes(passed=40)
    told = {case: record["output"] for case, record in records().items()}
    lines = "".join("{q}-" + f"{i}\n" for i in range(20))
    assert told == {f"c{i}": lines.replace("{q}", f"q{i}") + "to stderr\n" for i in range(40)}
    assert "q3-1\n" not in result.stdout.str()
