"""Exchange, TrialResult, Run and Score: sums in which unknown is not zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage, total_usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.model import Model, Price
from pytest_evals.result import FirstTry, Outcome, TrialResult, mean_score
from pytest_evals.run_record import Counts, DatasetInfo, new_run_id
from pytest_evals.score import Score, ScoreError

COUNT = st.none() | st.integers(0, 1000)
USAGES = st.builds(Usage, **dict.fromkeys(Usage.model_fields, COUNT))
PRICE = Price(input=2, output=10, cached_input=1, cache_write=3, request=0.5)


@given(USAGES, USAGES, USAGES)
def test_usages_add_up_in_any_order(a, b, c):
    """Addition is commutative and associative, and an empty usage changes nothing."""
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    is_known = all(usage.total_tokens is not None for usage in (a, b, c))
    assert total_usage([a, b, c]) == (a + b + c if is_known else Usage())
    assert a + Usage() == a
    assert total_usage([]) == Usage()


def test_unknown_token_counts():
    """A count known on one side is known in the sum; one unknown on both stays unknown."""
    total = Usage(input_tokens=3) + Usage(input_tokens=4, output_tokens=2)
    assert (total.input_tokens, total.output_tokens, total.total_tokens) == (7, 2, 9)
    assert total.cached_tokens is None
    assert Usage().total_tokens is None


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        ({"input_tokens": 1_000_000, "output_tokens": 100_000}, PRICE, 2 + 1 + 0.5),
        ({"input_tokens": 1_000_000, "cached_tokens": 400_000}, PRICE, 1.2 + 0.4 + 0.5),
        ({"input_tokens": 1_000_000, "cache_write_tokens": 400_000}, PRICE, 1.2 + 1.2 + 0.5),
        ({"input_tokens": 10**6, "cached_tokens": 10**6}, Price(input=2, output=0), 2),
        ({"input_tokens": 0, "output_tokens": 0}, PRICE, 0.5),
        ({}, PRICE, None),
        ({"input_tokens": 5}, None, None),
    ],
)
def test_the_cost_of_a_call(usage, price, expected):
    """Each kind of token has its price; without counts or a price the cost is unknown."""
    cost = Usage(**usage).cost(price)
    assert cost == (expected if expected is None else pytest.approx(expected))


def test_more_cached_than_input_tokens_never_cost_less_than_nothing():
    """A provider that counts cached tokens apart does not produce a negative remainder."""
    usage = Usage(input_tokens=10, cached_tokens=50)
    assert usage.cost(Price(input=1_000_000, output=0, cached_input=0)) == 0


def test_an_error_as_a_value():
    """What a record needs is kept; delays and retries are not."""
    error = AnswerError("timeout", "m", status=504, retry_after_s=3, detail="body")
    assert ErrorInfo.of(error) == ErrorInfo(type="timeout", message="m", status=504, detail="body")


def test_the_text_of_a_message():
    """Text parts are joined by newlines; parts without a text are left out."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert Message(role="user", content=parts).text == "a\nb"
    assert Message(role="user", content="a").text == "a"
    assert Response(text="a").message == Message(role="assistant", content="a")


def exchange(role="answer", cost_usd=None, attempts=0, **response) -> Exchange:
    """Return an exchange with a response."""
    failed = (ErrorInfo(type="timeout", message="m"),) * attempts
    return Exchange(
        request=Request(messages=()),
        response=Response(**response),
        role=role,
        cost_usd=cost_usd,
        attempts=failed,
    )


def result(*exchanges: Exchange, **fields) -> TrialResult:
    """Return a result with exchanges."""
    record = {"id": "i", "dataset": "d", "case_id": "c", "model_id": "m", "sample": 0}
    return TrialResult(**{**record, "outcome": Outcome.PASSED, "exchanges": exchanges, **fields})


def test_a_result_tells_answers_from_judges():
    """Response, latency and retries of the conversation; cost and usage include the judges."""
    first = exchange(text="a", latency_s=1, cost_usd=0.1, usage=Usage(input_tokens=1), attempts=2)
    second = exchange(text="b", latency_s=2, cost_usd=0.2, usage=Usage(input_tokens=2))
    judge = exchange("judge:j", text="j", latency_s=9, cost_usd=0.4, usage=Usage(input_tokens=4))
    made = result(first, second, judge)
    assert made.answers == (first, second)
    assert (made.answer, made.latency_s, made.retries) == ("b", 3, 2)
    assert made.cost_usd == pytest.approx(0.7)
    assert made.usage == Usage(input_tokens=7)


def test_one_unknown_cost_makes_the_sum_unknown():
    """Unknown is not free; without any call the cost is unknown too."""
    assert result(exchange(cost_usd=0.1), exchange("judge:j")).cost_usd is None
    assert result().cost_usd is None
    assert result(exchange(cost_usd=0.0)).cost_usd == 0


def test_a_result_without_a_response():
    """Each derived value is absent."""
    error = ErrorInfo(type="timeout", message="m")
    made = result(Exchange(request=Request(messages=()), error=error), error=error)
    assert (made.response, made.answer, made.latency_s, made.cost_usd) == (None, None, None, None)
    assert not made.unneeded
    assert result(error=ErrorInfo(type="not_needed", message="m")).unneeded


def test_a_revised_result():
    """Revised means passed after a revision."""
    first = FirstTry(outcome=Outcome.FAILED)
    assert result(first=first).revised
    assert not result(first=first, outcome=Outcome.FAILED).revised
    assert not result().revised


def score(value=None, passed=None, **fields) -> Score:
    """Return a score."""
    return Score(name="s", type="t", value=value, passed=passed, **fields)


FAILURE = {"name": "s", "type": "t", "message": "m"}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], None),
        ([score(0.5)], 0.5),
        ([score(passed=True), score(passed=False)], 0.5),
        ([score(0.2, passed=True)], 0.2),
        ([score(1.0, weight=3), score(0.0)], 0.75),
        ([score(label="x")], None),
        ([score(0.5), score(0.0, advisory=True)], 0.5),
        ([score(0.5), ScoreError(**FAILURE)], None),
        ([score(0.5), ScoreError(**FAILURE, advisory=True)], 0.5),
    ],
)
def test_mean_score(scores, expected):
    """Weighted; advisory scores do not count, and an error makes the mean absent, not zero."""
    assert mean_score(tuple(scores)) == expected
    assert result(scores=tuple(scores)).mean_score() == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_is_finite(value):
    """NaN never stands for a missing score."""
    with pytest.raises(ValidationError, match="a score must be a finite number, found "):
        score(value)


def test_a_score_and_an_error_are_told_apart_without_their_kind():
    """A record that omits default values is read back as what it was."""
    made = result(scores=(score(0.5), ScoreError(**FAILURE)))
    read = TrialResult.model_validate_json(made.model_dump_json(exclude_defaults=True))
    assert [type(one) for one in read.scores] == [Score, ScoreError]


def test_counts_and_planned_trials():
    """Every outcome is in the total; planned trials are divided among the models."""
    assert Counts(passed=1, failed=2, errored=3, skipped=4, unneeded=5).total == 15
    models = tuple(Model(id=name, provider="script") for name in "mn")
    info = DatasetInfo(name="d", path="p", digest="0", models=models, planned=8)
    assert info.planned_by_model == {"m": 4, "n": 4}
    assert DatasetInfo(name="d", path="p", digest="0", planned=8).planned_by_model == {}


@given(st.integers(0, 2_000_000_000), st.integers(1, 10**9))
def test_run_ids_sort_by_time(now, later):
    """Their order as texts is the order of their seconds."""
    assert new_run_id(now) < new_run_id(now + later)
