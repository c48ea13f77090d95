"""The runner of the tests: what it makes of a test that passes on its second try."""

import ast
from datetime import date

import pytest

from tests import _run_tests as runner
from tests.docs._pages import ROOT

FLAKY = """
    import pathlib

    def test_flaky():
        marker = pathlib.Path(__file__).with_name("was-here")
        if not marker.exists():
            marker.touch()
            raise AssertionError("the first time it fails")
"""
ENTRY = """
    [[flaky]]
    id = "test_flaky.py::test_flaky"
    date = 2026-12-01
    why = "it waits for a clock"
    issue = "11"
"""


@pytest.fixture
def run_tests(pytester, write, monkeypatch, capfd):
    """Run the runner over a test file, with a ledger; return the exit status and the output."""
    monkeypatch.setattr(runner, "WORKERS", "0")

    def run_tests(test, ledger=""):
        write("test_flaky.py", test)
        path = pytester.path / write("flaky.toml", ledger)
        status = runner.main(["-q", "test_flaky.py"], path)
        return status, capfd.readouterr().out

    return run_tests


def test_tests_that_pass_run_once(run_tests):
    """The output is pytest's own."""
    status, output = run_tests("def test_it(): pass")
    assert status == 0
    assert "once more" not in output


def test_a_test_that_fails_twice_fails_the_build(run_tests):
    """It is not called flaky."""
    status, output = run_tests("def test_it(): assert 0")
    assert status == 1
    assert "once more" in output
    assert "Flaky" not in output


def test_a_new_flaky_test_passes_the_build_and_is_listed(run_tests):
    """The output ends with the entry to add."""
    status, output = run_tests(FLAKY)
    assert status == 0
    assert "Flaky, passed on the second try: 1." in output
    assert '[[flaky]]\nid = "test_flaky.py::test_flaky"\ndate = ' in output


def test_a_listed_flaky_test_fails_the_build(run_tests):
    """The output says since when it is listed, and why."""
    status, output = run_tests(FLAKY, ENTRY)
    assert status == 1
    assert "Flaky again: 1." in output
    assert "in the ledger since 2026-12-01: it waits for a clock (11)" in output


def test_a_listed_test_that_passes_at_once_passes_the_build(run_tests):
    """The ledger punishes second tries, not entries."""
    status, output = run_tests("def test_flaky(): pass", ENTRY)
    assert status == 0
    assert "Flaky" not in output


def test_a_file_that_cannot_be_imported_fails_the_build(run_tests):
    """It is not called flaky."""
    status, output = run_tests("import no_such_module")
    assert status not in {0, 5}
    assert "Flaky" not in output


def test_a_run_without_tests_ends_at_once(run_tests):
    """Nothing is run a second time; the exit status is pytest's."""
    status, output = run_tests("")
    assert status == 5
    assert "once more" not in output


def test_the_entry_that_is_printed_can_be_read(tmp_path):
    """Quotes, backslashes and other scripts in a node id survive."""
    test = 'tests/test_a.py::test_b["quoted" \\ ünï \N{GRINNING FACE}]'
    entry = "".join(list(runner.describe([test], {}, date(2026, 12, 1)))[1:])
    path = tmp_path / "flaky.toml"
    path.write_text(entry + '"a clock"', "utf-8")
    ledger = runner.read_ledger(path)
    assert ledger == {test: runner.FlakyTest(test, date(2026, 12, 1), "a clock")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[flaky]]\nid = "a"\nwhy = "b"', "expected id, date, why"),
        ('[[flaky]]\nid = "a"\ndate = 2026-12-01\nwhy = "b"\nwho = "c"', "expected id, date, why"),
        ('[[flaky]]\nid = "a"\ndate = 2026-12-01\nwhy = "b"\n' * 2, "duplicate id a"),
    ],
)
def test_a_ledger_that_is_wrong_is_refused(text, message, tmp_path):
    """A missing key, an unknown key, an id given twice."""
    path = tmp_path / "flaky.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        runner.read_ledger(path)


def test_every_test_in_the_ledger_exists():
    """A test that was renamed or removed takes its entry with it."""
    for test in runner.read_ledger(runner.LEDGER):
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert name.rpartition("::")[2].partition("[")[0] in functions, test
