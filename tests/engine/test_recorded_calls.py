"""The HTTP calls of one run of user code: answered, stored, counted and recorded as spans."""

import asyncio
import json

import pytest

from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.recorded_calls import RecordedCalls, RecordingDeps, refusal
from pytest_evals.exchange import Response, Span, Usage
from pytest_evals.model import Model, Price
from pytest_evals.providers.http_calls import HttpAnswer, HttpCall
from pytest_evals.providers.recording import RecordOptions
from pytest_evals.responses.memory import MemoryResponseStore
from tests.engine._fakes import caller_with, request_of, run

URL = "https://api.openai.com/v1/chat/completions"
APP = Model(id="app", provider="python", options={"record_http": True})
PRICES = {"gpt": Price(input=1.0, output=1.0)}


class NoLoopback:
    """A loopback server that is never reached."""

    def owns(self, url):
        """Return False: no address is its own."""
        return False


def call_of(text="hi", model="gpt"):
    """Make a call of an application."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    headers = {"content-type": "application/json"}
    return HttpCall("POST", URL, headers, json.dumps(body).encode())


def answer_of(text="yes", status=200):
    """Make a server's answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    body = {"model": "gpt", "choices": [choice], "usage": usage}
    return HttpAnswer(status, (("content-type", "application/json"),), json.dumps(body).encode())


class Server:
    """Answers calls; it can fail."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = 0

    async def send(self):
        """Answer one call."""
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else answer_of(f"yes {self.calls}")
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def caller():
    """A caller with a store."""
    return caller_with(MemoryResponseStore())


def calls_with(caller, **request):
    """Return the record of one run of code. Runs on an event loop."""
    deps = RecordingDeps(
        caller=caller, limiter=lambda url: Limiter(10), prices=PRICES, loopback=NoLoopback(),
        timeout_s=5.0,
    )  # fmt: skip
    return RecordedCalls(deps, APP, RecordOptions.of(APP), request_of(**request))


def text_of(answer):
    """Return the text in an answer."""
    return json.loads(answer.body)["choices"][0]["message"]["content"]


def run_code(caller, server, *texts, **request):
    """Make calls one after the other; return their answers and the code's response."""

    async def scenario():
        calls = calls_with(caller, **request)
        answers = [await calls.ask(call_of(text), server.send) for text in texts]
        calls.close()
        return answers, calls.complete_response(Response(text="done")), calls

    return run(scenario())


def test_a_call_is_sent_once_and_then_stored(caller):
    """The second run of the code has the stored answer."""
    server = Server()
    for source in ("asked", "stored"):
        (answer,), response, _ = run_code(caller, server, "hi")
        assert (answer.status, text_of(answer)) == (200, "yes 1")
        assert response.metadata["recorded_calls"][source] == 1
        assert (response.usage.total_tokens, response.cost_usd) == (15, pytest.approx(15e-6))
        (span,) = response.trace
        assert (span.kind, span.name, span.attributes["answer"]) == ("llm_call", "gpt", source)
    assert server.calls == 1
    assert caller.attempts.budget.tokens == 15


def test_a_call_needs_no_slot_of_the_session(caller):
    """The trial that makes it holds one: with a limit of 1 it would wait for itself."""
    caller.attempts.session = Limiter(1)

    async def scenario():
        async with caller.attempts.session.slot():
            return await calls_with(caller).ask(call_of(), Server().send)

    assert run(scenario(), 5).status == 200


def test_equal_calls_of_one_run_have_an_answer_each(caller):
    """Code that samples twice gets two answers, also from the store."""
    server = Server()
    for _ in range(2):
        answers, _, _ = run_code(caller, server, "hi", "hi")
        assert [text_of(answer) for answer in answers] == ["yes 1", "yes 2"]
    assert server.calls == 2


def test_samples_of_a_case_have_answers_of_their_own(caller):
    """Sample 1 does not get what sample 0 stored."""
    server = Server()
    texts = [text_of(run_code(caller, server, "hi", sample=n)[0][0]) for n in (0, 1, 0)]
    assert texts == ["yes 1", "yes 2", "yes 1"]


