"""The fixture `trial`: scores, numbers and lines on the record of a trial."""

CHECKED = """
    import pytest

    @pytest.mark.evals("refunds.evals.yaml")
    def test_a(case, response, trial):
        BODY
"""


def body(*lines):
    """Make a test module with these lines in a test's body."""
    return CHECKED.replace("BODY", "\n        ".join(lines))


def test_score_that_fails_ends_the_test(refunds, write, evals, trials):
    """A score that fails raises at its line; the record has it, and what came before."""
    write(
        "test_a.py",
        body(
            'assert trial.score("regex", "[A-Z]").passed',
            'trial.score("contains", "30 days" if case.id == "window" else "No")',
            'trial.score("equals", "never reached", advisory=True)',
        ),
    )
    result = evals("test_a.py")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ['>*trial.score("contains"*', "E*WrongAnswer: contains: *'30 days'*'No idea.'*"]
    )
    assert [("regex", True), ("contains", False)] == [
        (s["name"], s["passed"]) for s in trials()["window-bad"]["scores"]
    ]
    assert 3 == len(trials()["window-good"]["scores"])


def test_unchecked_scores_count_at_the_end(refunds, write, evals, trials):
    """``check=False`` lets the test go on; it fails when it has ended, with all scores shown."""
    write(
        "test_a.py",
        body(
            'one = trial.score("contains", "sorry", check=False)',
            "assert one.passed is False",
            'trial.score("contains", "thanks", check=False, metric="thankful")',
            'trial.log("still here")',
        ),
    )
    result = evals("test_a.py", "-k", "window-good")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["input", "    How long do I have?", "*FAIL  contains", "*FAIL  thankful"]
    )
    result.stdout.no_fnmatch_line("*outcome.py*")
    (one,) = trials().values()
    assert ("failed", "still here\n") == (one["outcome"], one["output"])


def test_advisory_scores_have_no_vote(refunds, write, evals, trials):
    """``advisory=True`` records what passes and fails nothing."""
    write("test_a.py", body('trial.score("contains", "sorry", advisory=True)'))
    evals("test_a.py").assert_outcomes(passed=4)
    score = trials()["card-good"]["scores"][0]
    assert ("contains", False, True) == (score["name"], score["passed"], score["advisory"])


def test_every_way_to_write_a_score(refunds, write, evals, trials):
    """A name, a short form, the long form and a whole assertion are all taken."""
    write(
        "test_a.py",
        body(
            'trial.score("is_json", advisory=True)',
            'trial.score("contains", "30", weight=2, metric="days", advisory=True)',
            'trial.score("regex", pattern="[a-z]", advisory=True)',
            'trial.score({"not": {"contains": "sorry"}})',
            'trial.score("equals", "abc", answer="abc")',
            'trial.score("equals", "{{ expected }}", answer=case.expected)',
        ),
    )
    evals("test_a.py").assert_outcomes(passed=4)
    assert ["is_json", "days", "regex", "not_contains", "equals", "equals"] == [
        s["name"] for s in trials()["window-bad"]["scores"]
    ]


def test_recorded_numbers_reach_metrics_and_gates(refunds, write, evals, trials, report):
    """A recorded number or truth value is a metric of its own, and gates may name it."""
    write(
        "test_a.py",
        """
        import pytest

        GATES = ["mean(words) >= 100", "mean(words) <= 4", "mean(cited) >= 0.5"]

        @pytest.mark.evals("refunds.evals.yaml", models="good", gates=GATES)
        def test_a(response, trial):
            trial.record("words", 99)
            trial.record("words", len(response.text.split()), reason="counted")
            trial.record("cited", "30" in response.text)
        """,
    )
    result = evals("test_a.py")
    result.stdout.fnmatch_lines(["*gate[[]mean(words) >= 100[]][[]good[]]*"])
    assert 1 == result.ret
    assert [("words", 4.0, "counted"), ("cited", 1.0, "")] == [
        (s["name"], s["value"], s.get("reason", ""))
        for s in trials()["window-good"]["scores"]
        if s["type"] == "record"
    ]
    verdicts = {one["gate"]: (one["verdict"], one["value"]) for one in report()["gates"]}
    assert {
        "mean(words) >= 100": ("failed", 2.5),
        "mean(words) <= 4": ("passed", 2.5),
        "mean(cited) >= 0.5": ("passed", 0.5),
    } == verdicts


def test_what_cannot_be_scored_is_an_error(refunds, write, evals, trials):
    """Unknown scorers, wrong options and missing answers are errors that say what to do."""
    lines = {
        'trial.score("containz", "x")': "*no scorer is called 'containz'*'contains'*",
        'trial.score("contains", "x", treshold=1)': "*give either the one value*",
        'trial.score("contains", "")': "*",
        'trial.record("2 much", 1)': "*a name is letters*'2 much'*",
        'trial.record("a", float("nan"))': "*finite number*nan*",
        'trial.record("a", "high")': "*finite number*'high'*",
        "trial.answered(object())": "*trial.answered:*",
    }
    for line, told in lines.items():
        write("test_a.py", body(line))
        result = evals("test_a.py", "-k", "card-good")
        result.stdout.fnmatch_lines([f"E*{told}"])
        assert "errored" == trials()["card-good"]["outcome"], line


def test_dataset_scorers_count_too(write, evals, trials, refunds, pytester):
    """The dataset's own assertions are scored ahead of the test, which sees them; both count."""
    path = pytester.path / refunds
    path.write_text(path.read_text() + "scorers: [{contains: days}]\n")
    write(
        "test_a.py",
        body('assert ["contains"] == [s.name for s in trial.scores]', "assert len(response.text)"),
    )
    evals("test_a.py").assert_outcomes(passed=1, failed=3)
    assert [("contains", False)] == [
        (s["name"], s["passed"]) for s in trials()["card-good"]["scores"]
    ]
    write("test_a.py", body("pass").replace('yaml"', 'yaml", scorers=False'))
    evals("test_a.py").assert_outcomes(passed=4)


def test_own_code_answers(write, evals, trials, refunds, pytester):
    """What the test says it answered is what is scored and recorded; no model is asked."""
    path = pytester.path / refunds
    path.write_text(path.read_text() + "scorers: [{contains: days}]\n")
    write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.evals("refunds.evals.yaml", models="good")
        def test_a(case, trial):
            trial.answered({"text": f"{case.id} has 5 days", "tool_calls": [{"name": "find"}],
                            "cost_usd": 0.5})
            assert trial.answer.endswith("days")

        @pytest.mark.evals("refunds.evals.yaml", models="good")
        def test_silent(case, trial):
            pass
        """,
    )
    result = evals("test_a.py", "-k", "card")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*the dataset asserts contains of every answer, but this test*"])
    told = list(trials().values())[-1]
    first = next(one for one in _all(pytester) if "test_a[" in one["id"])
    assert ("card has 5 days", 0.5, "passed") == (
        first["answer"],
        first["cost_usd"],
        first["outcome"],
    )
    assert "errored" == told["outcome"]


def _all(pytester):
    import json

    return json.loads((pytester.path / "out.json").read_text())["trials"]
