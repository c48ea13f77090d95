"""--evals-json, --evals-csv, --evals-md: written at the end of a session, refused at its start."""

import csv
import json
import os
from pathlib import Path

import pytest

TEXT = ("json", "csv", "md")


def asked(folder: str = "out") -> list[str]:
    """Return the options for every text report."""
    return [f"--evals-{name}={folder}/report.{name}" for name in TEXT]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_every_trial_stands_in_every_report(pytester, support, evals_process, workers) -> None:
    """In the order they were planned, with and without workers; folders are made."""
    if workers:
        pytest.importorskip("xdist")
    evals_process(support, *asked("a/b"), *workers)
    folder = pytester.path / "a" / "b"
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    names = [one["id"].partition("::")[2] for one in told["trials"]]
    assert [f"{case}[{m}]" for case in ("window", "card", "down") for m in ("good", "bad")] == names
    assert (1, "complete") == (told["run"]["exit_status"], told["run"]["status"])
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        assert names == [row["trial"].partition("::")[2] for row in csv.DictReader(file)]
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "## ❌ Evals: failed\n\n4 of 5 scored trials passed; 1 failed; 1 without" in text
    assert "`window` for `bad` · passed 0 of 1" in text


def test_a_folder_is_refused(pytester, support, evals) -> None:
    """Where no file can be, the session does not begin, and says so."""
    pytester.mkdir("out")
    result = evals(support, "--evals-md=out")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--evals-md: */out is a folder; name a file in it"])


def test_a_folder_that_cannot_be_made_is_refused(pytester, support, evals) -> None:
    """So is a file in a folder that is a file."""
    pytester.path.joinpath("out").write_text("")
    result = evals(support, "--evals-json=out/a.json")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--evals-json: the folder of *a.json cannot be made: *"])


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders")
def test_a_report_that_fails_fails_the_session(pytester, write, evals_process) -> None:
    """What cannot be written at the end is told, the others are written, and it is not green."""
    write(
        "conftest.py",
        """
        import shutil

        def pytest_sessionfinish():
            shutil.rmtree("out")
            open("out", "w").close()
        """,
    )
    write(
        "one.evals.yaml",
        """
        name: one
        cases:
          - {id: a, input: q, scorers: [{contains: a}], script: [{kind: chat_response, content: a}]}
        """,
    )
    result = evals_process("--evals-json=out/report.json", "--evals-csv=report.csv")
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(["evals: the json report was not written to */out/report.json: *"])
    assert pytester.path.joinpath("report.csv").is_file()


def test_nothing_is_written_where_nothing_runs(pytester, support, evals) -> None:
    """--collect-only and a session without --evals make no file and no folder."""
    evals(support, "--collect-only", *asked())
    pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:hypothesispytest", *asked())
    assert not pytester.path.joinpath("out").exists()


def test_the_summary_of_a_step(pytester, support, evals, monkeypatch) -> None:
    """In a GitHub Action the Markdown is added to the step's summary, asked for or not."""
    summary = pytester.path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    evals(support)
    assert "before\n" == summary.read_text()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    evals(support, "--evals-md=report.md")
    report = pytester.path.joinpath("report.md").read_text(encoding="utf-8")
    assert f"before\n\n{report}" == summary.read_text(encoding="utf-8")


def test_a_summary_that_cannot_be_written(pytester, support, evals, monkeypatch) -> None:
    """It is told."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path))
    result = evals(support)
    result.stdout.fnmatch_lines(["evals: the summary of this step was not written to *"])


def test_a_narrowed_run_says_so(pytester, support, evals) -> None:
    """What was left out by the user's own selection is told."""
    evals(support, "-k", "window and good", "--evals-md=report.md")
    text = Path("report.md").read_text(encoding="utf-8")
    assert "1 of 1 scored trials passed; 1 of 6 trials were selected." in text
