"""Paths of options: they never move pytest's rootdir, and begin in the current folder."""

import json
import sys
import textwrap

import pytest

from pytest_evals.config import OPTIONS, detached_values
from pytest_evals.config.locations import address_in, existing_in, path_in, report_in, store_in

DATASET = """
name: a
samples: 2
models: [{id: app, provider: command, command: [PYTHON, app.py], stored: true}]
scorers: [{contains: ok}]
gates: [pass@1 >= 0.5]
cases: [{id: a, input: q}]
"""
APP = """
from pathlib import Path
with Path(__file__).with_name("calls").open("a") as calls:
    calls.write("call\\n")
print("ok")
"""


@pytest.fixture
def project(pytester):
    """A project with a dataset whose calls are counted, beside a folder with another ini file."""
    home = pytester.path / "home"
    elsewhere = pytester.path / "else where"
    (home / "sub").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    text = DATASET.replace("PYTHON", json.dumps(sys.executable))
    (home / "a.evals.yaml").write_text(text, encoding="utf-8")
    return home, elsewhere


def calls(home):
    """Return the number of calls so far."""
    path = home / "calls"
    return len(path.read_text().splitlines()) if path.is_file() else 0


PATHS = {
    "html": "r x.html",
    "md": "r x.md",
    "json": "r x.json",
    "csv": "r.csv",
    "report": "r.txt",
    "cassette": "c x.jsonl",
    "store": "s x.sqlite",
}


@pytest.mark.parametrize(
    ("name", "ini", "form"),
    [
        *((name, True, "space") for name in PATHS),
        ("html", False, "space"),
        ("store", False, "space"),
        ("html", True, "equals"),
        ("html", False, "equals"),
    ],
)
@pytest.mark.heavy
def test_a_path_never_moves_the_rootdir(name, ini, form, project, pytester, monkeypatch):
    """The second run, for which the file exists, has the settings and the store of the first."""
    home, elsewhere = project
    (elsewhere / "pytest.ini").write_text("[pytest]\nevals_samples = 7\n")
    if ini:
        text = "[pytest]\naddopts = -rA -p no:cacheprovider\nevals_samples = 3\n"
        (home / "pytest.ini").write_text(text)
    monkeypatch.chdir(home)
    value = f"{'html=' if name == 'report' else ''}{elsewhere / PATHS[name]}"
    words = [f"--evals-{name}", value] if form == "space" else [f"--evals-{name}={value}"]
    for _ in range(2):
        result = pytester.runpytest_subprocess("--evals", *words)
        assert result.ret == 0
        assert f"rootdir: {home}" in result.outlines
        assert ("configfile: pytest.ini" in result.outlines) == ini
        assert any(line.startswith("PASSED a.evals.yaml") for line in result.outlines) == ini
        assert (elsewhere / PATHS[name]).exists()
        assert not (elsewhere / ".evals").exists()
    assert calls(home) == (3 if ini else 2)


def test_the_settings_of_the_right_ini_file_count(project, pytester, monkeypatch):
    """Its addopts, its pythonpath and its conftest files; those of the other folder do not."""
    home, elsewhere = project
    (home / "pytest.ini").write_text(
        "[pytest]\naddopts = -m 'not slow'\npythonpath = lib\nmarkers = slow: is slow\n"
    )
    (home / "lib").mkdir()
    (home / "lib" / "only_here.py").write_text("VALUE = 1\n")
    (home / "conftest.py").write_text("def pytest_report_header():\n    return 'home conftest'\n")
    (home / "test_it.py").write_text(
        "import pytest\nimport only_here\n\n@pytest.mark.slow\ndef test_slow(): assert False\n"
        "def test_quick(): assert only_here.VALUE\n"
    )
    (elsewhere / "pytest.ini").write_text("[pytest]\naddopts = -k nothing_at_all\n")
    (elsewhere / "r.html").write_text("there already")
    monkeypatch.chdir(home)
    result = pytester.runpytest_subprocess("--evals", "--evals-html", str(elsewhere / "r.html"))
    result.assert_outcomes(passed=4, deselected=1)
    assert "home conftest" in result.outlines


def test_workers_have_the_same_rootdir(project, pytester, monkeypatch):
    """With -n, the controller and its workers agree."""
    pytest.importorskip("xdist")
    home, elsewhere = project
    (elsewhere / "r.html").write_text("there already")
    monkeypatch.chdir(home)
    words = ("--evals", "-n2", "--evals-html", str(elsewhere / "r.html"))
    result = pytester.runpytest_subprocess(*words)
    result.assert_outcomes(passed=3)
    assert f"rootdir: {home}" in result.outlines


