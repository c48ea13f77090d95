"""Stores that cannot be read or written: what was asked is told, and nothing pretends."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from pytest_evals.storage.sqlite import SqliteRunStore

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


def _newer(path):
    """Make a store of a later version."""
    SqliteRunStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma user_version = 999")


UNUSABLE = {
    "text": (lambda path: path.write_bytes(b"no database at all"), "*is not a SQLite database*"),
    "header": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(100)), "*evals.sqlite*"),
    "zeros": (lambda path: path.write_bytes(bytes(4096)), "*evals.sqlite*"),
    "folder": (lambda path: path.mkdir(), "*is a folder*"),
    "newer": (_newer, "*newer pytest-evals-matrix*"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_store_that_cannot_be_used_is_told_before_anything_is_called(
    kind, workers, server, ask, evals_process, pytester
):
    """Usage error, with what is wrong and what to do; the file is left alone."""
    path = pytester.path / ".evals/evals.sqlite"
    path.parent.mkdir()
    make, words = UNUSABLE[kind]
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    name = ask(4)
    result = evals_process(*workers, name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert server.total() == 0
    result.stderr.fnmatch_lines([words])
    result.stderr.fnmatch_lines(["*--evals-store=none*"])
    assert before is None or path.read_bytes() == before
    without = evals_process(*workers, "--evals-store=none", name)
    without.assert_outcomes(passed=4)
    assert "run saved" not in without.stdout.str()
    assert server.total() == 4
    assert before is None or path.read_bytes() == before


def test_a_corrupt_store_cannot_be_replayed(server, ask, evals, pytester):
    """A usage error, with what is wrong."""
    folder = pytester.path / ".evals"
    folder.mkdir()
    (folder / "evals.sqlite").write_bytes(b"no database at all")
    result = evals("--evals-responses=replay", ask(2))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*evals.sqlite*"])
    assert server.total() == 0


def test_what_a_read_only_store_has_is_used(evals_unprivileged, server, ask, evals, pytester):
    """A replay reads its answers, and says that it is not saved; other runs are refused."""
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
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert server.total() == 0
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


def _damage(path, *tables):
    """Overwrite the first page of tables in a store with a valid header."""
    with closing(sqlite3.connect(path)) as database:
        size = database.execute("pragma page_size").fetchone()[0]
        places = dict(database.execute("select name, rootpage from sqlite_master where rootpage"))
        database.execute("pragma wal_checkpoint(truncate)")
    with path.open("r+b") as file:
        for table in tables or places:
            file.seek((places[table] - 1) * size)
            file.write(b"\xff" * size)


@pytest.mark.parametrize("table", ["", "runs", "run_datasets", "trials", "scores", "responses"])
def test_damaged_pages_are_found_before_anything_is_called(table, server, ask, evals, pytester):
    """The header is valid; a row is tried in each table."""
    name = ask(3)
    evals(name).assert_outcomes(passed=3)
    server.forget()
    _damage(pytester.path / ".evals/evals.sqlite", *([table] if table else []))
    result = evals("--evals-responses=refresh", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert server.total() == 0
    result.stderr.fnmatch_lines(["*is damaged*--evals-store=none*"])


def test_the_check_leaves_nothing(tmp_path):
    """Neither rows nor numbers of rows."""
    store = SqliteRunStore(tmp_path / "s.sqlite")
    for _ in range(3):
        store.check()
    store.close()
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as database:
        for table in ("runs", "run_datasets", "trials", "scores", "responses"):
            assert database.execute(f"select count(*) from {table}").fetchone() == (0,)
        assert database.execute("select count(*) from sqlite_sequence").fetchone() == (0,)


BASELINE_FAULTS = {
    "file": (lambda path: path.parent.write_text("no folder"), "*baselines*it is a file*"),
    "folder": (lambda path: path.mkdir(parents=True), "*ask.jsonl*"),
    "text": (lambda path: _write(path, "no baseline at all\n"), "*ask.jsonl:1*"),
    "newer": (lambda path: _write(path, '{"schema": 99, "dataset": "ask"}\n'), "*ask.jsonl*"),
}


def _write(path, text):
    """Write a file and its folder."""
    path.parent.mkdir()
    path.write_text(text)


@pytest.mark.parametrize("kind", BASELINE_FAULTS)
@pytest.mark.parametrize("option", ["--evals-update-baseline", "gate"])
def test_a_baseline_that_cannot_be_used_is_told_before_anything_is_called(
    kind, option, server, ask, evals, pytester
):
    """Whether it is compared with or written."""
    make, words = BASELINE_FAULTS[kind]
    gates = {"gates": ["no regressions"]} if option == "gate" else {}
    name = ask(3, **gates)
    make(pytester.path / "baselines" / "ask.jsonl")
    result = evals(*([] if option == "gate" else [option]), name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    assert server.total() == 0
    result.stderr.fnmatch_lines([words])


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_a_cassette_to_replay_must_be_there(folder, server, ask, evals, pytester):
    """It is never answered from the store instead."""
    name = ask(3)
    evals(name).assert_outcomes(passed=3)
    server.forget()
    path = "tapes" if folder else "tapes/gone.jsonl"
    result = evals("--evals-responses=replay", f"--evals-cassette={path}", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*there is no cassette at *tapes*.jsonl*"])
    assert server.total() == 0
    evals(f"--evals-cassette={path}", name).assert_outcomes(passed=3)
    evals("--evals-responses=replay", f"--evals-cassette={path}", name).assert_outcomes(passed=3)


def test_a_command_makes_no_store(pytester):
    """Re-scoring needs answers, and a missing store has none."""
    command = [sys.executable, "-m", "pytest_evals.cli", "rescore", "latest"]
    result = pytester.run(*command)
    assert result.ret == 1
    result.stderr.fnmatch_lines(["*there is no store at *"])
    assert not (pytester.path / ".evals").exists()
