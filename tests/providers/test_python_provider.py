"""The python provider: a callable of the user's own code, imported and called for real."""

import asyncio
import sys
import threading
from textwrap import dedent

import pytest
from pydantic import ValidationError

from pytest_evals.exchange import Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.providers.transport import HttpClientPool


@pytest.fixture
def app(bench, monkeypatch):
    """Write a module `shop` into the rootdir; return how to ask one of its callables."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(source, name="shop.py"):
        path = bench.rootdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))
        return path

    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"shop", "shelf", "pkg"} or name.startswith("_evals_"):
            del sys.modules[name]


def test_sync(bench, app):
    """A function gets the input and its text is the answer, with the time it took."""
    app("import time\ndef answer(q):\n    time.sleep(0.05)\n    return q.upper()")
    answer = bench.ask("python", "hi", target="shop:answer")
    assert answer.text == "HI"
    assert 0.05 <= answer.latency_s < 5


def test_async(bench, app):
    """A coroutine function is awaited, on another thread than the engine's."""
    app(
        """
        import asyncio, threading
        async def answer(q):
            await asyncio.sleep(0.01)
            return {"text": q, "metadata": {"thread": threading.current_thread().name}}
        """
    )
    answer = bench.ask("python", "hi", target="shop:answer")
    assert answer.text == "hi"
    assert answer.metadata["thread"] != threading.current_thread().name


@pytest.mark.parametrize(
    "target",
    ["bot", "bot.answer", "Bot.of_class", "bound", "async_bot", "lazy", "varied", "upper"],
)
def test_what_can_be_called(bench, app, target):
    """Objects, methods, partials and functions that return coroutines are all asked alike."""
    app(
        """
        import functools
        class Bot:
            def __call__(self, q): return q.upper()
            def answer(self, q, shout=True): return q.upper()
            @classmethod
            def of_class(cls, q): return q.upper()
        class AsyncBot:
            async def __call__(self, q): return q.upper()
        bot = Bot()
        async_bot = AsyncBot()
        def two(style, q): return q.upper()
        bound = functools.partial(two, "s")
        async def later(q): return q.upper()
        def lazy(q): return later(q)
        def varied(*args, **kwargs): return args[0].upper()
        upper = str.upper
        """
    )
    assert bench.ask("python", "hi", target=f"shop:{target}").text == "HI"


@pytest.mark.parametrize(
    "signature",
    [
        "q, context",
        "q, ctx",
        "q, *, context",
        "q, n=1, context=None",
        "q, c: TargetContext",
        "q, *, c: 'TargetContext' = None",
        "q, c, /",
    ],
)
def test_context(bench, app, question, signature):
    """A callable that asks for a context gets all that is known of the question."""
    name = "ctx" if "ctx" in signature else "context" if "context" in signature else "c"
    app(
        f"""
        from pytest_evals.providers.python import TargetContext
        def answer({signature}):
            k = {name}
            return {{"messages": k.messages, "case": k.case_id, "sample": k.sample, "n": k.turn,
                    "v": k.variables, "p": k.params, "model": k.model.id, "of": k.turns}}
        """
    )
    request = question(
        "hi",
        case_id="refund",
        sample=2,
        turn=1,
        turns=3,
        variables={"lang": "en"},
        params={"t": 0},
        messages=(Message(role="system", content="s"), Message(role="user", content="hi")),
    )
    assert bench.ask("python", request, target="shop:answer", id="app").data == {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
        "case": "refund",
        "sample": 2,
        "n": 1,
        "of": 3,
        "v": {"lang": "en"},
        "p": {"t": 0},
        "model": "app",
    }


def test_optional_second_parameter(bench, app):
    """A second parameter with a default of its own is the application's, not ours."""
    app("def answer(q, temperature=0.5): return f'{q} {temperature}'")
    assert bench.ask("python", "hi", target="shop:answer").text == "hi 0.5"


def test_input_is_a_copy(bench, app, question):
    """What a callable does to its input changes no other sample's question."""
    app("def answer(q): q['n'] += 1; return q['n']")
    request = question("").model_copy(update={"input": {"n": 1}})
    for _ in range(2):
        assert bench.ask("python", request, target="shop:answer").text == "2"
    assert request.input == {"n": 1}


