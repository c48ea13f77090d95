"""Differences between two answers, word by word."""

import hypothesis.strategies as st
from hypothesis import given

from pytest_evals.reporters.htmlparts.words import word_diff

texts = st.text(alphabet=st.sampled_from("ab .,\né"), max_size=60)


@given(texts, texts)
def test_both_answers_can_be_read_back(before: str, now: str) -> None:
    """What stayed and went is the old answer, what stayed and came is the new one."""
    pieces = word_diff(before, now)
    assert before == "".join(text for mark, text in pieces if mark != "+")
    assert now == "".join(text for mark, text in pieces if mark != "-")


@given(texts)
def test_equal_answers_have_no_difference(text: str) -> None:
    """Nothing went and nothing came."""
    assert {"="} >= {mark for mark, _ in word_diff(text, text)}


def test_a_changed_word_is_marked_alone() -> None:
    """The words around it stay."""
    expected = (("=", "within "), ("-", "30"), ("+", "14"), ("=", " days of delivery"))
    assert expected == word_diff("within 30 days of delivery", "within 14 days of delivery")


def test_a_changed_phrase_is_read_as_one() -> None:
    """Changes that only a space keeps apart are joined."""
    found = word_diff("it has 2 years of warranty here", "it has no kind of warranty here")
    assert (("-", "2 years"), ("+", "no kind")) == tuple(p for p in found if p[0] != "=")


def test_answers_without_a_common_word_are_not_cut_into_crumbs() -> None:
    """All of the old one, then all of the new one."""
    expected = (("-", "You can send it back."), ("+", "Sorry: no refunds on gift cards!"))
    assert expected == word_diff("You can send it back.", "Sorry: no refunds on gift cards!")
