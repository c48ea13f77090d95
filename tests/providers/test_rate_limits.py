"""Rate-limit headers of different servers are read into one shape."""

from datetime import UTC, datetime, timedelta
from time import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.providers.rate_limit_headers import rate_limit, retry_after


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("12.5", 12.5),
        ("0", 0),
    ],
)
def test_lengths_of_time(written, seconds):
    """A reset may be written as a length of time."""
    state = rate_limit(httpx.Headers({"x-ratelimit-reset-requests": written}))
    assert state == {"reset_requests_s": pytest.approx(seconds)}


def test_moments():
    """A reset may be a moment: an ISO date or seconds since the epoch."""
    later = datetime.now(UTC) + timedelta(seconds=30)
    state = rate_limit(
        httpx.Headers(
            {
                "anthropic-ratelimit-tokens-reset": later.isoformat(),
                "x-ratelimit-reset": str(int(time() + 60)),
            }
        )
    )
    assert 25 < state["reset_tokens_s"] <= 30
    assert 55 < state["reset_requests_s"] <= 60


def test_all_counts():
    """Limits and what is left are counted for requests and tokens."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-limit-tokens": "1000, 1000;w=60",
        "x-ratelimit-remaining-tokens": "12",
    }
    assert rate_limit(httpx.Headers(headers)) == {
        "limit_requests": 60,
        "remaining_requests": 59,
        "limit_tokens": 1000,
        "remaining_tokens": 12,
    }


def test_a_header_that_stands_twice():
    """Of a doubled header the stricter value counts."""
    doubled = [
        ("x-ratelimit-remaining-requests", "9"),
        ("x-ratelimit-remaining-requests", "3"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-requests", "4s"),
    ]
    assert rate_limit(httpx.Headers(doubled)) == {"remaining_requests": 3, "reset_requests_s": 4}


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=40))
def test_any_text(text):
    """No header value breaks the reading, and what is read is a number that is not negative."""
    headers = httpx.Headers(
        [
            (name.encode(), text.encode("latin-1"))
            for name in (
                "x-ratelimit-reset-requests",
                "x-ratelimit-remaining-tokens",
                "retry-after",
            )
        ]
    )
    state = rate_limit(headers)
    assert all(0 <= value < 1e16 for value in state.values())
    wait = retry_after(headers, state)
    assert wait is None or 0 <= wait < 1e16