def test_mapping(bench, app):
    """A mapping may say everything that a Response holds."""
    app(
        """
        def answer(q):
            return {"answer": "30 days", "tool_calls": [{"name": "lookup", "result": 1}],
                    "usage": {"input_tokens": 41, "output_tokens": 6}, "cost_usd": 0.5}
        """
    )
    answer = bench.ask("python", target="shop:answer")
    assert (answer.text, answer.tool_calls[0].captured) == ("30 days", True)
    assert answer.usage == Usage(input_tokens=41, output_tokens=6)
    assert answer.cost_usd == 0.5


def test_response(bench, app):
    """A Response is taken as it is."""
    app("from pytest_evals import Response\ndef answer(q): return Response(text='x', latency_s=9)")
    answer = bench.ask("python", target="shop:answer")
    assert (answer.text, answer.latency_s) == ("x", 9)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "returned None"),
        ("return object()", "returned object"),
        ("return b'x'", "decode"),
        ("return (c for c in q)", "returned a generator"),
        ("return {'text': 'x', 'usage': 1}", "`usage` is a mapping"),
    ],
)
def test_what_is_no_answer(bench, app, body, said):
    """A value that is no answer is an error of the target that says what would be one."""
    app(f"def answer(q):\n    {body}")
    error = bench.refusal("python", target="shop:answer")
    assert (error.type, error.transient) == ("target", False)
    assert said in str(error)
    assert "return a text, a mapping" in str(error)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_exception(bench, app, kind):
    """An exception is an error with the user's own frames and none of ours."""
    path = app(
        f"""
        {kind} answer(q):
            return look(q)

        def look(q):
            try:
                return {{}}[q]
            except KeyError as error:
                raise ValueError("no shelf " + q) from error
        """
    )
    error = bench.refusal("python", "A7", target="shop:answer")
    assert error.type == "target"
    assert str(error) == "target 'shop:answer' raised ValueError: no shelf A7"
    assert str(path) in error.detail
    assert "KeyError" in error.detail
    assert "in look" in error.detail
    assert "in answer" in error.detail
    assert "providers" not in error.detail
    assert "threads.py" not in error.detail
    assert "asyncio" not in error.detail


