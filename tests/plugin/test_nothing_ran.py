"""Why nothing ran, and what to do: no dataset, another name, nothing selected, no --evals."""

import pytest

DATASET = """
name: shop
models: [{id: bot, provider: script}]
cases:
  - id: refund
    input: "?"
    scorers: [{equals: "yes"}]
    script: [{kind: chat_response, content: "yes"}]
"""


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("", ["--evals"], "*no dataset in *.evals.yaml*evals_files*pytest-evals init*"),
        ("shop.yaml", ["--evals"], "*no dataset*Is shop.yaml a dataset?*pytest --evals shop.yaml"),
        ("shop.evals.yaml", ["--evals", "empty"], "*no dataset in empty: *"),
        (
            "shop.evals.yaml",
            ["--evals", "-k", "other"],
            "*no test is left: 1 test deselected by -k 'other'; one is called *refund[[]bot[]]",
        ),
        ("shop.evals.yaml", ["--evals", "-m", "other"], "*1 test deselected by -m 'other'*"),
        ("shop.evals.yaml", [], "pytest-evals-matrix: shop.evals.yaml: run with --evals"),
    ],
    ids=["empty", "other name", "other folder", "keyword", "mark", "without --evals"],
)
@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "quiet"])
def test_a_session_that_ran_nothing_says_why(quiet, name, arguments, told, pytester):
    """The exit status is pytest's; the hint is one line."""
    pytester.mkdir("empty")
    if name:
        (pytester.path / name).write_text(DATASET, encoding="utf-8")
    result = pytester.runpytest_inprocess(*quiet, *arguments)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines([told])


def test_what_ran_has_no_hint(pytester):
    """A session with tests, with --evals and without."""
    (pytester.path / "shop.evals.yaml").write_text(DATASET, encoding="utf-8")
    pytester.makepyfile("def test_one(): pass")
    for arguments in (["--evals"], ["--evals", "-k", "refund"], []):
        result = pytester.runpytest_inprocess(*arguments)
        assert result.ret == 0
        result.stdout.no_fnmatch_line("*no dataset*")
        result.stdout.no_fnmatch_line("*no test is left*")
        result.stdout.no_fnmatch_line("*run with --evals*")
