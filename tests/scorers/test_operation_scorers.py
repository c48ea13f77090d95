"""What an answer took, how it ended, and the error expected instead of it."""

from dataclasses import replace

import pytest

from pytest_evals.exchange import Usage
from pytest_evals.model import Price

USAGE = Usage(input_tokens=40, output_tokens=10)


@pytest.mark.parametrize(
    ("written", "given", "passed"),
    [
        ({"max_latency_s": 2}, {"latency_s": 2.0}, True),
        ({"max_latency_s": 2}, {"latency_s": 2.01}, False),
        ({"max_latency_s": 2}, {"latency_s": 0.0}, True),
        ({"max_tokens": 50}, {"usage": USAGE}, True),
        ({"max_tokens": 49}, {"usage": USAGE}, False),
        ({"max_tokens": {"output": 10}}, {"usage": USAGE}, True),
        ({"max_tokens": {"total": 50, "output": 9}}, {"usage": USAGE}, False),
        ({"max_cost_usd": 0.01}, {"cost_usd": 0.01}, True),
        ({"max_cost_usd": 0.01}, {"cost_usd": 0.011}, False),
        ({"max_cost_usd": 0}, {"cost_usd": 0.0}, True),
        ({"finish_reason": "stop"}, {"finish_reason": "stop"}, True),
        ({"finish_reason": ["stop", "tool_calls"]}, {"finish_reason": "length"}, False),
    ],
)
def test_a_limit_is_kept_or_not(bench, written, given, passed):
    """At the limit it is kept."""
    scored = bench.score(written, "a", **given)
    assert scored.passed is passed
    assert scored.bar


@pytest.mark.parametrize(
    "written",
    [{"max_latency_s": 9}, {"max_tokens": 9}, {"max_tokens": {"output": 9}}, {"max_cost_usd": 9},
     {"finish_reason": "stop"}, {"not": {"max_cost_usd": 9}}],
)  # fmt: skip
def test_what_is_not_known_is_an_error_and_not_within_the_limit(bench, written):
    """An unpriced model must not make a cap decorative."""
    assert bench.score(written, "a").kind == "error"


def test_an_unpriced_model_is_told_how_to_get_a_price(bench):
    """In the message."""
    assert "`price: {input: …, output: …}`" in bench.score({"max_cost_usd": 1}, "a").message


@pytest.mark.parametrize(
    ("price", "usage", "named", "unnamed"),
    [
        (None, Usage(input_tokens=5, output_tokens=1), "`price:", "`usage`"),
        (Price(input=1, output=2), Usage(), "`usage`", "`price:"),
        (None, Usage(), "`usage`", "nothing else"),
    ],
    ids=["no price", "no usage", "neither"],
)
def test_an_unknown_cost_names_what_is_missing(bench, price, usage, named, unnamed):
    """A price that is given is not asked for again: the tokens are what is unknown."""
    bound, ctx = bench.bind({"max_cost_usd": 1}), bench.context("a", usage=usage)
    ctx = replace(ctx, model=ctx.model.model_copy(update={"price": price}))
    message = bound.evaluate_now(ctx).message
    assert named in message
    assert unnamed not in message


@pytest.mark.parametrize(
    ("written", "error", "passed"),
    [
        ("expected_error", "rate_limit", True),
        ({"expected_error": "rate_limit"}, "rate_limit", True),
        ({"expected_error": "rate_limit"}, "timeout", False),
        ({"expected_error": {"message": "OUT OF"}}, "provider", True),
        ({"expected_error": {"error": "provider", "message": "nope"}}, "provider", False),
        ("expected_error", None, False),
        ({"not": "expected_error"}, None, True),
        ({"not": "expected_error"}, "timeout", False),
        ({"all_of": [{"expected_error": "timeout"}]}, "timeout", True),
    ],
)
def test_an_error_may_be_what_is_expected(bench, written, error, passed):
    """It is scored where there is no answer, and fails where there is one."""
    bound = bench.bind(written)
    assert bound.scores_errors
    given = {"error": error, "error_message": "out of order"} if error else {}
    assert bench.passes(written, "an answer", **given) is passed


def test_other_scorers_are_not_asked_where_there_is_no_answer(bench):
    """Nor is a group that has one of them."""
    assert not bench.bind({"contains": "a"}).scores_errors
    assert not bench.bind({"any_of": ["expected_error", {"contains": "a"}]}).scores_errors


@pytest.mark.parametrize("name", ["rate_limits", "RateLimit", "stale", "not_run", "internal"])
def test_an_error_that_no_scored_trial_ends_with_is_refused(bench, name):
    """With a suggestion where it is misspelt."""
    ((loc, message),) = bench.refused({"expected_error": name})
    assert loc == ("expected_error",)
    assert (
        "Did you mean 'rate_limit'?" in message
        or "are not scored" in message
        or "Known:" in message
    )