@pytest.mark.parametrize("what", ["SystemExit(3)", "TimeoutError('slow')", "StopIteration()"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_exceptions_that_mean_something_to_python(bench, app, what, kind):
    """Exits, timeouts and the like of user code are its errors and stop nothing of ours."""
    app(f"{kind} answer(q):\n    raise {what}")
    assert bench.refusal("python", target="shop:answer").type == "target"


def test_cancelling_itself(bench, app):
    """A coroutine that is cancelled from within is an error, not our own cancellation."""
    app("import asyncio\nasync def answer(q):\n    raise asyncio.CancelledError")
    error = bench.refusal("python", target="shop:answer")
    assert (error.type, str(error)) == ("target", "target 'shop:answer' cancelled itself")


def test_answer_error_of_the_application(bench, app):
    """An application may say itself that asking again would help."""
    app(
        "from pytest_evals import AnswerError\n"
        "def answer(q): raise AnswerError('rate_limit', 'full', retry_after_s=2)"
    )
    error = bench.refusal("python", target="shop:answer")
    assert (error.type, error.transient, error.retry_after_s) == ("rate_limit", True, 2)


def test_cancelled_from_outside(bench, app, question):
    """A cancelled call ends at once, and reaches the coroutine."""
    app(
        """
        import asyncio
        seen = []
        async def answer(q):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                seen.append(q)
                raise
        """
    )

    async def main():
        http = HttpClientPool()
        asked = bench.provider("python", http, target="shop:answer")
        asked.prepare()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked.complete(question("x")), 0.2)
        await asyncio.sleep(0.1)
        await http.aclose()

    asyncio.run(main())
    assert sys.modules["shop"].seen == ["x"]


def prepare(bench, target):
    """Prepare, and return the error it must end with."""
    with pytest.raises(AnswerError) as caught:
        bench.provider("python", target=target).prepare()
    assert caught.value.type == "target"
    return caught.value


def test_module_that_is_not_there(bench, app):
    """The error names the module and where it was looked for."""
    app("def answer(q): return q")
    error = prepare(bench, "shopp:answer")
    assert "no module 'shopp'" in str(error)
    assert str(bench.rootdir) in str(error)


def test_name_that_is_not_there(bench, app):
    """The error suggests what the module has."""
    app("def answer(q): return q")
    words = str(prepare(bench, "shop:anser"))
    assert "shop.py has no 'anser'" in words
    assert "Did you mean 'answer'?" in words


def test_import_that_fails(bench, app):
    """A module that breaks while it is imported is told apart from one that is not there."""
    app("x = 1\nimport no_such_package_here\n")
    error = prepare(bench, "shop:answer")
    assert "importing 'shop:answer' failed with ModuleNotFoundError" in str(error)
    assert "no_such_package_here" in str(error)
    assert "shop.py" in error.detail
    app("raise SystemExit('no')", "shelf.py")
    assert "failed with SystemExit: no" in str(prepare(bench, "shelf:answer"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class answer:\n    pass", "is a class"),
        ("answer = 5", "is int, which cannot be called"),
        ("def answer(): return 1", "takes no input"),
        ("def answer(a, b, c): return 1", "needs a, b, c"),
        ("def answer(q, *, key): return 1", "needs q, key"),
        ("def answer(q): yield 1", "in pieces"),
        ("async def answer(q): yield 1", "in pieces"),
    ],
)
def test_what_cannot_be_asked(bench, app, source, said):
    """A target that cannot be called with an input is refused before the first call."""
    app(source)
    assert said in str(prepare(bench, "shop:answer"))


def test_file(bench, app):
    """A file can be named by its path; what lies beside it can be imported."""
    app("WORD = 'hi'", "apps/shelf.py")
    app("from shelf import WORD\ndef answer(q): return WORD + q", "apps/shop.py")
    assert bench.ask("python", "!", target="apps/shop.py:answer").text == "hi!"
    error = prepare(bench, "apps/shob.py:answer")
    assert "there is no file 'apps/shob.py'" in str(error)
    assert str(bench.rootdir) in str(error)


def test_beside_the_dataset(bench, app):
    """What is not in the rootdir is looked for in the dataset's folder."""
    app("def answer(q): return 'beside'", "deep/shop.py")
    bench.folder = bench.rootdir / "deep"
    assert bench.ask("python", target="shop:answer").text == "beside"
    assert bench.ask("python", target="shop.py:answer").text == "beside"


def test_src_layout_and_late_imports(bench, app):
    """`src` is searched too, and imports inside a function work when it is called."""
    app("def word(): return 'late'", "src/pkg/inner.py")
    app("", "src/pkg/__init__.py")
    app("def answer(q):\n    from pkg.inner import word\n    return word()", "src/pkg/agent.py")
    assert bench.ask("python", target="pkg.agent:answer").text == "late"


def test_rootdir_comes_first_only_while_importing(bench, app):
    """The rootdir wins over installed packages, and shadows nothing afterwards."""
    app("def answer(q): return 'mine'")
    first = sys.path[0]
    assert bench.ask("python", target="shop:answer").text == "mine"
    assert sys.path[0] == first
    assert str(bench.rootdir) in sys.path[1:]


@pytest.mark.parametrize("target", ["shop", "shop:", ":answer", "shop:an swer", "a/b:answer", ""])
def test_targets_that_are_none(bench, target):
    """What names no callable is a validation error."""
    with pytest.raises(ValidationError, match=r"names no callable|neither the name of a module"):
        bench.provider("python", target=target)


def test_identity(bench, question):
    """What makes the Key is the target and all that it is given: also the case's id."""
    asked = bench.provider("python", target="shop:answer")
    one = asked.identity(question("q", case_id="one", variables={"a": 1}))
    assert one == asked.identity(question("q", case_id="one", variables={"a": 1}))
    assert one != asked.identity(question("q", case_id="two", variables={"a": 1}))
    assert one != asked.identity(question("q", case_id="one", variables={"a": 1}, turns=2))
    assert one != asked.identity(question("q", variables={"a": 2}))
    assert asked.opaque is True


def test_two_models_with_one_target_are_two(bench, question):
    """The callable is given the model, and may answer by its id: their answers are not shared."""
    one, two = (bench.provider("python", id=name, target="shop:answer") for name in ("a", "b"))
    assert one.identity(question("q")) != two.identity(question("q"))


@pytest.mark.parametrize(
    "message",
    [
        "<asyncio.locks.Event object at 0x7f> is bound to a different event loop",
        "Task <Task pending> got Future <Future pending> attached to a different loop",
        "Event loop is closed",
    ],
)
def test_an_object_of_another_event_loop_is_told_with_what_helps(bench, app, message):
    """A sync target that drives a loop in several threads: three ways out."""
    app(f"def answer(text):\n    raise RuntimeError({message!r})\n")
    with pytest.raises(AnswerError) as caught:
        bench.ask("python", target="shop:answer")
    assert message in caught.value.message
    for way in ("`async def`", "`concurrency: 1`", "`processes`"):
        assert way in caught.value.message
