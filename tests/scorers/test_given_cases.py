"""The given cases of scorers: what must pass, what must fail, and what is refused at collection."""

from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"


def _given(pytester, name, *, without=()):
    """Run a file of cases in a process of its own: in-process, libraries are imported twice."""
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not any(f"{{id: {case}," in line for case in without)]
    (pytester.path / name).write_text("\n".join(kept), encoding="utf-8")
    return pytester.runpytest_subprocess("--evals", name)


def test_given_contradictions_are_refused(pytester):
    """Each case of the file is refused, and both assertions are named."""
    result = _given(pytester, "contradictions.evals.yaml")
    assert result.ret == 2
    lines = [line for line in result.outlines if "contradict:" in line]
    assert [next(c for c in "cdefg" if f"case '{c}'" in line) for line in lines] == list("cdefg")


def test_given_cases_that_should_pass(pytester):
    """Each of them passes."""
    result = _given(pytester, "fails_but_should_pass.evals.yaml")
    result.assert_outcomes(passed=9)


REFUSED = ("empty-answer-for-A", "schema-typo")


def test_given_cases_that_should_fail(pytester):
    """Each of them fails."""
    result = _given(pytester, "passes_but_should_fail.evals.yaml", without=REFUSED)
    result.assert_outcomes(failed=9)


@pytest.mark.parametrize(
    ("case_id", "name"), [*zip(REFUSED, ["exact_match", "requird"], strict=True)]
)
def test_given_cases_that_are_refused(pytester, case_id, name):
    """An assertion that cannot fail is refused when it is collected."""
    others = [other for other in REFUSED if other != case_id]
    result = _given(pytester, "passes_but_should_fail.evals.yaml", without=others)
    assert result.ret == 2
    assert any(name in line for line in result.outlines)