def test_the_servers_error_reaches_the_code_and_is_not_stored(caller):
    """The SDK retries by itself, and that call may succeed."""
    server = Server(answer_of(status=500))
    answers, response, calls = run_code(caller, server, "hi", "hi")
    assert [answer.status for answer in answers] == [500, 200]
    assert server.calls == 2
    assert calls.refused is None
    assert response.metadata["recorded_calls"] == {"asked": 1, "stored": 0}
    assert [span.error is None for span in response.trace] == [False, True]
    (again,), _, _ = run_code(caller, server, "hi")
    assert (again.status, server.calls) == (200, 2)


def test_an_exception_of_the_connection_reaches_the_code(caller):
    """As the same object."""
    error = OSError("no route")

    async def scenario():
        calls = calls_with(caller)
        with pytest.raises(OSError, match="no route") as caught:
            await calls.ask(call_of(), Server(error).send)
        return caught.value

    assert run(scenario()) is error


def test_a_replay_refuses_what_is_not_stored(caller):
    """The code sees an error that it does not retry; every later call is refused too."""
    caller.answers.mode = "replay"
    server = Server()
    answers, _, calls = run_code(caller, server, "hi", "ho")
    assert [answer.status for answer in answers] == [400, 400]
    assert server.calls == 0
    assert calls.refused.type == "stale"
    assert calls.refused.message.startswith(f"STALE: call 1 of the code, POST {URL}: no answer")


def test_a_spent_budget_refuses_calls(caller):
    """The trial was not run, whatever the code made of it."""
    caller.attempts.budget.max_tokens = 10
    server = Server()
    _, _, calls = run_code(caller, server, "hi", "ho")
    assert (server.calls, calls.refused.type) == (1, "not_run")
    assert "call 2 of the code" in calls.refused.message


def test_an_answer_that_cannot_be_stored_is_passed_on_and_paid_for(caller):
    """With a note."""
    html = HttpAnswer(200, (("content-type", "text/html"),), b"x", not_stored="it is a stream")
    (answer,), response, _ = run_code(caller, Server(html), "hi")
    assert answer is html
    assert "it is a stream, so it is not stored" in next(iter(caller.notes))
    assert "recorded_calls" not in response.metadata


def test_a_late_call_belongs_to_no_trial(caller):
    """It is sent and not stored; a replay refuses it."""

    async def scenario():
        calls, server = calls_with(caller), Server()
        calls.close()
        first = await calls.ask(call_of(), server.send)
        caller.answers.mode = "replay"
        return first.status, (await calls.ask(call_of(), server.send)).status, server.calls

    assert run(scenario()) == (200, 400, 1)
    assert list(caller.notes) == [
        "'app' made calls after their trial had ended; they were not stored"
    ]


def test_closing_cancels_the_calls_under_way(caller):
    """The code did not wait for them."""

    async def scenario():
        calls = calls_with(caller)
        task = asyncio.ensure_future(calls.ask(call_of(), lambda: asyncio.sleep(60)))
        await asyncio.sleep(0.01)
        calls.close()
        await asyncio.gather(task, return_exceptions=True)
        (span,) = calls.complete_response(Response(text="x")).trace
        return task.cancelled(), span.error

    assert run(scenario()) == (True, "the code did not wait for the answer")


def test_code_that_reports_its_own_trace_and_usage_is_believed(caller):
    """Nothing is counted twice."""

    async def scenario():
        calls = calls_with(caller)
        await calls.ask(call_of(), Server().send)
        span = Span(id="1", name="mine", kind="llm_call", start_s=0.0, end_s=1.0)
        reported = Response(
            text="x", trace=(span,), usage=Usage(input_tokens=1, output_tokens=1), cost_usd=9.0
        )
        return calls.complete_response(reported)

    response = run(scenario())
    assert [span.name for span in response.trace] == ["mine"]
    assert (response.cost_usd, response.usage.total_tokens) == (9.0, 2)


def test_code_without_calls_pays_for_itself(caller):
    """What it reports counts."""

    async def scenario():
        calls = calls_with(caller)
        usage = Usage(input_tokens=4, output_tokens=0)
        calls.complete_response(Response(text="x", usage=usage, cost_usd=0.5))

    run(scenario())
    assert (caller.attempts.budget.cost_usd, caller.attempts.budget.tokens) == (0.5, 4)


def test_a_refusal_is_an_answer_that_sdks_do_not_retry():
    """Status 400, and the header of OpenAI's SDK."""
    answer = refusal("because")
    assert answer.status == 400
    assert dict(answer.headers)["x-should-retry"] == "false"
    assert json.loads(answer.body)["error"]["message"] == "because"
