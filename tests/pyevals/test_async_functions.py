"""Async tests, under anyio and under pytest-asyncio."""

from importlib.util import find_spec

import pytest

ASYNC = """
    import asyncio
    import contextvars

    import pytest
    from pytest_evals import Case, Model

    APP = Model(id="app", provider="python", options={"target": "stand_in.py:reply"})
    CASES = [Case(id="a", input="hi"), Case(id="b", input="ho")]
    EXTRA

    MARK
    @pytest.mark.evals(CASES, models=[APP])
    async def test_a(case, response, trial, judge, ask):
        assert response.text == f"{case.input}!".upper()
        await trial.score_async("contains", "!")
        await judge.run_async("Is it polite?", model=APP, check=False, advisory=True, min_score=0.1)
        more = await ask.run_async(APP, "more")
        assert more.text == "MORE!"
        trial.score("contains", "sorry" if case.id == "b" else "H", check=False)
"""


def _check(result, trials):
    """The first case passes, the second fails at its end, with all scores recorded."""
    result.assert_outcomes(passed=1, failed=1)
    assert ["contains", "is-it-polite", "contains"] == [
        score["name"] for score in trials()["b-app"]["scores"]
    ]


def test_anyio(refunds, write, evals, trials):
    """Under anyio's own plugin an async test is an eval like any."""
    write("test_a.py", ASYNC.replace("MARK", "@pytest.mark.anyio").replace("EXTRA", BACKEND))
    _check(evals("test_a.py", "-p", "anyio", "-p", "no:asyncio"), trials)


BACKEND = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def test_anyio_with_trio(refunds, write, evals, trials):
    """On trio's loop the awaitable forms work as well."""
    pytest.importorskip("trio")
    text = ASYNC.replace("MARK", "@pytest.mark.anyio").replace("EXTRA", BACKEND)
    write("test_a.py", text.replace('return "asyncio"', 'return "trio"'))
    _check(evals("test_a.py", "-p", "anyio", "-p", "no:asyncio"), trials)


def test_anyio_with_both(refunds, write, evals, trials):
    """Anyio's own parameter makes other cases: each case once on every backend."""
    pytest.importorskip("trio")
    write("test_a.py", ASYNC.replace("MARK", "@pytest.mark.anyio").replace("EXTRA", ""))
    evals("test_a.py", "-p", "anyio", "-p", "no:asyncio").assert_outcomes(passed=2, failed=2)
    assert {"a[asyncio]", "a[trio]", "b[asyncio]", "b[trio]"} == {
        one["case"] for one in trials().values()
    }


@pytest.mark.skipif(find_spec("pytest_asyncio") is None, reason="needs pytest-asyncio")
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(refunds, write, evals, trials, mode):
    """Under pytest-asyncio an async test is an eval like any, in both of its modes."""
    write("test_a.py", ASYNC.replace("MARK", "@pytest.mark.asyncio").replace("EXTRA", ""))
    if mode == "auto":
        write("test_a.py", ASYNC.replace("MARK", "").replace("EXTRA", ""))
    _check(evals("test_a.py", f"--asyncio-mode={mode}", process=True), trials)


LOOPS = """
    import asyncio

    import pytest
    from pytest_evals import Case
    FIXTURE

    @pytest.fixture
    def evals_target(agent):
        return agent

    MARK
    @pytest.mark.evals([Case(id="a", input="hi"), Case(id="b", input="ho")])
    async def test_a(case, response, agent):
        assert response.text == case.input.upper()
        assert agent.loop is asyncio.get_running_loop()
"""
AGENT = """
    class Agent:
        def __init__(self):
            self.loop = asyncio.get_running_loop()

        async def __call__(self, text):
            assert asyncio.get_running_loop() is self.loop
            await asyncio.sleep(0)
            return text.upper()
"""


@pytest.mark.skipif(find_spec("pytest_asyncio") is None, reason="needs pytest-asyncio")
@pytest.mark.parametrize("scope", ["function", "module"])
def test_async_target_on_the_loop_of_pytest_asyncio(write, evals, scope):
    """A target that is bound to its loop is called on that loop: the fixtures' and the test's."""
    fixture = f"""
    import pytest_asyncio
    {AGENT}
    @pytest_asyncio.fixture(loop_scope="{scope}", scope="{scope}")
    async def agent():
        return Agent()
"""
    mark = f'@pytest.mark.asyncio(loop_scope="{scope}")'
    write("test_a.py", LOOPS.replace("FIXTURE", fixture).replace("MARK", mark))
    evals("test_a.py", process=True).assert_outcomes(passed=2)


def test_async_target_on_the_loop_of_anyio(write, evals):
    """The same under anyio."""
    fixture = f"""
    {AGENT}{BACKEND}
    @pytest.fixture
    async def agent(anyio_backend):
        return Agent()
"""
    write("test_a.py", LOOPS.replace("FIXTURE", fixture).replace("MARK", "@pytest.mark.anyio"))
    evals("test_a.py", "-p", "anyio", process=True).assert_outcomes(passed=2)


def test_async_target_of_a_plain_test(write, evals):
    """Where the test has no loop, all async targets of a session share one."""
    write(
        "test_a.py",
        """
        import asyncio
        import pytest
        from pytest_evals import Case

        LOOPS = set()

        @pytest.fixture
        def evals_target():
            async def answer(text):
                LOOPS.add(asyncio.get_running_loop())
                return text
            return answer

        @pytest.mark.evals([Case(id="a", input="hi"), Case(id="b", input="ho")])
        def test_a(case, response):
            assert response.text == case.input
            assert len(LOOPS) == 1
        """,
    )
    evals("test_a.py").assert_outcomes(passed=2)
