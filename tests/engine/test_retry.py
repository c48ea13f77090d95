"""When a call is tried again, and after what pause."""

import pytest

from pytest_evals.engine.retry import LONGEST_WAIT_S, RetryPolicy
from pytest_evals.ground.errors import AnswerError

POLICY = RetryPolicy(max_retries=3)


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded", "timeout", "connection"])
def test_transient_faults_are_tried_again(kind):
    """These may go away by themselves."""
    assert POLICY.pause(AnswerError(kind, "x"), 1) is not None


@pytest.mark.parametrize(
    "kind", ["unauthorized", "invalid_request", "model_not_found", "target", "content_filtered"]
)
def test_other_faults_are_not(kind):
    """Asking again cannot help."""
    assert POLICY.pause(AnswerError(kind, "x"), 1) is None


def test_attempts_are_bounded():
    """The fourth failure is the last."""
    error = AnswerError("overloaded", "x")
    assert [POLICY.pause(error, n) is not None for n in (1, 2, 3, 4)] == [True, True, True, False]


def test_pauses_double_with_jitter_in_their_upper_half():
    """0.25..0.5 s, then 0.5..1 s, then 1..2 s."""
    error = AnswerError("overloaded", "x")
    for attempt, bound in ((1, 0.5), (2, 1.0), (3, 2.0)):
        pauses = [POLICY.pause(error, attempt) for _ in range(50)]
        assert all(bound / 2 <= pause <= bound for pause in pauses)
        assert len(set(pauses)) > 1


def test_the_servers_wish_is_honoured():
    """Retry-After wins over our own pause."""
    assert POLICY.pause(AnswerError("rate_limit", "x", retry_after_s=7), 1) == 7


def test_a_server_that_asks_for_too_much_is_not_waited_for():
    """Nobody waits ten minutes for one answer."""
    error = AnswerError("rate_limit", "x", retry_after_s=LONGEST_WAIT_S + 1)
    assert POLICY.pause(error, 1) is None
