"""The fixtures `judge`, `ask` and `evals_target`."""

import pytest


def test_judge_by_a_rubric(refunds, write, evals, trials):
    """A judge scores the answer by a rubric; its call is recorded, priced, and named by words."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Model

        JUDGE = Model(id="j", provider="python", options={"target": "stand_in.py:reply"})

        @pytest.mark.evals("refunds.evals.yaml", judge=JUDGE)
        def test_a(response, judge):
            score = judge("Is it polite?", min_score=0.8)
            assert score.value == 1.0
        """,
    )
    result = evals("test_a.py", "-k", "window")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([">*judge(*Is it polite?*", "E*WrongAnswer: is-it-polite: *"])
    found = trials()
    assert ("is-it-polite", True) == tuple(
        found["window-good"]["scores"][0][key] for key in ("name", "passed")
    )
    assert [0.25] == [
        e["cost_usd"] for e in found["window-good"]["exchanges"] if e["role"] != "answer"
    ]


def test_judge_of_the_dataset(refunds, write, evals, trials):
    """A judge that the dataset defines is used by its name, with a bar of the test's own."""
    write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.evals("refunds.evals.yaml")
        def test_a(response, judge):
            judge(use="polite", check=False)
        """,
    )
    evals("test_a.py", "-k", "card").assert_outcomes(passed=1, failed=1)
    assert "polite" == trials()["card-bad"]["scores"][0]["name"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ('judge("polite?", min_score=5, model="openai:x")', "*min_score*"),
        ('judge("polite?", min_score=0.5)', "*model*"),
        ('judge(use="pollite")', "*no judge is called 'pollite'*'polite'*"),
        ('judge("polite?", min_scor=1)', "*min_scor*min_score*"),
        ('judge("polite?", min_score=0.5, model="openia:x")', "*openia*openai*"),
    ],
)
def test_judge_that_cannot_judge(refunds, write, evals, trials, call, told):
    """What is missing or misspelt is an error that says so, and nobody is asked."""
    write(
        "test_a.py",
        f"""
        import pytest

        @pytest.mark.evals("refunds.evals.yaml")
        def test_a(response, judge):
            {call}
        """,
    )
    result = evals("test_a.py", "-k", "card-bad")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E*{told}"])
    assert "errored" == trials()["card-bad"]["outcome"]


def test_evals_judge_option(refunds, write, evals, pytester):
    """``--evals-judge`` names who judges where the dataset does not; an unknown one is told."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case

        @pytest.mark.evals([Case(id="a", input="hi")])
        def test_a(trial, judge):
            trial.answered("No.")
            judge("polite?", min_score=0.5)
        """,
    )
    result = evals("test_a.py", "--evals-judge=python:nothing")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*python*target*"])


def test_ask_goes_through_the_store(refunds, write, evals, trials, pytester):
    """What a test asks is priced, stored and replayed like any call; its answer is the trial's."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, Model

        APP = Model(id="app", provider="python", options={"target": "stand_in.py:reply"}, stored=True)

        @pytest.mark.evals([Case(id="a", input="hi"), Case(id="b", input="ho")])
        def test_a(case, ask, trial):
            first = ask(APP, f"Say {case.input}")
            second = ask(APP, first.text, temperature=0)
            third = ask(APP, [{"role": "user", "content": "messages"}])
            trial.score("contains", "MESSAGES")
            trial.record("calls", len(trial.exchanges))
        """,
    )
    evals("test_a.py").assert_outcomes(passed=2)
    one = trials()["a-app"]
    assert 1.5 == one["cost_usd"]
    assert ["SAY HI!", "SAY HI!!"] == [e["response"]["text"] for e in one["exchanges"][:2]]
    pytester.path.joinpath("stand_in.py").unlink()
    evals("test_a.py", "--evals-responses=replay").assert_outcomes(passed=2)
    assert 1.5 == trials()["a-app"]["cost_usd"]
    evals("test_a.py", "--evals-from=latest").assert_outcomes(passed=2)


def test_ask_beside_a_response(refunds, write, evals, trials):
    """Beside a `response` what is asked is help on the way: the answer stays the response."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Model

        APP = Model(id="app", provider="python", options={"target": "stand_in.py:reply"})

        @pytest.mark.evals("refunds.evals.yaml", models="good")
        def test_a(case, ask, response, trial):
            assert ask(APP, "hello").text == "HELLO!"
            assert trial.answer == response.text
        """,
    )
    evals("test_a.py", "-k", "card").assert_outcomes(passed=1)
    assert ("No.", 0.5) == tuple(trials()["card-good"][key] for key in ("answer", "cost_usd")) or (
        "No." == trials()["card-good"]["answer"]
    )


def test_ask_with_a_list_where_a_number_stood(refunds, write, evals, trials):
    """Nothing is asked; parameters that are lists by nature reach the model."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, Model

        def reply(input, *, params=None):
            return "ok"

        APP = Model(id="app", provider="python", options={"target": "test_a.py:reply"})

        @pytest.mark.evals([Case(id="a"), Case(id="b")])
        def test_a(case, ask):
            more = {"temperature": [0, 0.7]} if case.id == "a" else {"stop": ["x", "y"]}
            assert "ok" == ask(APP, "x", **more).text
        """,
    )
    result = evals("test_a.py")
    result.stdout.fnmatch_lines(["E*ask: `temperature` is one number, found ?0, 0.7?"])
    assert ["errored", "passed"] == [trials()[f"{c}-app"]["outcome"] for c in "ab"]


def test_ask_that_cannot(refunds, write, evals, trials):
    """An unknown model, a fault of it and a spent budget are errors, not wrong answers."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, Model

        def broken(input):
            raise OSError("no disk")

        BAD = Model(id="bad", provider="python", options={"target": "test_a.py:broken"})
        APP = Model(id="app", provider="python", options={"target": "stand_in.py:reply"})
        CASES = [Case(id=c) for c in "abcd"]

        @pytest.mark.evals(CASES)
        def test_a(case, ask):
            {"a": lambda: ask("openia:gpt", "x"), "b": lambda: ask(BAD, "x"),
             "c": lambda: ask(APP, "x"), "d": lambda: ask(APP, "y")}[case.id]()
        """,
    )
    result = evals("test_a.py", "--evals-max-cost=0.5")
    result.stdout.fnmatch_lines(["E*no model and no provider is called 'openia'*"])
    result.stdout.fnmatch_lines(["E*raised OSError: no disk"])
    result.stdout.fnmatch_lines(["evals: 1 of 4 trials were not run*the budget is spent*"])
    assert ["errored", "errored", "passed", "skipped"] == [
        trials()[f"{c}-app"]["outcome"] for c in "abcd"
    ]
    assert 1 == result.ret


TARGET = """
    import pytest, threading, asyncio
    from pytest_evals import Case, TargetContext

    SEEN = []

    @pytest.fixture(scope="module")
    def connection():
        yield threading.current_thread()

    @pytest.fixture
    def evals_target(connection):
        DEFINE
        return answer

    @pytest.mark.evals([Case(id="a", input="hi"), Case(id="b", input="ho")], CASES)
    def test_a(case, response, trial):
        assert response.text == case.input.upper()
        assert trial.answer == response.text
