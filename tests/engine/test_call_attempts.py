"""Calls of a provider within limits: retries, timeouts, budget and circuit breaker."""

import asyncio
from time import monotonic

import pytest

from pytest_evals.engine.budget import Breaker, Budget
from pytest_evals.engine.call_attempts import CallAttempts
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.route import RouteLimits
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model, Price
from tests.engine._fakes import clock, provider_class, request_of, route_to, run, used


def attempts_with(budget=None, session=10):
    """Return what makes calls, without redaction."""
    return CallAttempts(Limiter(session), budget or Budget(), lambda response: response)


async def nothing(response, cost_usd):
    """Store nothing."""


def failing(*errors):
    """Make a provider that fails with these errors, then answers."""
    pending = list(errors)

    def answer(request):
        if pending:
            raise pending.pop(0)
        return Response(text="yes")

    return provider_class(answer)


def call(route, *, attempts=None, time=None, save=nothing):
    """Make one call; return what it returned and the errors of its attempts."""
    errors = []
    made = run(
        (attempts or attempts_with()).call(route, request_of(), time or clock(), save, errors)
    )
    return made, [error.type for error in errors]


def test_a_transient_error_is_retried():
    """Both attempts count, and the second one's response is the result."""
    attempts = attempts_with()
    route = route_to(failing(AnswerError("overloaded", "busy")))
    (cost, response), errors = call(route, attempts=attempts)
    assert (cost, response.text, errors) == (None, "yes", ["overloaded"])
    assert (attempts.counts.calls, attempts.counts.retries, attempts.counts.in_flight) == (2, 1, 0)


def test_retries_are_bounded_and_the_last_error_is_raised():
    """Two retries are three attempts."""
    provider = failing(*(AnswerError("timeout", f"n{n}") for n in range(9)))
    with pytest.raises(AnswerError, match="n2"):
        call(route_to(provider, retry=RetryPolicy(2, base_s=0.001)))
    assert len(provider.calls) == 3


def test_a_permanent_error_is_not_retried():
    """It is raised at once."""
    provider = failing(AnswerError("invalid_request", "bad"))
    with pytest.raises(AnswerError, match="bad"):
        call(route_to(provider))
    assert len(provider.calls) == 1


def test_a_provider_that_raises_something_else_is_named():
    """A plugin's bug is an internal error with its traceback."""
    with pytest.raises(AnswerError, match="provider 'fake' failed: ZeroDivisionError") as error:
        call(route_to(failing(ZeroDivisionError("oops"))))
    assert error.value.type == "internal"


def test_a_provider_that_returns_no_response_is_named():
    """What it returned is said."""
    with pytest.raises(AnswerError, match="it returned dict, expected a Response"):
        call(route_to(provider_class(lambda request: {"text": "yes"})))


def test_a_provider_that_cancels_itself_is_an_error_of_it():
    """The trial goes on."""

    def answer(request):
        raise asyncio.CancelledError

    with pytest.raises(AnswerError, match="cancelled its own call"):
        call(route_to(provider_class(answer)))


def test_a_call_that_hangs_times_out_and_is_cancelled():
    """The provider sees its own limit and the cancellation."""
    ended = []

    async def hang():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    provider = provider_class(lambda request: hang())
    route = route_to(provider, attempt_timeout_s=0.02, retry=RetryPolicy(0))

    async def scenario():
        with pytest.raises(AnswerError, match=r"'m' gave no answer within 0\.02 s") as error:
            await attempts_with().call(route, request_of(), clock(), nothing, [])
        return error.value.type, list(ended)

    assert run(scenario()) == ("timeout", [True])
    assert provider.calls[0].timeout_s == 0.02


def test_waiting_for_a_slot_uses_up_no_time():
    """The clock runs while the provider is called, and only then."""

    async def scenario():
        attempts, time = attempts_with(session=1), clock()
        slow = provider_class(lambda request: asyncio.sleep(0.05, Response(text="yes")))
        began = monotonic()
        async with attempts.session.slot():
            waiting = asyncio.ensure_future(
                attempts.call(route_to(slow), request_of(), time, nothing, [])
            )
            await asyncio.sleep(0.2)
        await waiting
        return time.used_s, monotonic() - began

    used_s, elapsed_s = run(scenario())
    assert 0.049 <= used_s <= elapsed_s - 0.19


def test_a_trial_out_of_time_makes_no_call():
    """The deadline is checked before each attempt."""
    provider = provider_class()
    with pytest.raises(AnswerError, match="the trial used up its 5 s") as error:
        call(route_to(provider), time=TrialClock(5.0, used_s=5.0))
    assert error.value.type == "deadline"
    assert provider.calls == []


def test_retries_end_with_the_trials_time():
    """Each attempt shortens what is left; the last limit is the rest of it."""
    hang = provider_class(lambda request: asyncio.sleep(60))
    with pytest.raises(AnswerError) as error:
        call(route_to(hang, retry=RetryPolicy(50, base_s=0.001)), time=TrialClock(0.05))
    assert error.value.type == "deadline"
    assert len(hang.calls) <= 3


