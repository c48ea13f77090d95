"""Evals in Python under what sessions do: gates, baselines, workers, shards, replays, budgets."""

import json

import pytest

GATED = """
    import pytest

    @pytest.mark.evals("refunds.evals.yaml", gates=["pass@1 >= 0.5"], samples=3)
    def test_a(case, response, trial):
        trial.record("length", len(response.text))
        assert response.text in ("You have 30 days.", "No.")
"""


def test_gates_tolerate(refunds, write, evals, trials, report):
    """With gates a wrong answer is tolerated, and the gate decides; an error never is."""
    write("test_a.py", GATED)
    result = evals("test_a.py")
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        ["test_a.py *", "*gate[[]pass@1 >= 0.5[]][[]bad[]]*", "*1 failed, 7 passed, 6 tolerated*"]
    )
    assert all(one["tolerated"] for key, one in trials().items() if "bad" in key)
    verdicts = {one["model"]: one["verdict"] for one in report()["gates"]}
    assert {"good": "passed", "bad": "failed"} == verdicts


def test_errors_are_not_tolerated(refunds, write, evals, trials):
    """An exception of the body is an error, which no gate on answers answers for."""
    write(
        "test_a.py",
        GATED.replace("assert response", "1 / (case.id == 'card')\n        assert response"),
    )
    result = evals("test_a.py", "--evals-model=good", "--evals-samples=1")
    result.stdout.fnmatch_lines(["E*ZeroDivisionError*"])
    assert 1 == result.ret
    assert "errored" == trials()["window-good"]["outcome"]


def test_baseline_beside_the_test(refunds, write, evals, pytester, report):
    """A baseline is written beside the test, and a test that changes for the worse is seen."""
    text = GATED.replace("pass@1 >= 0.5", "no regressions").replace(
        ", samples=3", ', models="good"'
    )
    write("test_a.py", text)
    evals("test_a.py", "--evals-update-baseline").assert_outcomes(passed=2, skipped=1)
    lines = (pytester.path / "baselines/test_a.test_a.jsonl").read_text().splitlines()
    assert {"window", "card"} == {line["case"] for line in map(json.loads, lines) if "case" in line}
    path = pytester.path / "refunds.evals.yaml"
    path.write_text(path.read_text().replace("You have 30 days.", "Soon."))
    result = evals("test_a.py")
    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*no regressions*REGRESSED*window*"])
    # a changed assertion is another definition, as it is in files
    write("test_a.py", text.replace("assert response", "# a comment\n        assert response"))
    evals("test_a.py").stdout.fnmatch_lines(["*REGRESSED*"])
    write("test_a.py", text.replace("assert response.text in", "assert case and response.text in"))
    evals("test_a.py").stdout.no_fnmatch_line("*REGRESSED*")


def test_last_failed_after_a_gate(refunds, write, evals):
    """``--lf`` after a failed gate runs the trials behind it."""
    write("test_a.py", GATED)
    evals("test_a.py", "cache")
    result = evals("test_a.py", "--lf")
    result.stdout.fnmatch_lines(["*12 trials, 6 selected*"])


def test_workers(refunds, write, evals, trials, report, pytester):
    """Under ``-n 2`` trials, scores, gates and the numbers are those of one process."""
    write("test_a.py", GATED.replace("pass@1 >= 0.5", "mean(length) >= 1"))
    evals("test_a.py", process=True)
    alone = {key: _plain(one) for key, one in trials().items()}
    gates = [(one["model"], one["verdict"], one["value"]) for one in report()["gates"]]
    result = evals("test_a.py", "-n2", process=True)
    assert 12 == len(alone)
    assert alone == {key: _plain(one) for key, one in trials().items()}
    assert gates == [(one["model"], one["verdict"], one["value"]) for one in report()["gates"]]
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def _plain(one):
    """Return what does not differ from run to run."""
    scores = [(s["name"], s.get("value"), s.get("passed")) for s in one["scores"]]
    return one["id"], one["outcome"], one["answer"], scores, one.get("tolerated")


def test_shards(refunds, write, evals, trials):
    """Each shard runs its own cases, whole."""
    write("test_a.py", GATED)
    found = []
    for shard in ("1/2", "2/2"):
        evals("test_a.py", f"--evals-shard={shard}")
        found.append({one["case"] for one in trials().values()})
        assert 6 == len(trials())
    assert [{"card"}, {"window"}] == sorted(found, key=str)


def test_rescoring_a_stored_run(refunds, write, evals, trials):
    """``--evals-from`` takes a run's answers, and only the test is new; a changed question is stale."""
    write("test_a.py", GATED)
    evals("test_a.py")
    write("test_a.py", GATED.replace('"No."', '"Yes."').replace("gates=", "scorers=True, gates="))
    evals("test_a.py", "--evals-from=latest")
    assert ["passed"] * 3 == [
        one["outcome"] for key, one in trials().items() if key.startswith("card-bad")
    ]
    assert 12 == len(trials())


def test_rescoring_what_a_fixture_answered(write, evals, trials, pytester):
    """The answers of ``evals_target`` are those of the run: the target is not called."""
    text = """
        from pathlib import Path

        import pytest
        from pytest_evals import Case


        @pytest.fixture
        def evals_target():
            def target(question):
                with Path("calls").open("a") as file:
                    file.write("x")
                return "yes"
            return target


        @pytest.mark.evals([Case(id="a", input="q")], samples=2, gates=["pass@1 >= 0.9"])
        def test_a(response):
            assert response.text == "yes"
        """
    write("test_a.py", text)
    evals("test_a.py").assert_outcomes(passed=3)
    evals("test_a.py", "--evals-from=latest").assert_outcomes(passed=3)
    assert (pytester.path / "calls").read_text() == "xx"
    write("test_a.py", text.replace('text == "yes"', 'text == "no"'))
    assert evals("test_a.py", "--evals-from=latest").ret == pytest.ExitCode.TESTS_FAILED
    assert {"failed"} == {one["outcome"] for one in trials().values()}


