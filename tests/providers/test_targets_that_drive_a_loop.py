"""Sync targets that drive an event loop: at the defaults they work, one loop for all their calls."""

from textwrap import dedent

import pytest
import yaml

from tests._servers import Loopback, Say

CLIENT = """
    import asyncio, threading, time
    import anyio, httpx

    class Client:
        "What SDKs have: objects that belong to the event loop of their first use."
        def __init__(self):
            self.free = asyncio.Semaphore(2)
            self.loops = set()
        async def ask(self, q):
            async with self.free:
                self.loops.add(asyncio.get_running_loop())
                await asyncio.sleep(0.01)
            assert len(self.loops) == 1, "used on another event loop"
            return f"re: {q}"

    client = Client()
    web = httpx.AsyncClient()

    async def fetch(q):
        response = await web.get(URL)
        return f"re: {q}" if response.status_code == 200 else str(response.status_code)
"""

DRIVEN = {
    "asyncio.run": "return asyncio.run(client.ask(q))",
    "anyio.run": "return anyio.run(client.ask, q)",
    "a runner": """
        with asyncio.Runner() as runner:
            return runner.run(client.ask(q)) and runner.run(client.ask(q))
    """,
    "the loop of the thread": "return asyncio.get_event_loop().run_until_complete(client.ask(q))",
    "a new loop": """
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(client.ask(q))
        finally:
            loop.close()
    """,
    "a new loop of the thread": """
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(client.ask(q))
    """,
    # openai-agents: Runner.run_sync
    "a task, and the end of generators": """
        loop = asyncio.get_event_loop_policy().get_event_loop()
        task = loop.create_task(client.ask(q))
        try:
            return loop.run_until_complete(task)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
    """,
    "gathered": """
        loop = asyncio.get_event_loop()
        both = asyncio.gather(loop.create_task(client.ask(q)), loop.create_task(client.ask(q)))
        return loop.run_until_complete(both)[0]
    """,
    "one after another": "asyncio.run(client.ask(q)); return asyncio.run(client.ask(q))",
    "both ways": """
        asyncio.run(client.ask(q))
        return asyncio.get_event_loop().run_until_complete(client.ask(q))
    """,
    "a loop in a thread of its own": """
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(client.ask(q), loop).result(5)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
    """,
    "a sync tool that drives it again": """
        def tool():
            return asyncio.run(client.ask(q))
        return asyncio.run(asyncio.to_thread(tool))
    """,
    "httpx, asyncio.run": "return asyncio.run(fetch(q))",
    "httpx, the loop of the thread": "return asyncio.get_event_loop().run_until_complete(fetch(q))",
}


@pytest.fixture
def server():
    """A server that keeps its connections."""
    with Loopback().running() as running:
        running.say(Say(body={"ok": True}))
        yield running


@pytest.fixture
def evals(pytester):
    """Run a target with 12 cases."""

    def run(body, *options, name="answer", url="", cases=12, scorers=(), **model):
        source = dedent(CLIENT) + f"URL = {url!r}\n{body}\n"
        pytester.makepyfile(shop=source)
        dataset = {
            "models": [{"id": "m", "provider": "python", "target": f"shop:{name}", **model}],
            "cases": [
                {"id": f"c{i}", "input": f"q{i}", "scorers": [{"equals": f"re: q{i}"}, *scorers]}
                for i in range(cases)
            ],
        }
        pytester.path.joinpath("a.evals.yaml").write_text(yaml.safe_dump(dataset))
        return pytester.runpytest_inprocess("--evals", "-rA", "a.evals.yaml", *options)

    return run


def answer(body):
    """Return a function of a target."""
    return "def answer(q):\n" + "\n".join(
        f"    {line}" for line in dedent(body).strip().split("\n")
    )


@pytest.mark.parametrize("body", DRIVEN.values(), ids=DRIVEN)
def test_a_target_that_drives_a_loop(evals, server, body):
    """All its calls are on one loop, so that a client that they share works."""
    evals(answer(body), url=server.url).assert_outcomes(passed=12)


def test_in_processes_too(evals, server):
    """A process has one loop for all its calls, of sync and of async targets."""
    evals(
        answer(DRIVEN["httpx, asyncio.run"]), url=server.url, processes=1, cases=3
    ).assert_outcomes(passed=3)
    body = "async def answer(q):\n    return await fetch(q)"
    evals(body, url=server.url, processes=1, cases=3).assert_outcomes(passed=3)


def test_an_async_target_whose_tool_drives_a_loop(evals):
    """A sync tool, in a thread of the loop's, uses the loop too."""
    body = """
async def answer(q):
    await client.ask(q)
    return await asyncio.to_thread(lambda: asyncio.run(client.ask(q)))
    """
    evals(body).assert_outcomes(passed=12)


