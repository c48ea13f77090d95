"""What becomes of a marked test: a wrong answer, an error, a skip, an expected failure."""

import pytest

BODY = """
    import pytest
    from pytest_evals import AnswerError

    @pytest.fixture
    def broken(case):
        if case.id == "card":
            raise OSError("no disk")

    MARK
    @pytest.mark.evals("refunds.evals.yaml", models="good")
    def test_a(case, response, FIXTURE):
        if case.id == "card":
            LINE
"""


@pytest.mark.parametrize(
    ("line", "outcome", "shown", "told"),
    [
        ("assert 0, 'wrong'", "failed", {"passed": 1, "failed": 1}, None),
        ("pytest.fail('wrong')", "failed", {"passed": 1, "failed": 1}, None),
        ("1 / 0", "errored", {"passed": 1, "failed": 1}, "ZeroDivisionError"),
        ("raise AnswerError('timeout', 'late')", "errored", {"passed": 1, "failed": 1}, "late"),
        (
            "raise ExceptionGroup('', [AssertionError()])",
            "failed",
            {"passed": 1, "failed": 1},
            None,
        ),
        ("raise ExceptionGroup('', [OSError()])", "errored", {"passed": 1, "failed": 1}, "Group"),
        ("pytest.skip('not here')", "skipped", {"passed": 1, "skipped": 1}, "not here"),
        ("pytest.xfail('known')", "failed", {"passed": 1, "xfailed": 1}, None),
    ],
)
def test_bodies(refunds, write, evals, trials, line, outcome, shown, told):
    """A false assertion is a wrong answer; any other exception is an error, and never green."""
    text = BODY.replace("LINE", line).replace("FIXTURE", "request").replace("MARK", "")
    write("test_a.py", text)
    evals("test_a.py").assert_outcomes(**shown)
    one = trials()["card-good"]
    assert outcome == one["outcome"]
    assert told is None or told in one["error"]["message"]


@pytest.mark.parametrize(
    ("mark", "outcome", "shown"),
    [
        ("@pytest.mark.skip(reason='later')", "skipped", {"skipped": 2}),
        ("@pytest.mark.skipif(True, reason='later')", "skipped", {"skipped": 2}),
        ("@pytest.mark.xfail", "failed", {"xpassed": 1, "xfailed": 1}),
        ("@pytest.mark.xfail(strict=True)", "failed", {"failed": 1, "xfailed": 1}),
        ("@pytest.mark.xfail(run=False)", "skipped", {"xfailed": 2}),
        ("@pytest.mark.usefixtures('broken')", "errored", {"passed": 1, "errors": 1}),
    ],
)
def test_marks(refunds, write, evals, trials, mark, outcome, shown):
    """Skips, expected failures and broken fixtures are pytest's, and the record tells the truth."""
    text = BODY.replace("LINE", "assert 0").replace("FIXTURE", "request").replace("MARK", mark)
    write("test_a.py", text)
    evals("test_a.py").assert_outcomes(**shown)
    assert outcome == trials()["card-good"]["outcome"]


def test_a_skip_leaves_gates_to_judge_the_rest(refunds, write, evals, report):
    """A trial that the test skips is none that is missing: the session is green, gates judge."""
    text = BODY.replace("LINE", "pytest.skip('n/a')").replace("FIXTURE", "request")
    text = text.replace("MARK", "").replace('"good"', '"good", gates="pass@1 >= 1"')
    write("test_a.py", text)
    result = evals("test_a.py")
    result.assert_outcomes(passed=2, skipped=1)
    assert 0 == result.ret
    assert ["passed"] == [one["verdict"] for one in report()["gates"]]


def test_no_answer_is_an_error_at_setup(refunds, write, evals, trials, pytester):
    """Where the model gives no answer the body does not run, as for files."""
    path = pytester.path / refunds
    path.write_text(path.read_text().replace("content: No idea.", "content: x, latency_s: x"))
    path.write_text(
        path.read_text().replace(
            "{kind: chat_response, content: x, latency_s: x}",
            "{kind: error, error_type: overloaded, message: come back later}",
        )
    )
    write(
        "test_a.py",
        BODY.replace("LINE", "pass")
        .replace("FIXTURE", "request")
        .replace("MARK", "")
        .replace(', models="good"', ""),
    )
    result = evals("test_a.py")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_a[[]window-bad]*", "*come back later"])
    one = trials()["window-bad"]
    assert ("errored", "overloaded") == (one["outcome"], one["error"]["type"])


def test_stop_at_first_failure(refunds, write, evals, trials):
    """``-x`` ends the session, and what was not run has no record."""
    text = BODY.replace("LINE", "pass").replace("FIXTURE", "request").replace("MARK", "")
    write("test_a.py", text.replace('if case.id == "card"', "if True").replace("pass", "assert 0"))
    result = evals("test_a.py", "-x")
    result.assert_outcomes(failed=1)
    assert 1 == len(trials())


def test_last_failed_runs_only_these(refunds, write, evals, trials):
    """``--lf`` runs the failed trials, and no others."""
    text = BODY.replace("LINE", "assert 0").replace("FIXTURE", "request").replace("MARK", "")
    write("test_a.py", text)
    evals("test_a.py", "cache").assert_outcomes(passed=1, failed=1)
    evals("test_a.py", "--lf").assert_outcomes(failed=1)
    assert {"card-good"} == trials().keys()


def test_traceback_of_what_broke(refunds, write, evals, trials):
    """The record has the traceback of the user's own code, without pytest's machinery."""
    text = BODY.replace("LINE", "open('/nowhere/at/all')").replace("FIXTURE", "request")
    write("test_a.py", text.replace("MARK", ""))
    evals("test_a.py")
    detail = trials()["card-good"]["error"]["detail"]
    assert detail.startswith("Traceback (most recent call last):\n  File ")
    assert ["test_a.py"] == [
        line.split('"')[1].rpartition("/")[2] for line in detail.splitlines() if "File " in line
    ]
    assert detail.endswith("No such file or directory: '/nowhere/at/all'")


def test_answers_that_act_on_terminals_do_not(write, evals, pytester):
    """Control characters in answers reach neither the terminal nor the reports as such."""
    write(
        "test_a.py",
        r"""
        import pytest
        from pytest_evals import Case

        @pytest.mark.evals([Case(id="x", input="\x1b[31mred\x07")])
        def test_hostile(case, trial):
            trial.answered("\x1b[2J\x00 ]]> <script>alert(1)</script>")
            trial.log("\x1b[31m")
            trial.score("equals", "\x1b[2J", check=False)
        """,
    )
    result = evals("test_a.py", "--evals-html=o.html", "--junitxml=o.xml", "--evals-md=o.md")
    result.assert_outcomes(failed=1)
    told = result.stdout.str()
    assert "\x1b[2J" not in told
    assert "\x00" not in told
    assert "<script>alert" not in (pytester.path / "o.html").read_text()
    assert "]]> <script>" not in (pytester.path / "o.xml").read_text()
