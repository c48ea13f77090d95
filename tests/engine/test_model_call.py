"""The one path of a model call: stored answer, call, or error, as an exchange."""

import asyncio

import pytest

from pytest_evals.engine.route import RecordedCodeRoute
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.responses.memory import MemoryResponseStore
from tests.engine._fakes import (
    MODEL,
    caller_with,
    clock,
    provider_class,
    request_of,
    route_to,
    run,
    used,
)


def call(caller, route, text="hi", **fields):
    """Make one call."""
    return run(caller.call(route, request_of(text, **fields), clock()))


def test_a_stored_answer_is_used_again():
    """The second call is none; its cost is what it was."""
    caller = caller_with(MemoryResponseStore())
    provider = provider_class(lambda request: used(3, cost_usd=0.25))
    first, second = (call(caller, route_to(provider)) for _ in range(2))
    assert (first.source, second.source) == ("asked", "stored")
    assert (second.response, second.cost_usd, second.key) == (first.response, 0.25, first.key)
    assert (len(provider.calls), caller.counts.reused) == (1, 1)
    assert caller.attempts.budget.cost_usd == 0.25


def test_another_request_is_another_call():
    """Samples, messages and roles have keys of their own."""
    caller = caller_with(MemoryResponseStore())
    route = route_to(provider_class())
    keys = {
        call(caller, route).key,
        call(caller, route, "ho").key,
        call(caller, route, sample=1).key,
    }
    keys.add(run(caller.call(route, request_of(), clock(), role="judge:j")).key)
    assert len(keys) == 4


def test_equal_calls_at_once_are_one_call():
    """The second trial waits for the response of the first."""

    async def scenario():
        caller = caller_with()
        provider = provider_class(lambda request: asyncio.sleep(0.02, Response(text="yes")))
        route = route_to(provider)
        exchanges = await asyncio.gather(
            *(caller.call(route, request_of(), clock()) for _ in range(3))
        )
        return len(provider.calls), sorted(e.source for e in exchanges)

    assert run(scenario()) == (1, ["asked", "stored", "stored"])


@pytest.mark.parametrize("mode", ["off", "refresh"])
def test_equal_calls_at_once_are_as_many_calls_where_nothing_is_shared(mode):
    """Each trial makes its own."""

    async def scenario():
        caller = caller_with(mode=mode)
        provider = provider_class(lambda request: asyncio.sleep(0.02, Response(text="yes")))
        route = route_to(provider)
        await asyncio.gather(*(caller.call(route, request_of(), clock()) for _ in range(3)))
        return len(provider.calls)

    assert run(scenario()) == 3


def test_a_cancelled_call_passes_to_the_trial_that_waits():
    """It makes the call itself."""

    async def scenario():
        caller = caller_with()
        provider = provider_class(lambda request: asyncio.sleep(0.05, Response(text="yes")))
        route = route_to(provider)
        first = asyncio.ensure_future(caller.call(route, request_of(), clock()))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(caller.call(route, request_of(), clock()))
        await asyncio.sleep(0.01)
        first.cancel()
        exchange = await second
        return exchange.source, len(provider.calls)

    assert run(scenario()) == ("asked", 2)


def test_a_trial_out_of_time_does_not_fail_the_one_that_waits():
    """Its deadline says nothing about the call."""

    async def scenario():
        from pytest_evals.engine.trial_clock import TrialClock

        caller = caller_with()
        provider = provider_class(lambda request: asyncio.sleep(0.05, Response(text="yes")))
        route = route_to(provider)
        late = asyncio.ensure_future(caller.call(route, request_of(), TrialClock(0.02)))
        await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(caller.call(route, request_of(), clock()))
        return (await late).error.type, (await waiting).response

    error, response = run(scenario())
    assert error == "deadline"
    assert response.text == "yes"


def test_an_error_has_its_attempts_and_key():
    """An exchange without a response still says what was tried."""
    errors = [AnswerError("overloaded", "1"), AnswerError("invalid_request", "2")]

    def answer(request):
        raise errors.pop(0)

    exchange = call(caller_with(), route_to(provider_class(answer)))
    assert exchange.error.message == "2"
    assert [error.message for error in exchange.attempts] == ["1"]
    assert exchange.key


def test_a_replay_makes_no_call():
    """A missing answer is stale."""
    provider = provider_class()
    exchange = call(caller_with(MemoryResponseStore(), mode="replay"), route_to(provider))
    assert (exchange.error.type, provider.calls) == ("stale", [])
    assert exchange.error.message.startswith("STALE: no answer of 'm' is stored")


def test_a_scripted_answer_is_played_in_every_mode():
    """Nothing is called or stored, and a session without a budget may play it."""
    store = MemoryResponseStore()
    caller = caller_with(store, mode="replay")
    exchange = call(caller, route_to(provider_class("scripted", recorded=True)))
    assert (exchange.response.text, exchange.source, exchange.key) == ("scripted", "scripted", "")
    assert caller.counts.calls == 0


def test_a_scripted_error_says_that_it_is_scripted():
    """It is the recording's, not the provider's."""

    def answer(request):
        raise AnswerError("script_exhausted", "no more")

    exchange = call(caller_with(), route_to(provider_class(answer, recorded=True)))
    assert (exchange.error.type, exchange.source) == ("script_exhausted", "scripted")


def test_a_refusal_is_reported_once():
    """The first trial has the error, the others were not run."""
    caller = caller_with()
    caller.refusal = "no key"
    provider = provider_class()
    types = [call(caller, route_to(provider)).error.type for _ in range(3)]
    assert types == ["unauthorized", "not_run", "not_run"]
    assert provider.calls == []


@pytest.mark.parametrize("error", [AnswerError("invalid_request", "bad"), KeyError("x")])
def test_a_provider_that_cannot_identify_a_request_is_an_error(error):
    """No call is made without a key."""
    provider = provider_class()

    def identity(self, request):
        raise error

    provider.identity = identity
    exchange = call(caller_with(), route_to(provider))
    assert exchange.error.type == ("invalid_request" if type(error) is AnswerError else "internal")
    assert provider.calls == []


def test_user_code_runs_in_a_replay_and_only_its_calls_are_stored():
    """Its response is neither looked up, stored nor paid for; the calls are."""
    store = MemoryResponseStore()
    calls = {"asked": 0, "stored": 2}
    provider = provider_class(lambda request: used(5, metadata={"recorded_calls": calls}))
    base = route_to(provider)
    route = RecordedCodeRoute(
        model=MODEL, provider=base.provider, limits=base.limits, breaker=base.breaker,
        retry=base.retry, attempt_timeout_s=5, code=base.provider, prices={},
    )  # fmt: skip
    caller = caller_with(store, mode="replay")
    exchanges = [call(caller, route) for _ in range(2)]
    assert [exchange.source for exchange in exchanges] == ["stored", "stored"]
    assert len(provider.calls) == 2
    assert caller.attempts.budget.tokens == 0
    calls["asked"] = 1
    assert call(caller, route).source == "asked"
    assert store.get(exchanges[0].key) is None