"""


@pytest.mark.parametrize(
    "define",
    [
        "answer = lambda text: text.upper()",
        "def answer(text, context): return {'text': text.upper(), 'cost_usd': 0.1}",
        """def answer(text):
            assert threading.current_thread() is connection
            return text.upper()""",
        "async def answer(text):\n            await asyncio.sleep(0)\n            return text.upper()",
    ],
)
def test_target_answers_in_the_tests_own_thread(write, evals, trials, define):
    """An overridden `evals_target` answers each case, in pytest's own thread, with its scope."""
    write("test_a.py", TARGET.replace("DEFINE", define).replace("CASES", "samples=1"))
    evals("test_a.py").assert_outcomes(passed=2)
    assert ["HI", "HO"] == [one["answer"] for one in trials().values()]


def test_target_that_fails(write, evals, trials):
    """What the user's code raises is an error of the trial, with its traceback; so is no answer."""
    define = "def answer(text):\n            return None if text == 'ho' else 1 / 0"
    write("test_a.py", TARGET.replace("DEFINE", define).replace("CASES", "samples=1"))
    result = evals("test_a.py")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*raised ZeroDivisionError: division by zero", "*1 / 0*"])
    assert ["target", "target"] == [one["error"]["type"] for one in trials().values()]


def test_several_turns_of_a_target(write, evals, trials):
    """A case of several turns is a conversation with the target, which is told the messages."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case, TargetContext

        @pytest.fixture
        def evals_target():
            def answer(text: str, context: TargetContext):
                return f"{len(context.messages)} {context.turn} {text}"
            return answer

        @pytest.mark.evals([Case(id="a", turns=("one", "two"))])
        def test_a(response, trial):
            assert response.text == "3 1 two"
            assert len(trial.exchanges) == 2
        """,
    )
    evals("test_a.py").assert_outcomes(passed=1)


def test_no_model_and_no_target(write, evals):
    """A `response` that nobody could give is an error that says what to write."""
    write(
        "test_a.py",
        """
        import pytest
        from pytest_evals import Case

        @pytest.mark.evals([Case(id="a", input="hi")])
        def test_a(response):
            pass
        """,
    )
    result = evals("test_a.py")
    result.stdout.fnmatch_lines(["test_a.py:5: *no model to call*"])