@pytest.mark.parametrize("process", [False, True])
def test_scorers_that_drive_a_loop(evals, process):
    """Functions as scorers, sync and async, run in the same threads, or in processes as targets do."""
    body = """
def score(answer):
    return asyncio.run(client.ask(answer)).startswith("re: re:")
async def score_later(answer):
    return (await client.ask(answer)).startswith("re: re:")
def answer(q):
    return f"re: {q}"
    """
    scorers = [
        {"python": {"target": f"shop:{name}", "process": process}}
        for name in ("score", "score_later")
    ]
    evals(body, scorers=scorers).assert_outcomes(passed=12)


@pytest.mark.parametrize(
    "made",
    ["loop = asyncio.new_event_loop()", "loop = asyncio.Runner().get_loop()"],
    ids=["loop", "runner"],
)
def test_a_loop_that_the_module_made(evals, made):
    """Two threads cannot run one loop: calls that showed it run one at a time."""
    body = f"{made}\n" + answer("return loop.run_until_complete(client.ask(q))")
    result = evals(body)
    result.assert_outcomes(passed=12)


def test_a_loop_of_another_kind(evals):
    """A loop from elsewhere is the code's own; its error says what to do."""
    body = """
gate = asyncio.Event()
async def work(q):
    try:
        await asyncio.wait_for(gate.wait(), 0.01)
    except TimeoutError:
        return f"re: {q}"
""" + answer("""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work(q))
    """)
    result = evals(body, "--evals-concurrency=1", max_retries=0, cases=2)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*make the target `async def`, or give the*"])


def test_plain_sync_targets_keep_their_threads(evals, pytester):
    """A target that sleeps 50 ms gains from threads as before: 40 calls in far less than 2 s."""
    body = """
import time
from pathlib import Path
running = most = 0
lock = threading.Lock()
def answer(q):
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(0.05)
    with lock:
        running -= 1
    Path("most").write_text(str(most))
    return f"re: {q}"
    """
    evals(body, cases=40).assert_outcomes(passed=40)
    assert int((pytester.path / "most").read_text()) >= 8


def test_calls_of_a_driven_loop_run_together(evals):
    """12 calls that wait 0.3 s each take far less than one after another."""
    body = answer("""
        async def slow():
            await asyncio.sleep(0.3)
            return f"re: {q}"
        return asyncio.run(slow())
    """)
    result = evals(body)
    result.assert_outcomes(passed=12)
    assert result.duration < 2.5


def test_a_call_that_exits_or_stops_the_loop_ends_nothing_else(evals):
    """`sys.exit` in a task is its trial's error; the loop of the others runs on."""
    body = """
import sys
async def dies():
    sys.exit(3)
async def work(q):
    if q == "q1":
        await asyncio.create_task(dies())
    if q == "q2":
        asyncio.get_running_loop().stop()
    return await client.ask(q)
def answer(q):
    return asyncio.run(work(q))
    """
    result = evals(body)
    result.assert_outcomes(passed=11, errors=1)
    result.stdout.fnmatch_lines(["*target 'shop:answer' raised SystemExit: 3*"])


def test_a_call_that_is_given_up_is_cancelled_on_the_loop(evals, pytester):
    """At its timeout the coroutine is cancelled; without that it would go on and call models."""
    body = """
from pathlib import Path
async def work(q):
    try:
        await asyncio.sleep(1.5)
    finally:
        Path("ended").write_text(str(asyncio.current_task().cancelling()))
    Path("went on").touch()
def answer(q):
    return asyncio.run(work(q))
    """
    result = evals(body, cases=1, timeout_s=0.3)
    result.assert_outcomes(errors=1)
    assert pytester.path.joinpath("ended").read_text() == "1"
    assert not pytester.path.joinpath("went on").exists()


def test_a_call_that_blocks_the_loop_does_not_block_the_next(evals):
    """A loop that does not respond at a timeout is left; the next call has a new one."""
    body = """
import time
async def work(q):
    if q == "q0":
        time.sleep(3)
    return f"re: {q}"
def answer(q):
    return asyncio.run(work(q))
    """
    result = evals(body, "--evals-concurrency=1", timeout_s=0.5, cases=3)
    result.assert_outcomes(passed=2, errors=1)


def test_nothing_of_asyncio_is_changed_afterwards(evals):
    """The function that makes loops is asyncio's own again."""
    import asyncio

    before = asyncio.new_event_loop
    evals(answer(DRIVEN["asyncio.run"]), cases=2).assert_outcomes(passed=2)
    assert asyncio.new_event_loop is before
    assert asyncio.events.new_event_loop is before
