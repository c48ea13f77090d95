"""User code whose calls are recorded: run for every trial, with one interceptor a model."""

import pytest

from pytest_evals.engine import call_recording
from pytest_evals.engine.call_recording import CallRecorder, RecordingProvider
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.route import ModelRoute, RecordedCodeRoute
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model, Price
from pytest_evals.providers import recording
from pytest_evals.responses.memory import MemoryResponseStore
from tests.engine._fakes import caller_with, dataset_of, provider_class, request_of, route_to, run
from tests.engine.test_recorded_calls import URL, Server, call_of

APP = Model(id="app", provider="python", options={"record_http": True})
ENV = Model(
    id="env", provider="python",
    options={"record_http": True, "record_env": {"LLM_URL": "https://llm.test/v1"}},
)  # fmt: skip


@pytest.fixture
def interceptors(monkeypatch):
    """Stand in for what patches HTTP clients; list what is installed."""
    installed = []
    monkeypatch.setattr(call_recording.intercept, "install", installed.append)
    monkeypatch.setattr(call_recording.intercept, "remove", installed.remove)
    return installed


@pytest.fixture
def caller():
    """A caller with a store."""
    return caller_with(MemoryResponseStore())


@pytest.fixture
def recorder(caller, interceptors):
    """A recorder without HTTP clients."""
    recorder = CallRecorder(caller, None, lambda url: Limiter(5))
    yield recorder
    recorder.undo()


def code_that(*texts):
    """Make a provider whose code makes calls; each answer is in its text."""
    server = Server()

    async def answer(request):
        log = recording.current()
        statuses = [(await log.ask(call_of(text), server.send)).status for text in texts]
        return Response(text=str(statuses))

    code = provider_class(answer)
    code.server = server
    return code


def test_a_model_that_records_nothing_keeps_its_route(recorder):
    """The very same."""
    route = route_to(provider_class(), Model(id="m", provider="fake"))
    assert recorder.recorded(route, dataset_of()) is route


def test_the_route_keeps_limits_and_breaker_of_the_code(recorder):
    """Prices are those of the dataset's other models."""
    route = route_to(provider_class(), APP)
    models = (APP, Model(id="a", provider="x", model="gpt", price=Price(input=1, output=1)))
    recorded = recorder.recorded(route, dataset_of(models=models))
    assert isinstance(recorded, RecordedCodeRoute)
    assert (recorded.limits, recorded.breaker, recorded.retry) == (
        route.limits, route.breaker, route.retry,
    )  # fmt: skip
    assert recorded.code is route.provider
    assert list(recorded.prices) == ["gpt"]


def test_code_runs_for_every_trial_and_its_calls_once(recorder, caller):
    """The second trial's call is answered from the store."""
    code = code_that("hi")
    route = recorder.recorded(route_to(code, APP), dataset_of())

    async def complete():
        response = await route.provider.complete(request_of())
        assert recording.current() is None, "calls after the trial would be recorded"
        return response

    responses = [run(complete()) for _ in range(2)]
    assert [r.metadata["recorded_calls"] for r in responses] == [
        {"asked": 1, "stored": 0},
        {"asked": 0, "stored": 1},
    ]
    assert (len(code.calls), code.server.calls) == (2, 1)


def test_a_refused_call_is_the_trials_error(recorder, caller):
    """Also where the code hides it."""
    caller.answers.mode = "replay"
    route = recorder.recorded(route_to(code_that("hi"), APP), dataset_of())
    with pytest.raises(AnswerError, match="STALE: call 1 of the code") as error:
        run(route.provider.complete(request_of()))
    assert error.value.type == "stale"


def test_a_refused_call_comes_before_the_codes_own_error(recorder, caller):
    """The code failed because of it."""
    caller.answers.mode = "replay"

    async def answer(request):
        await recording.current().ask(call_of("hi"), Server().send)
        raise AnswerError("target", "no answer")

    route = recorder.recorded(route_to(provider_class(answer), APP), dataset_of())
    with pytest.raises(AnswerError) as error:
        run(route.provider.complete(request_of()))
    assert error.value.type == "stale"
    caller.answers.mode = "auto"
    with pytest.raises(AnswerError, match="no answer"):
        run(route.provider.complete(request_of()))


def test_the_interceptor_is_installed_once_and_removed(recorder, interceptors):
    """Before the code is imported; a second removal changes nothing."""
    route = recorder.recorded(route_to(provider_class(), APP), dataset_of())
    assert interceptors == []
    route.provider.prepare()
    route.provider.prepare()
    run(route.provider.complete(request_of()))
    other = recorder.with_code(route, provider_class("other")(APP, None))
    assert run(other.provider.complete(request_of())).text == "other"
    assert len(interceptors) == 1
    recorder.undo()
    recorder.undo()
    assert interceptors == []


def test_storing_the_codes_answer_contradicts(recorder):
    """Its code would not run, so no call would be recorded."""
    model = APP.model_copy(update={"stored": True})
    route = recorder.recorded(route_to(provider_class(), model), dataset_of())
    with pytest.raises(AnswerError, match="Leave one of them out"):
        route.provider.prepare()


def test_code_redirected_by_the_environment_runs_one_trial_at_a_time(recorder):
    """There is one environment in a process."""
    plain = recorder.recorded(route_to(provider_class(), APP), dataset_of())
    first, second = (
        recorder.recorded(route_to(provider_class(), ENV), dataset_of()) for _ in range(2)
    )
    assert plain.limits.host is None
    assert first.limits.host.max_calls == 1
    assert first.limits.host is second.limits.host


@pytest.mark.parametrize("mode", ["auto", "replay"])
def test_a_call_of_no_trial_is_a_note(recorder, caller, interceptors, mode):
    """A thread that was there before the trial: not stored, and refused in a replay."""
    caller.answers.mode = mode
    route = recorder.recorded(route_to(provider_class(), APP), dataset_of())
    route.provider.prepare()
    (handle,) = interceptors
    answer = handle("POST", URL)
    (note,) = caller.notes
    assert note.startswith(f"'app': POST {URL} was called by a thread")
    assert (answer is None, note.endswith("was not stored")) == (mode == "auto", mode == "auto")
    assert handle("GET", "https://example.org/") is None
    assert len(list(caller.notes)) == 1


def test_the_provider_asks_the_one_it_wraps(recorder):
    """Host, identity and closing are the code's."""
    code = provider_class(host="https://x")
    provider = recorder.recorded(route_to(code, APP), dataset_of()).provider
    assert isinstance(provider, RecordingProvider)
    assert provider.host() == "https://x"
    assert provider.identity(request_of("hi")) == {"messages": ["hi"]}
    run(provider.aclose())
    assert code.closed == 1
    assert not isinstance(provider, ModelRoute)