def test_a_session_out_of_time_is_not_run():
    """Also while a call waits for a slot."""
    with pytest.raises(AnswerError, match="the session's time") as error:
        call(route_to(provider_class()), time=TrialClock(60.0, session_end=monotonic() - 1))
    assert error.value.type == "not_run"

    async def waits_for_a_slot():
        attempts = attempts_with(session=1)
        async with attempts.session.slot():
            time = TrialClock(60.0, session_end=monotonic() + 0.05)
            await attempts.call(route_to(provider_class()), request_of(), time, nothing, [])

    with pytest.raises(AnswerError, match="the session's time"):
        run(waits_for_a_slot())


def test_a_spent_budget_stops_the_next_call():
    """The call that spends it is the last."""
    budget = Budget(max_tokens=10)
    attempts = attempts_with(budget)
    route = route_to(provider_class(lambda request: used(12)))
    call(route, attempts=attempts)
    assert budget.tokens == 12
    with pytest.raises(AnswerError, match="12 of 10 tokens"):
        call(route, attempts=attempts)


def test_the_cost_is_the_targets_else_the_price():
    """A target that reports its cost knows best."""
    model = Model(id="m", provider="fake", price=Price(input=1.0, output=1.0))
    (cost, _), _ = call(route_to(provider_class(lambda request: used(2_000_000)), model))
    assert cost == 2.0
    reported = provider_class(lambda request: used(2_000_000, cost_usd=0.5))
    (cost, _), _ = call(route_to(reported, model))
    assert cost == 0.5


def test_equal_errors_open_the_breaker():
    """Then no call is made."""
    provider = provider_class(lambda request: (_ for _ in ()).throw(AnswerError("provider", "no")))
    route = route_to(provider, breaker=Breaker("m", 2), retry=RetryPolicy(0))
    for _ in range(2):
        with pytest.raises(AnswerError, match="no"):
            call(route)
    with pytest.raises(AnswerError, match="was disabled") as error:
        call(route)
    assert error.value.type == "not_run"
    assert len(provider.calls) == 2


def test_a_success_forgets_the_errors_in_a_row():
    """Two errors with a success between them do not open a breaker of two."""
    errors = [AnswerError("provider", "no"), None, AnswerError("provider", "no"), None]

    def answer(request):
        if (error := errors.pop(0)) is not None:
            raise error
        return Response(text="yes")

    route = route_to(provider_class(answer), breaker=Breaker("m", 2), retry=RetryPolicy(0))
    for passes in (False, True, False, True):
        if passes:
            call(route)
        else:
            with pytest.raises(AnswerError, match="no"):
                call(route)


def test_pushback_lowers_the_limit_of_the_model():
    """429 and its like halve it, other errors do not."""
    for error_type, limit in (("rate_limit", 5), ("connection", 10)):
        limiter = Limiter(10)
        route = route_to(
            failing(AnswerError(error_type, "x")),
            limits=RouteLimits(model=limiter),
        )
        call(route)
        assert limit <= limiter.limit < limit + 1


def test_a_reported_rate_limit_pauses_the_model():
    """Nothing is left until the reset, so the next call waits."""
    limiter = Limiter(10)
    state = {"remaining_requests": 0, "reset_requests_s": 0.1}
    provider = provider_class(lambda request: Response(text="yes", metadata={"rate_limit": state}))
    call(route_to(provider, limits=RouteLimits(model=limiter)))
    assert limiter._delay() > 0.05


def test_every_limit_is_held_during_the_call_and_the_store():
    """A slow store slows the calls, instead of letting answers pile up."""
    seen = []

    async def scenario():
        limits = RouteLimits(model=Limiter(1), host=Limiter(1))
        attempts = attempts_with(session=1)

        def active(where):
            holders = (limits.model, limits.host, attempts.session)
            seen.append((where, *(limiter.active for limiter in holders)))

        def answer(request):
            active("call")
            return Response(text="yes")

        async def save(response, cost_usd):
            active("store")

        route = route_to(provider_class(answer), limits=limits)
        await attempts.call(route, request_of(), clock(), save, [])
        active("after")

    run(scenario())
    assert seen == [("call", 1, 1, 1), ("store", 1, 1, 1), ("after", 0, 0, 0)]


def test_a_call_of_user_code_takes_no_second_session_slot():
    """Its trial holds one already: with a session limit of 1 it would wait for itself."""

    async def scenario():
        attempts = attempts_with(session=1)
        limits = RouteLimits(model=Limiter(1), holds_session_slot=True)
        async with attempts.session.slot():
            route = route_to(provider_class(), limits=limits)
            return await attempts.call(route, request_of(), clock(), nothing, [])

    assert run(scenario(), 2)[1].text == "yes"


def test_a_response_is_redacted_before_it_is_stored():
    """The store never sees the secret."""
    stored = []

    async def save(response, cost_usd):
        stored.append(response.text)

    attempts = attempts_with()
    attempts.redact = lambda response: response.model_copy(update={"text": "***"})
    (_, response), _ = call(route_to(provider_class("secret")), attempts=attempts, save=save)
    assert (stored, response.text) == (["***"], "***")
