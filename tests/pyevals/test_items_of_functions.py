"""A marked test function becomes an item for each case, model and sample."""

ASKED = """
    import pytest

    @pytest.mark.evals("refunds.evals.yaml")
    def test_answer(case, model, sample, response):
        assert response.text.startswith(case.expected[:2]) or "30" in response.text
"""


def test_items_are_cases_by_models(refunds, write, evals):
    """Each case, model and sample is an item, named by them after what pytest calls it."""
    write("test_a.py", ASKED)
    result = evals("--collect-only", "-q", "test_a.py", "--evals-samples=2")
    result.stdout.fnmatch_lines(
        [
            "test_a.py::test_answer[[]window-good-0]",
            "test_a.py::test_answer[[]window-good-1]",
            "test_a.py::test_answer[[]window-bad-0]",
            "test_a.py::test_answer[[]window-bad-1]",
            "test_a.py::test_answer[[]card-good-0]",
        ]
    )


def test_outcomes_are_the_answers(refunds, write, evals, trials):
    """A true assertion passes a trial, a false one fails it with pytest's own introspection."""
    write("test_a.py", ASKED)
    result = evals("test_a.py")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["E*assert*", "*startswith*", "case    window*", "    No idea."])
    assert {
        "window-good": "passed",
        "window-bad": "failed",
        "card-good": "passed",
        "card-bad": "failed",
    } == {key: one["outcome"] for key, one in trials().items()}


def test_record_tells_of_the_assertion(refunds, write, evals, trials):
    """A failed assertion is a score with its reason; a passed one counts where none other does."""
    write("test_a.py", ASKED)
    evals("test_a.py")
    failed, passed = trials()["window-bad"]["scores"], trials()["window-good"]["scores"]
    assert [("assert", 0.0, False)] == [(s["name"], s["value"], s["passed"]) for s in failed]
    assert "'30' in 'No idea.'" in failed[0]["reason"]
    assert [("assert", 1.0, True)] == [(s["name"], s["value"], s["passed"]) for s in passed]


def test_classes_and_other_parameters(refunds, write, evals, trials, report):
    """In a class, beside another parametrization, each of its values makes a case of its own."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.evals("refunds.evals.yaml", models="good")
        class TestTone:
            @pytest.mark.parametrize("tone", ["formal", "casual"])
            def test_tone(self, tone, case, response, trial):
                trial.log(tone, case.id)
        """,
    )
    result = evals("test_a.py")
    result.assert_outcomes(passed=4)
    found = trials()
    assert {"formal-window-good", "casual-window-good", "formal-card-good", "casual-card-good"} == (
        found.keys()
    )
    assert "window[formal]" == found["formal-window-good"]["case"]
    assert "formal window\n" == found["formal-window-good"]["output"]
    (dataset,) = report()["run"]["datasets"]
    assert ("test_a.TestTone.test_tone", 4) == (dataset["name"], dataset["planned"])


def test_parametrized_fixtures_too(refunds, write, evals, trials):
    """A fixture with parameters makes cases as well, and a module's own hook does."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.fixture(params=["x", "y"])
        def kind(request):
            return request.param

        def pytest_generate_tests(metafunc):
            if "number" in metafunc.fixturenames:
                metafunc.parametrize("number", [1, 2])

        @pytest.mark.evals("refunds.evals.yaml", models="good")
        def test_kinds(kind, number, case, trial):
            trial.record("number", number)
        """,
    )
    evals("test_a.py", "-k", "window").assert_outcomes(passed=4)
    assert 4 == len(trials())
    assert {"window[x-1]", "window[x-2]", "window[y-1]", "window[y-2]"} == {
        one["case"] for one in trials().values()
    } or {"window[1-x]", "window[2-x]", "window[1-y]", "window[2-y]"} == {
        one["case"] for one in trials().values()
    }


def test_tags_select(refunds, write, evals):
    """Tags of cases are markers, known under ``--strict-markers``, and ``-k`` takes ids."""
    write("test_a.py", ASKED)
    evals("test_a.py", "--strict-markers", "-m", "cards").assert_outcomes(passed=1, failed=1)
    evals("test_a.py", "-k", "window and good").assert_outcomes(passed=1)


def test_one_dataset_of_two_functions(refunds, write, evals, report):
    """Functions that share a dataset are counted apart, beside the dataset itself."""
    write(
        "test_a.py",
        """
        import pytest

        pytestmark = pytest.mark.evals("refunds.evals.yaml")

        def test_one(response):
            pass

        def test_two(response):
            pass
        """,
    )
    evals("test_a.py").assert_outcomes(passed=8)
    names = [one["name"] for one in report()["run"]["datasets"]]
    assert ["test_a.test_one", "test_a.test_two"] == names


def test_ids_that_would_be_the_same(write, evals, trials):
    """Two trials whose names would be equal are told apart, and stay what they are."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, Model

        APP = {"provider": "python", "options": {"target": "app:answer"}}
        MODELS = [Model(id=i, **APP) for i in ("c", "b-c")]

        @pytest.mark.evals([Case(id="a"), Case(id="a-b")], models=MODELS)
        def test_ids(case, model):
            pass
        """,
    )
    evals("test_a.py").assert_outcomes(passed=4)
    told = {key: (one["case"], one["model"]) for key, one in trials().items()}
    assert {
        "a-c": ("a", "c"),
        "a--b-c": ("a", "b-c"),
        "a-b--c": ("a-b", "c"),
        "a-b-b-c": ("a-b", "b-c"),
    } == told


def test_collecting_asks_nothing(pytester, write, evals):
    """``--collect-only`` loads the dataset and calls nothing."""
    write(
        "stand_in.py",
        "def reply(input):\n    open('called', 'w').close()\n    return input\n",
    )
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, Model

        APP = Model(id="app", provider="python", options={"target": "stand_in.py:reply"})

        @pytest.mark.evals([Case(id="a", input="hi")], models=[APP])
        def test_a(response):
            assert response.text == "hi"
        """,
    )
    result = evals("--collect-only", "-q", "test_a.py")
    result.stdout.fnmatch_lines(["test_a.py::test_a[[]a-app]"])
    assert not (pytester.path / "called").exists()
    evals("test_a.py").assert_outcomes(passed=1)
    assert (pytester.path / "called").exists()


def test_without_evals_nothing_is_loaded(pytester, write):
    """Without ``--evals`` a marked test is skipped, and its dataset need not even exist."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.evals("nowhere.yaml")
        def test_a(case, response, trial, judge, ask):
            assert False

        def test_plain():
            pass
        """,
    )
    result = pytester.runpytest_inprocess("test_a.py", "-p", "no:randomly")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*: 1 eval was skipped: run it with --evals"])


def test_bare_mark_opts_in(write, evals):
    """A mark without a dataset only says that the test runs with ``--evals``."""
    write("test_a.py", "import pytest\n\n@pytest.mark.evals\ndef test_a():\n    pass\n")
    evals("test_a.py").assert_outcomes(passed=1)


def test_own_fixture_of_the_same_name(write, evals):
    """A user's own fixture goes before ours; without a mark ours says what is missing."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.fixture
        def model():
            return "mine"

        def test_mine(model):
            assert model == "mine"

        def test_ours(case):
            pass
        """,
    )
    result = evals("test_a.py")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the fixture `case` belongs to evals: mark the test with*"])
