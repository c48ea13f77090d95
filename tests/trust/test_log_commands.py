"""Nothing that a model writes is a command to the log of a CI system, wherever it is printed."""

import pytest

DATASET = r"""
models: [{id: m, provider: script}]
cases:
  - id: lines
    input: "::warning::from the input"
    scorers: [{contains: yes-yes}]
    script:
      - kind: chat_response
        content: "x\n::notice title=canary::y\n##[group]canary\n##vso[task.logdetail]canary\nend"
  - id: indented
    input: q
    scorers: [{equals: yes-yes}, {contains_json: {subset: {a: 1}}}]
    script: [{kind: chat_response, content: "  ::error::canary\n\t::set-output name=a::canary"}]
  - id: inside
    input: q
    scorers: [{regex: yes-yes}]
    script:
      - kind: chat_response
        content: "before ##[group]canary after ##teamcity[message text='canary']"
"""


def live(lines):
    """Return the lines that GitHub, Azure or TeamCity obey."""
    return [
        line
        for line in lines
        if line.lstrip().startswith(("::notice", "::error", "::warning", "::set-output"))
        or any(mark in line.lower() for mark in ("##[", "##vso[", "##teamcity["))
    ]


@pytest.mark.parametrize("options", [(), ("-vv",), ("--tb=short",), ("-rA",), ("-n", "2")])
def test_the_terminal_obeys_no_answer(pytester, options):
    """Long tracebacks, short ones, summaries, workers; and the answers are still there to read."""
    (pytester.path / "log.evals.yaml").write_text(DATASET, encoding="utf-8")
    result = pytester.runpytest_subprocess("--evals", "log.evals.yaml", *options)
    result.assert_outcomes(failed=3)
    assert live([*result.outlines, *result.errlines]) == []
    assert any("canary" in line for line in result.outlines)


def test_the_command_line_obeys_no_answer(pytester):
    """`show` in all its forms, and the Markdown summary that CI appends to its page."""
    (pytester.path / "log.evals.yaml").write_text(DATASET, encoding="utf-8")
    pytester.runpytest_subprocess("--evals", "log.evals.yaml", "--evals-md=s.md")
    for more in ((), ("--failed",), ("inside",), ("indented", "--transcript")):
        result = pytester.run("pytest-evals", "show", "latest", *more)
        assert live([*result.outlines, *result.errlines]) == []
    assert live((pytester.path / "s.md").read_text(encoding="utf-8").splitlines()) == []
