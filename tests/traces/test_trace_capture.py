"""The spans of a real application become the trace of its trial: run by pytest, in a process."""

import json

import pytest

from pytest_evals.exchange import Usage

pytestmark = pytest.mark.heavy

pytest.importorskip("opentelemetry.sdk.trace")

APP = '''
import asyncio, threading, time
from concurrent.futures import ThreadPoolExecutor
from opentelemetry import context, trace

T = trace.get_tracer("app")


def model_call(q):
    told = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 4,
            "gen_ai.usage.output_tokens": 1, "q": q}
    with T.start_as_current_span("chat small", attributes=told):
        time.sleep(0.002)


def in_thread(q, ctx):
    token = context.attach(ctx)
    with T.start_as_current_span("in a thread", attributes={"q": q}):
        time.sleep(0.002)
    context.detach(token)


def sync(q):
    with T.start_as_current_span("agent", attributes={"q": q, "gen_ai.operation.name": "invoke_agent"}):
        model_call(q)
        thread = threading.Thread(target=in_thread, args=(q, context.get_current()))
        thread.start()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_thread, q, context.get_current()).result()
        thread.join()
    return q


async def asynchronous(q):
    with T.start_as_current_span("agent", attributes={"q": q, "gen_ai.operation.name": "invoke_agent"}):
        await asyncio.gather(*(asyncio.to_thread(model_call, q) for _ in range(3)))
        await asyncio.sleep(0.002)
    return q


async def left_open(q):
    async def later():
        with T.start_as_current_span("later"):
            await asyncio.sleep(20)

    with T.start_as_current_span("agent"):
        task = asyncio.create_task(later())
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().task = task
    return q


def broken(q):
    with T.start_as_current_span("agent"):
        model_call(q)
        raise RuntimeError("no luck")


def rooted(q):
    """Its spans begin a trace of their own."""
    with T.start_as_current_span("own trace", context=context.Context(), attributes={"q": q}):
        pass
    return q


def silent(q):
    return q
'''
EXPORTING = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, ALWAYS_OFF

class ToFile(SpanExporter):
    def export(self, spans):
        with open("exported.txt", "a") as file:
            file.writelines(f"{span.name}\\n" for span in spans)
        return SpanExportResult.SUCCESS

def set_up():
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(ToFile()))
    trace.set_tracer_provider(provider)
"""


def model(name, **keys):
    """Describe a model that is one of the application's functions."""
    return {"id": name, "provider": "python", "target": f"app:{name}", **keys}


def case(name, *scorers):
    """Describe a case whose answer is its question."""
    return {"id": name, "input": name, "scorers": [{"equals": "{{ input }}"}, *scorers]}


def test_trials_that_run_at_once_do_not_mix(folder):
    """Threads, executors, tasks and own traces: every span stands with its own question."""
    folder.write("app.py", APP)
    folder.dataset(
        models=[model("sync"), model("asynchronous"), model("rooted"), model("silent")],
        cases=[case(f"q{i}") for i in range(12)],
    )
    assert "48 passed" in folder.evals()
    results = folder.results()
    for name, result in results.items():
        question = name.partition("[")[0]
        seen = {span.attributes["q"] for span in result.response.trace}
        assert seen <= {question}, name
        assert () == result.response.trace_notes
    names = {
        name: [span.name for span in result.response.trace] for name, result in results.items()
    }
    assert ["agent", "chat small", "in a thread", "in a thread"] == names["q7[sync]"]
    assert ["agent", *["chat small"] * 3] == names["q7[asynchronous]"]
    assert ["own trace"] == names["q7[rooted]"]
    assert [] == names["q7[silent]"]
    async_one = results["q7[asynchronous]"].response
    assert {async_one.trace[0].id} == {span.parent for span in async_one.trace[1:]}
    assert Usage(input_tokens=12, output_tokens=3) == async_one.usage


@pytest.mark.parametrize(
    "order",
    ["set_up()\n", "", "_first = []\n"],
    ids=["provider set at import", "no provider", "provider set in the first call"],
)
def test_the_applications_own_provider_stays(folder, order):
    """It exports what it did, whatever its sampler; where there is none, ours stands in."""
    late = "\n_sync = sync\ndef sync(q):\n    _first or (_first.append(1), set_up())\n    return _sync(q)\n"
    folder.write("app.py", EXPORTING + order + APP + (late if "_first" in order else ""))
    folder.dataset(models=[model("sync", concurrency=1)], cases=[case("a"), case("b")])
    told = folder.evals()
    assert "2 passed" in told, told
    assert "Overriding" not in told
    for result in folder.results().values():
        assert 4 == len(result.response.trace)
    exported = folder.path / "exported.txt"
    assert (8 if order else 0) == len(exported.read_text().split("\n")[:-1] if order else [])


def test_open_spans_are_told_and_errors_show_the_trace(folder):
    """A span that outlives the answer has no end; an exception's detail has what came before."""
    folder.write("app.py", APP)
    folder.dataset(models=[model("left_open"), model("broken")], cases=[case("a")])
    told = folder.evals()
    results = folder.results()
    opened = results["a[left_open]"].response
    assert [("agent", False), ("later", True)] == [(s.name, s.end_s is None) for s in opened.trace]
    assert ("1 span was still open when the answer was there: 'later'",) == opened.trace_notes
    error = results["a[broken]"].error
    assert "target" == error.type
    assert "its trace until then:\nagent  " in error.detail
    assert "  chat small [llm_call]" in error.detail
    assert "ERROR RuntimeError: no luck" in told


BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
"""


def test_without_opentelemetry_nothing_is_missed(folder):
    """The extra is optional: no import of it, no trace, no warning."""
    folder.write("conftest.py", BLOCK)
    folder.write("app.py", "def silent(q):\n    return q\n")
    folder.dataset(models=[model("silent")], cases=[case("a")])
    told = folder.evals("-W", "error")
    assert "1 passed" in told, told
    assert "warning" not in told


def test_with_trace_false_nothing_is_imported(folder):
    """A model that asks for no trace does not load OpenTelemetry."""
    folder.write(
        "app.py",
        "import sys\ndef seen(q):\n    return q if 'opentelemetry' not in sys.modules else 'loaded'\n",
    )
    folder.dataset(models=[model("seen", trace=False)], cases=[case("a")])
    assert "1 passed" in folder.evals()


def test_a_stored_answer_keeps_its_trace(folder):
    """In the store and in a cassette: a replay gives the very same spans, tools and verdicts."""
    folder.write("app.py", APP)
    folder.dataset(
        models=[model("sync", stored=True)], cases=[case("a", {"span": {"kind": "llm_call"}})]
    )
    assert "1 passed" in folder.evals("--evals-cassette=c.jsonl")
    first = folder.results()["a[sync]"]
    (folder.path / ".evals" / "evals.sqlite").unlink()
    assert "1 passed" in folder.evals("--evals-cassette=c.jsonl", "--evals-responses=replay")
    second = folder.results()["a[sync]"]
    assert ("asked", "stored") == (first.answers[0].source, second.answers[0].source)
    assert first.response.trace == second.response.trace
    assert first.scores == second.scores


CANARY = "canary-5b1f0c7e2a"
LEAK = """
import os
from opentelemetry import trace

def leak(q):
    key = os.environ["MY_API_KEY"]
    with trace.get_tracer("t").start_as_current_span(f"call {key}", attributes={key: key}) as span:
        span.add_event(f"event {key}", {"key": key})
        span.record_exception(ValueError(key))
        span.set_attribute("gen_ai.tool.call.arguments", '{"key": "%s"}' % key)
        span.set_attribute("gen_ai.operation.name", "execute_tool")
        span.set_status(trace.Status(trace.StatusCode.ERROR, f"bad {key}"))
    return q
"""


def test_no_secret_of_a_trace_is_written(folder):
    """In names, attributes, events and errors: not a byte of it in any file or on the terminal."""
    folder.write("app.py", LEAK)
    folder.dataset(
        models=[model("leak", stored=True)],
        cases=[case("a", "no_error_spans", {"span": "nothing"})],
    )
    told = folder.evals(
        "--evals-html=r.html",
        "--evals-json=r.json",
        "--evals-cassette=c.jsonl",
        "--junitxml=j.xml",
        MY_API_KEY=CANARY,
    )
    told += folder.cli("show", "latest", "a[leak]")
    assert "1 failed" in told
    assert "[redacted]" in told
    assert CANARY not in told
    files = [path for path in folder.path.rglob("*") if path.is_file() and path.name != "app.py"]
    assert {"r.html", "r.json", "c.jsonl", "j.xml", "evals.sqlite"} <= {path.name for path in files}
    assert [] == [path.name for path in files if CANARY.encode() in path.read_bytes()]


TURNS = """
from opentelemetry import trace

def talk(q, context):
    with trace.get_tracer("t").start_as_current_span(f"turn {context.turn}"):
        return f"{context.turn}: {q}"
"""


def test_turns_keep_their_order(folder):
    """Each turn has its own trace, and scorers see them one after another."""
    folder.write("app.py", TURNS)
    said = {"id": "t", "turns": ["a", "b", "c"]}
    order = {"span_order": ["turn 0", "turn 1", "turn 2"]}
    wrong = {"not": {"span_order": ["turn 1", "turn 0"]}}
    folder.dataset(models=[model("talk")], cases=[{**said, "scorers": [order, wrong]}])
    assert "1 passed" in folder.evals()
    answers = folder.results()["t[talk]"].answers
    assert [["turn 0"], ["turn 1"], ["turn 2"]] == [
        [span.name for span in one.response.trace] for one in answers
    ]
    told = folder.cli("show", "latest", "t[talk]")
    assert "trace, turn 2, 1 span\n    turn 1  " in told


MANY = """
from opentelemetry import trace
T = trace.get_tracer("t")

def many(q):
    for i in range(25_000):
        T.start_span(f"s{i}").end()
    with T.start_as_current_span("big", attributes={"text": "x" * 3_000_000}):
        return q
"""


def test_a_huge_trace_is_bounded_and_says_so(folder):
    """The first thousand spans are kept; what is missing makes no assertion true."""
    folder.write("app.py", MANY)
    scorers = [{"span": {"name": "s1", "min": 1}}, {"span": {"name": "secret", "max": 0}}]
    folder.dataset(models=[model("many")], cases=[case("a", *scorers)])
    told = folder.evals("--evals-json=r.json")
    assert "24,001 of 25,001 spans were left out: 1,000 are kept" in told
    result = folder.results()["a[many]"]
    assert 1_000 == len(result.response.trace)
    assert [True, True] == [score.passed for score in result.scores[:2]]
    assert "error" == result.scores[2].kind
    (told_json,) = json.loads((folder.path / "r.json").read_text())["trials"]
    assert "errored" == told_json["outcome"]


def test_the_failure_shows_the_trace(folder):
    """Where a scorer of spans fails, the tree stands below the answer."""
    folder.write("app.py", APP)
    folder.dataset(models=[model("sync")], cases=[case("a", {"span": {"name": "search"}})])
    told = folder.evals()
    assert "FAIL  span" in told
    assert "trace\n    agent [agent_turn]  " in told
    assert "\n      chat small [llm_call]  " in told