def test_a_chosen_rootdir_stays(project, pytester, monkeypatch):
    """``--rootdir`` and ``-c`` decide before any path."""
    home, elsewhere = project
    (elsewhere / "r.html").write_text("there already")
    (home / "sub" / "own.ini").write_text("[pytest]\nevals_samples = 1\n")
    monkeypatch.chdir(home)
    for words, rootdir in (
        ((f"--rootdir={pytester.path}",), pytester.path),
        (("-c", "sub/own.ini", f"--rootdir={home}"), home),
    ):
        result = pytester.runpytest_subprocess(
            "--evals", "--evals-html", str(elsewhere / "r.html"), *words
        )
        assert any(line.startswith(f"rootdir: {rootdir}") for line in result.outlines)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_paths_begin_in_the_current_folder(workers, project, pytester, monkeypatch):
    """Run from a sub-folder: what the command line names is there, as pytest's own paths are."""
    if workers:
        pytest.importorskip("xdist")
    home, _ = project
    (home / "pytest.ini").write_text("[pytest]\nevals_csv = from-ini.csv\n")
    sub = home / "sub"
    monkeypatch.chdir(sub)
    monkeypatch.setenv("PYTEST_EVALS_MD", "from-environment.md")
    result = pytester.runpytest_subprocess(
        *("--evals", "..", "--evals-html=r.html", "--evals-report=json=out/r.json"),
        *("--evals-store=s.sqlite", "--evals-cassette=c.jsonl", "--evals-shared=sqlite:t.sqlite"),
        *("--junitxml=j.xml", *workers),
    )
    assert result.ret == 0
    for name in ("r.html", "out/r.json", "s.sqlite", "c.jsonl", "t.sqlite", "j.xml"):
        assert (sub / name).is_file(), name
    for name in ("from-ini.csv", "from-environment.md"):
        assert (home / name).is_file(), name


def test_a_baseline_begins_in_the_current_folder(project, pytester, monkeypatch):
    """A file, and a file that is not there, which is named as it was looked for."""
    home, _ = project
    dataset = home / "a.evals.yaml"
    dataset.write_text(dataset.read_text().replace("gates: [", "gates: [no regressions, "))
    (home / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(home / "sub")
    assert pytester.runpytest_subprocess("--evals", "..", "--evals-update-baseline").ret == 0
    (home / "baselines" / "a.jsonl").rename(home / "sub" / "kept.jsonl")
    result = pytester.runpytest_subprocess("--evals", "..", "--evals-baseline=kept.jsonl")
    assert result.ret == 0
    assert not any("NOT EVALUATED" in line for line in result.outlines)
    before = calls(home)
    result = pytester.runpytest_subprocess("--evals", "..", "--evals-baseline=other.jsonl")
    assert result.ret == 4
    assert str(home / "sub" / "other.jsonl") in result.stdout.str() + result.stderr.str()
    assert calls(home) == before


def test_where_paths_begin(tmp_path):
    """Each kind of value, in a folder."""
    (tmp_path / "there.jsonl").touch()
    (tmp_path / "latest").mkdir()
    assert path_in("a/../b.html", tmp_path) == str(tmp_path / "b.html")
    assert path_in("/a/b.html", tmp_path) == "/a/b.html"
    assert [store_in(text, tmp_path) for text in ("none", "s")] == ["none", str(tmp_path / "s")]
    assert report_in("tally=t.txt", tmp_path) == f"tally={tmp_path / 't.txt'}"
    assert report_in("tally=", tmp_path) == "tally="
    assert address_in("sqlite:a.db", tmp_path) == f"sqlite:{tmp_path / 'a.db'}"
    assert address_in("redis:a.db", tmp_path) == "redis:a.db"
    for text in ("there.jsonl", "gone.jsonl", "gone/there", "latest"):
        assert existing_in(text, tmp_path) == str(tmp_path / text)
    for text in ("main:", "main:baselines/a.jsonl", "20261121-091500-3f9a"):
        assert existing_in(text, tmp_path) == text


def test_only_values_that_are_words_count():
    """A switch has none, and an option that follows is no value."""
    words = ["--evals", "--evals-strict", "a", "--evals-html", "b", "--evals-md=c", "--evals-json"]
    assert detached_values([*words, "--evals-csv"], OPTIONS) == [("--evals-html", "b")]
    every = [option for option in OPTIONS if option.metavar and "PATH" in option.metavar]
    assert all(option.located for option in every)
