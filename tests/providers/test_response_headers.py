"""Headers of responses, and the durations in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.providers.headers import Headers
from pytest_evals.providers.rate_limit_headers import duration_s, rate_limit

PAIRS = st.lists(st.tuples(st.sampled_from(["A", "a", "B-c", "b-C"]), st.text("xyz", max_size=3)))


@given(PAIRS)
def test_names_are_case_insensitive_and_values_keep_their_order(pairs):
    """Each value is in the list of its name, in the order received; the mapping joins them."""
    headers = Headers(pairs)
    names = {name.lower() for name, _ in pairs}
    assert names == set(headers)
    assert len(names) == len(headers)
    for name in names:
        values = [value for other, value in pairs if other.lower() == name]
        assert values == headers.get_list(name.upper())
        assert ", ".join(values) == headers[name.upper()]
        assert name.upper() in headers


def test_a_missing_header():
    """It has no values and the default."""
    headers = Headers()
    assert [] == headers.get_list("a")
    assert headers.get("a") is None
    assert "a" not in headers
    assert 1 not in headers
    assert {} == rate_limit(headers)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("12.5", 12.5),
        ("1s", 1),
        ("6m0s", 360),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("3 seconds", 3),
        ("1 second", 1),
        ("2 Minutes", 120),
        ("250 milliseconds", 0.25),
        ("", None),
        ("soon", None),
        ("-3s", None),
        ("3 apples", None),
    ],
)
def test_durations(text, seconds):
    """Numbers with units, in the forms of headers and of sentences."""
    expected = None if seconds is None else pytest.approx(seconds)
    assert expected == duration_s(text)
