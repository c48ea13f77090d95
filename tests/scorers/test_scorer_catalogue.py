"""The catalogue: one line a scorer, and the documentation that follows from its class."""

import re
from pathlib import Path

import pytest

from pytest_evals.scorers.base import ScorerGroup
from pytest_evals.scorers.catalogue import SCORERS
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.definitions import JUDGES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "scorers.md"


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_has_a_group(bench, name):
    """The class says which heading of the documentation lists it."""
    assert isinstance(bench.find(name).docs_group, ScorerGroup)


@pytest.mark.parametrize("name", SCORERS)
def test_only_judges_are_listed_as_judges(bench, name):
    """Only scorers that call a judge model are judges, and only they can be defined by name."""
    cls = bench.find(name)
    is_judge = issubclass(cls, Judge)
    assert (is_judge, is_judge) == (cls.docs_group is ScorerGroup.JUDGE, name in JUDGES)


def test_every_group_has_a_scorer(bench):
    """No heading is empty."""
    assert set(ScorerGroup) == {bench.find(name).docs_group for name in SCORERS}


@pytest.mark.heavy
def test_the_page_of_scorers_is_generated(load_script):
    """Run `python docs/_generate_scorers.py` after a change to a scorer's docstrings."""
    assert load_script("docs", "_generate_scorers.py").page() == PAGE.read_text("utf-8")


def test_the_page_lists_every_scorer_under_its_group(bench):
    """Each scorer has a section with its example, below the heading of its group."""
    text = PAGE.read_text("utf-8")
    for name in SCORERS:
        section = text.index(f"\n### `{name}`\n")
        heading = re.findall(r"^## (.*)$", text[:section], re.MULTILINE)[-1]
        assert bench.find(name).docs_group == heading
        assert text.startswith(f"- {bench.find(name).example}\n", text.index("\n- ", section) + 1)


def test_a_scorer_without_a_group_stops_the_generator(load_script, monkeypatch):
    """A scorer cannot be left out of the documentation or filed under a wrong heading unnoticed."""
    script = load_script("docs", "_generate_scorers.py")
    monkeypatch.setattr(script, "SCORERS", {"bare": "pytest_evals.scorers.base:Scorer"})
    with pytest.raises(ValueError, match="scorer `bare` has no `docs_group`"):
        script.page()