def test_replay_and_budget(write, evals, trials, pytester):
    """Answers are stored and replayed; where nothing fits they are STALE; a budget ends asking."""
    write("app.py", "def answer(text):\n    return {'text': text.upper(), 'cost_usd': 1.0}\n")
    text = """
        import pytest
        from pytest_evals import Case, Model, Price

        APP = Model(id="app", provider="python", options={"target": "app.py:answer"},
                    price=Price(input=0, output=0))
        CASES = [Case(id=c, input=c) for c in "abc"]

        @pytest.mark.evals(CASES, models=[APP])
        def test_a(case, response):
            assert response.text == case.input.upper()
    """
    write("test_a.py", text)
    evals("test_a.py").assert_outcomes(passed=3)
    pytester.path.joinpath("app.py").unlink()
    evals("test_a.py", "--evals-responses=replay").assert_outcomes(passed=3)
    write("test_a.py", text.replace("input=c", "input=c * 2"))
    result = evals("test_a.py", "--evals-responses=replay")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*STALE: the case's input*changed since the answer was stored*"])
    write("app.py", "def answer(text):\n    return {'text': text.upper(), 'cost_usd': 1.0}\n")
    result = evals(
        "test_a.py", "--evals-max-cost=1", "--evals-concurrency=1", "--evals-responses=off"
    )
    assert 1 == result.ret
    assert ["passed", "skipped", "skipped"] == [one["outcome"] for one in trials().values()]
    result.stdout.fnmatch_lines(["*2 of 3 trials were not run*the budget is spent*"])


def test_answers_are_on_their_way(write, evals, trials):
    """Answers are asked ahead of the test: ten of 0.2 s take nothing like two seconds."""
    write("app.py", "import time\ndef answer(text):\n    time.sleep(0.2)\n    return text\n")
    write(
        "test_a.py",
        """
        import pytest, time
        from pytest_evals import Case, Model

        APP = Model(id="app", provider="python", options={"target": "app.py:answer"})
        BEGAN = []

        @pytest.mark.evals([Case(id=f"c{i}", input=str(i)) for i in range(10)], models=[APP])
        def test_a(case, response):
            BEGAN.append(time.monotonic())
            assert response.text == case.input

        def test_time():
            assert BEGAN[-1] - BEGAN[0] < 1.0
        """,
    )
    evals("test_a.py").assert_outcomes(passed=11)


def test_nothing_is_asked_in_vain(write, evals, pytester):
    """A test without `response`, and one that is skipped, have no question asked for them."""
    write("app.py", "def answer(text):\n    open('asked-' + text, 'w').close()\n    return text\n")
    write(
        "test_a.py",
        """
        import pytest, time
        from pytest_evals import Case, Model

        APP = Model(id="app", provider="python", options={"target": "app.py:answer"})

        @pytest.mark.evals([Case(id="a", input="no-response")], models=[APP])
        def test_a(case, trial):
            pass

        @pytest.mark.skipif("True", reason="not here")
        @pytest.mark.evals([Case(id="a", input="skipped")], models=[APP])
        def test_b(case, response):
            pass

        @pytest.mark.evals([Case(id="a", input="asked")], models=[APP])
        def test_c(case, response):
            pass
        """,
    )
    evals("test_a.py").assert_outcomes(passed=2, skipped=1)
    assert ["asked-asked"] == [path.name for path in pytester.path.glob("asked-*")]


def test_reports_are_written(refunds, write, evals, pytester):
    """HTML, Markdown, CSV and JUnit tell of trials of functions as of those of files."""
    write("test_a.py", GATED)
    evals(
        "test_a.py",
        "--evals-html=out.html",
        "--evals-md=out.md",
        "--evals-csv=out.csv",
        "--junitxml=out.xml",
    )
    assert "test_a.test_a" in (pytester.path / "out.html").read_text()
    assert "test_a.test_a" in (pytester.path / "out.md").read_text()
    assert 13 <= len((pytester.path / "out.csv").read_text().splitlines())
    text = (pytester.path / "out.xml").read_text()
    assert 'name="test_a[window-good-0]"' in text
    assert '<property name="outcome" value="passed" />' in text


def test_sanity_leaves_them_out(refunds, write, evals, pytester):
    """A sanity run cannot turn the code of a test round: it says so, and runs the files."""
    path = pytester.path / refunds
    path.write_text(path.read_text() + "scorers: [{contains: days}]\n")
    write("test_a.py", GATED)
    result = evals("--evals-sanity", "test_a.py", refunds)
    result.stdout.fnmatch_lines(["*sanity: 1 evals in Python were deselected*"])


def test_two_of_one_name(refunds, write, evals):
    """Two evals that would be counted as one are refused, with what to write."""
    write("test_a.py", GATED.replace("samples=3", 'name="same"'))
    write("test_b.py", GATED.replace("samples=3", 'name="same"').replace("test_a", "test_b"))
    result = evals("test_a.py", "test_b.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*test_a.py::test_a and test_b.py::test_b*'same'*`name=`*"])


def test_its_run_is_not_rescored_by_the_command_line(
    refunds, write, evals, monkeypatch, pytester, capsys
):
    """Only pytest runs a test; it is said how."""
    from pytest_evals.cli import main

    write("test_a.py", GATED)
    evals("test_a.py")
    monkeypatch.chdir(pytester.path)
    capsys.readouterr()
    assert 1 == main(["rescore", "latest"])
    assert "test_a.py::test_a), which only pytest runs" in capsys.readouterr().err
