"""The cap on money and tokens, and the breaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.engine.budget import Breaker, Budget
from pytest_evals.ground.errors import AnswerError


def test_without_a_cap_everything_may_be_asked():
    """No cap, no refusal, whatever was spent."""
    budget = Budget()
    budget.add(None, None, model_id="m")
    budget.add(1e9, 10**9, model_id="m")
    budget.check()
    assert budget.spent() is None


def test_a_spent_budget_refuses_the_next_call():
    """The reason names the amounts."""
    budget = Budget(max_cost_usd=0.01)
    budget.add(0.012, 5, model_id="m")
    with pytest.raises(AnswerError, match=r"0\.012 of 0\.01 USD") as caught:
        budget.check()
    assert caught.value.type == "not_run"


def test_tokens_are_capped_too():
    """The reason names the tokens."""
    budget = Budget(max_tokens=100)
    budget.add(None, 99, model_id="m")
    budget.check()
    budget.add(None, 1, model_id="m")
    with pytest.raises(AnswerError, match="100 of 100 tokens"):
        budget.check()


@pytest.mark.parametrize("caps", [{"max_cost_usd": 1.0}, {"max_tokens": 10}])
def test_an_unknown_amount_under_a_cap_stops_the_session(caps):
    """A cap that cannot be kept is not kept by hoping."""
    budget = Budget(**caps)
    budget.add(None, None, model_id="mystery")
    with pytest.raises(AnswerError, match="mystery"):
        budget.check()


def test_a_refused_key_stops_the_model_at_once():
    """One error is enough; the same error of calls under way is reported as not run."""
    breaker = Breaker("gpt", max_failures=5)
    error = AnswerError("unauthorized", "the key was refused", status=401)
    breaker.failed(error)
    with pytest.raises(AnswerError, match=r"was disabled.*the key was refused") as caught:
        breaker.check()
    assert caught.value.type == "not_run"
    with pytest.raises(AnswerError) as again:
        breaker.failed(error)
    assert again.value.type == "not_run"


def test_equal_errors_in_a_row_open_the_breaker():
    """Numbers in a message do not make it another error."""
    breaker = Breaker("m", max_failures=3)
    for n in range(3):
        breaker.check()
        breaker.failed(AnswerError("provider", f"internal error, request {n}{n}", status=500))
    with pytest.raises(AnswerError, match="3 times in a row"):
        breaker.check()


def test_a_success_or_another_error_in_between_starts_anew():
    """Only equal errors in a row count."""
    breaker = Breaker("m", max_failures=2)
    same = AnswerError("provider", "boom", status=500)
    breaker.failed(same)
    breaker.succeeded()
    breaker.failed(same)
    breaker.failed(AnswerError("malformed", "no JSON"))
    breaker.failed(same)
    breaker.check()
    assert breaker.reason is None


@pytest.mark.parametrize("kind", ["context_overflow", "content_filtered", "stale", "template"])
def test_errors_of_one_case_say_nothing_about_the_next(kind):
    """They never open the breaker."""
    breaker = Breaker("m", max_failures=1)
    breaker.failed(AnswerError(kind, "x"))
    assert breaker.reason is None


@given(
    cap=st.floats(0.01, 10),
    usd=st.lists(st.floats(0, 3), min_size=1, max_size=4),
    calls=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=1, max_size=60),
    at_once=st.integers(1, 50),
)
def test_a_cap_is_exceeded_by_one_call_of_each_model_at_most(cap, usd, calls, at_once):
    """Whatever the prices, the latencies and the order; and no call waits for ever."""
    budget, in_flight, time = Budget(max_cost_usd=cap), [], 0
    waiting = [(model % len(usd), latency) for model, latency in calls]
    while waiting or in_flight:
        for model, latency in tuple(waiting):
            if budget.spent() or len(in_flight) == at_once or not budget.has_room(str(model)):
                continue
            waiting.remove((model, latency))
            budget.begin(str(model))
            in_flight.append((time + latency, model))
        if not in_flight:
            break
        time, model = min(in_flight)
        in_flight.remove((time, model))
        budget.add(usd[model], 1, model_id=str(model))
        budget.end(str(model))
    assert budget.cost_usd <= (cap + max(usd)) * (1 + 1e-6)
    assert not waiting or budget.spent()


def test_calls_of_a_known_cost_run_at_once_while_they_fit():
    """Only the first call of a model is made alone."""
    budget = Budget(max_cost_usd=1.0)
    budget.begin("m")
    assert not budget.has_room("m")
    budget.add(0.1, 1, model_id="m")
    budget.end("m")
    for _ in range(9):
        assert budget.has_room("m")
        budget.begin("m")
    assert not budget.has_room("m")


def test_without_a_cap_nothing_waits():
    """Nor does an unknown cost."""
    budget = Budget()
    budget.begin("m")
    assert budget.has_room("m")
