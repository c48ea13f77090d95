"""Numbers of a comparison as text."""

import pytest

from pytest_evals.comparison.numbers import MINUS, change_span, level, p_value, points, span


def test_signs_of_changes():
    """Zero has no sign; unknown is a dash."""
    shown = [points(x, rate=True) for x in (0.0, 0.1, -0.1, -0.00001, None)]
    assert shown == ["0.0", "+10.0", "\N{MINUS SIGN}10.0", "0.0", "-"]


@pytest.mark.parametrize(
    ("p", "text"), [(None, "-"), (0.0004, "<0.001"), (0.0512, "0.051"), (0.5, "0.50")]
)
def test_p_values(p, text):
    """Three digits where they matter, two elsewhere, and never 0."""
    assert text == p_value(p)


def test_levels_and_intervals():
    """A rate is in percent, a score as it is; an unknown end leaves the interval out."""
    assert ("81.5%", "0.815", "-") == (
        level(0.815, rate=True),
        level(0.815, rate=False),
        level(None, rate=True),
    )
    assert "70.0% to 90.0%" == span(0.7, 0.9, 3, rate=True)
    assert "-" == span(None, 0.9, 3, rate=True)
    assert "too few" == span(0.7, 0.9, 2, rate=True)


def test_intervals_of_changes():
    """No rate changes by more than 100 points; two cases are too few for an interval."""
    assert f"{MINUS}100.0 to +5.0" == change_span(-1.3, 0.05, 3, rate=True)
    assert "too few" == change_span(-1.3, 0.05, 2, rate=True)
    assert "-" == change_span(None, None, 0, rate=True)
