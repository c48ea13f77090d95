"""The numbers and constants that the page on the gate's rules gives."""

import re
from pathlib import Path

import pytest

from pytest_evals.stats.breaks import confirmation_samples
from pytest_evals.stats.correlation import CORRELATIONS, PRIOR_WEIGHT, UNSEEN_CORRELATION
from pytest_evals.stats.flips import max_correlated_flip_chance, max_flip_chance
from pytest_evals.stats.rows import Rules
from pytest_evals.stats.signflip import mcnemar

PAGE = " ".join(
    (Path(__file__).parents[2] / "docs" / "explanation" / "how-the-gate-decides.md")
    .read_text(encoding="utf-8")
    .split()
)


@pytest.mark.parametrize(
    "said",
    [
        f"q(5, 9) is {max_flip_chance(5, 9):.5f}. Among 60 cases at most {60 * max_flip_chance(5, 9):.4f} such",
        f"worse and none better give p = {mcnemar(3, 0):.3f}; five and none give {mcnemar(5, 0):.3f}.",
        f"flagged ones now, r is {confirmation_samples([(5, 5)] * 60, 0, level=0.01, limit=15)};",
        f"and at most {Rules().most_confirm}. ",
        f"Each of ρ = 0, {', '.join(map(str, CORRELATIONS))} is weighted",  # noqa: RUF001
        f"prior is {1 - PRIOR_WEIGHT} for independence and {PRIOR_WEIGHT} for the others",
        f"there is no evidence, and ρ = {UNSEEN_CORRELATION} is assumed",  # noqa: RUF001
        f"p ≤ {Rules().alpha_mean}, the interval entirely below 0",
        f"*Regressed* is p ≤ {Rules().alpha_break},",
        f"the margin ({100 * Rules().margin:.0f} points unless",
        f"Otherwise it uses {Rules().draws:,} seeded draws",
    ],
)
def test_the_page_says_what_the_code_does(said):
    """Word for word."""
    assert said in PAGE


def test_at_a_correlation_of_a_fifth_flips_are_fifty_times_likelier():
    """As the page says."""
    assert re.search("it is fifty times q", PAGE)
    assert round(max_correlated_flip_chance(5, 9, 0.2) / max_flip_chance(5, 9), -1) == 50
