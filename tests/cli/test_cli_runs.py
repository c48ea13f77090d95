"""``pytest-evals runs``: the list of stored runs."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

FIRST = "20261121-051500-3f9a"
SECOND = "20261122-060000-77aa"


@pytest.fixture(autouse=True)
def _utc(store) -> None:
    """Show times as at Greenwich."""
    time.tzset()


def test_runs_are_listed_newest_first(command) -> None:
    """Id, time, dataset, status, counts, cost, duration and commit, in columns."""
    status, out, _ = command("runs")
    assert status == 0
    cells = [re.split(" {2,}", line) for line in out.splitlines()]
    assert cells == [
        [
            "run",
            "when",
            "dataset",
            "status",
            "passed",
            "failed",
            "errors",
            "cost",
            "took",
            "commit",
        ],
        [SECOND, "2026-11-22 05:23", "other", "interrupted", "0/0", "0", "0", "-", "-", "-"],
        [
            FIRST,
            "2026-11-21 05:15",
            "support",
            "complete",
            "1/3",
            "1",
            "1",
            "$0.0024",
            "1m 05s",
            "01234567+",
        ],
        ["2 runs"],
    ]
    assert len({line.rindex(" ") for line in out.splitlines()[:3]}) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "support"], ["20261121-051500-3f9a", "1 run"]),
        (["--status", "interrupted"], ["20261122-060000-77aa", "1 run"]),
        (["--limit", "1"], ["20261122-060000-77aa", "1 to 1 of 2 runs"]),
        (["--limit", "1", "--offset", "1"], ["20261121-051500-3f9a", "2 to 2 of 2 runs"]),
        (["--offset", "7"], ["none of 2 runs: --offset 7 skips all of them"]),
    ],
)
def test_filters(command, words, expected) -> None:
    """A part of the list says how much there is."""
    status, out, _ = command("runs", *words)
    lines = [line.split("  ")[0] for line in out.splitlines()[1:]]
    assert (status, lines) == (0, expected)


def test_json(command) -> None:
    """The same as JSON, with the total before paging."""
    status, out, _ = command("runs", "--json", "--limit", "1")
    told = json.loads(out)
    assert status == 0
    assert (told["total"], [run["status"] for run in told["runs"]]) == (2, ["interrupted"])


def test_nothing_found(command, store) -> None:
    """No run with these filters is told, with status 1."""
    status, out, err = command("runs", "--dataset", "none")
    assert (status, out) == (1, "")
    assert err == f"no runs in {store} with --dataset none\n"


@pytest.mark.parametrize("words", [["--limit", "-1"], ["--limit", "x"], ["--status", "done"]])
def test_usage(command, words) -> None:
    """A bad option is named."""
    status, _, err = command("runs", *words)
    assert status == 4
    assert words[0] in err


def test_the_nearest_store_above_is_meant(command, store, monkeypatch) -> None:
    """From a folder below, the store above is found; an option and the environment come first."""
    below = store.parent.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert command("runs")[0] == 0
    monkeypatch.setenv("PYTEST_EVALS_STORE", "none.sqlite")
    status, _, err = command("runs")
    assert (status, err.split(";")[0]) == (1, "there is no store at none.sqlite")
    assert command("runs", "--store", str(store))[0] == 0


def test_no_store(command, tmp_path, monkeypatch) -> None:
    """Without a store nothing is made, and the message says what makes one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / ".evals" / "evals.sqlite").rename(tmp_path / "moved.sqlite")
    status, _, err = command("runs")
    assert status == 1
    assert "`pytest --evals` makes one" in err
    assert not (elsewhere / ".evals").exists()


def test_an_ascii_terminal(store) -> None:
    """An output that knows only ASCII gets escapes, not a traceback."""
    code = "from pytest_evals.cli.output import say; say('caf\u00e9 \u6f22')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"caf\\xe9 \\u6f22\n"


def test_the_command_itself(store) -> None:
    """As a process: the list, and an error without a traceback."""
    command = [sys.executable, "-m", "pytest_evals.cli", "runs", "--limit", "1", "--store"]
    done = subprocess.run([*command, str(store)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 to 1 of 2 runs")
    done = subprocess.run([*command, "none"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no store at none; ")
