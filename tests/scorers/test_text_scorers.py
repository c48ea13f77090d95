"""What an answer's text is or holds."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.patterns import compile_pattern, matches_everything, search

RIGHT = [
    ({"equals": "Paris"}, "Paris"),
    ({"equals": "Paris"}, " Paris\n"),
    ({"equals": {"value": "paris", "ignore_case": True}}, "PARIS"),
    ({"equals": {"value": "straße", "ignore_case": True}}, "STRASSE"),
    ({"equals": "e\u0301te\u0301"}, "\u00e9t\u00e9"),
    ({"equals": 42}, "42"),
    ({"equals": True}, "true"),
    ({"equals": ""}, " "),
    ({"equals_any": ["Paris", "Lutetia"]}, "Lutetia"),
    ({"contains": "30 days"}, "You have 30 days."),
    ({"contains": "caf\u00e9"}, "the cafe\u0301 there"),
    ({"icontains": "THIRTY"}, "thirty days"),
    ({"contains_any": ["a", "b"]}, "xbx"),
    ({"icontains_any": ["A"]}, "xax"),
    ({"contains_all": ["a", "b"]}, "ba"),
    ({"icontains_all": ["A", "B"]}, "ba"),
    ({"starts_with": "Dear"}, "  Dear John"),
    ({"starts_with": {"value": "dear", "ignore_case": True}}, "DEAR John"),
    ({"ends_with": "regards"}, "Kind regards\n"),
    ({"regex": r"\b30\s+days\b"}, "in 30   days"),
    ({"regex": "(?i)PARIS"}, "paris"),
    ({"regex": {"pattern": "paris", "ignore_case": True}}, "PARIS"),
    ({"regex": {"pattern": "^b$", "multiline": True}}, "a\nb\nc"),
    ({"regex": {"pattern": "a.c", "dotall": True}}, "a\nc"),
    ({"regex": {"pattern": r"\d+", "full": True}}, "123"),
    ({"word_count": 3}, "one two three"),
    ({"word_count": {"min": 2, "max": 3}}, "one two"),
    ({"char_count": {"min": 3}}, "äöü"),
    ({"is_refusal": None}, "I'm sorry, but I can't help with that."),
    ({"is_refusal": None}, "I cannot assist with this request."),
    ({"is_refusal": None}, "As an AI language model, I don't have opinions."),
    ({"is_refusal": None}, "I\u2019m unable to share that."),
    ({"is_refusal": None}, "We must decline."),
    ({"must_cite": None}, "It is so [1]."),
    ({"must_cite": "policy.md"}, "30 days [Policy.md]."),
    ({"must_cite": ["1", "3"]}, "So [1, 2; 3] it is."),
    ({"must_cite": [1]}, "So [1]."),
    ({"must_cite": ["https://a.example/x"]}, "See https://a.example/x."),
    ({"must_cite": ["/docs/a"]}, "See [the docs](/docs/a)."),
    ({"must_cite": {"known": ["1", "2"], "min": 2}}, "[1] and [2]"),
    ({"must_cite": {"pattern": r"\(source: (\w+)\)", "sources": ["faq"]}}, "ok (source: FAQ)"),
    ({"contains_pii": ["email"]}, "write to jo.doe+x@mail.example.co.uk today"),
    ({"contains_pii": ["card"]}, "4111 1111 1111 1111"),
    ({"contains_pii": ["card"]}, "card 378282246310005."),
    ({"contains_pii": ["iban"]}, "GB82 WEST 1234 5698 7654 32"),
    ({"contains_pii": ["phone"]}, "call +44 20 7946 0958"),
    ({"contains_pii": ["phone"]}, "call (555) 123-4567"),
    ({"contains_pii": ["phone"]}, "call 555-123-4567 now"),
    ({"contains_pii": ["us_ssn"]}, "123-45-6789"),
    ({"contains_pii": ["ip"]}, "from 8.8.8.8"),
    ({"no_pii": None}, "On 2024-01-15 the 3 parcels of 1,234.50 EUR left 192.168.1.1."),
    ({"no_pii": ["card"]}, "4111 1111 1111 1112"),
    ({"no_pii": {"kinds": ["email"], "allow": ["Help@Shop.example"]}}, "help@shop.example"),
]
WRONG = [
    ({"equals": "Paris"}, "Paris."),
    ({"equals": "Paris"}, ""),
    ({"equals": "Paris"}, "paris"),
    ({"equals": {"value": "a", "strip": False}}, "a\n"),
    ({"equals_any": ["Paris", "Lutetia"]}, "Rome"),
    ({"contains": "30 days"}, "thirty days"),
    ({"contains": "Thirty"}, "thirty"),
    ({"icontains": "forty"}, "thirty"),
    ({"contains_any": ["a", "b"]}, "xyz"),
    ({"icontains_any": ["A"]}, ""),
    ({"contains_all": ["a", "b"]}, "a"),
    ({"icontains_all": ["A", "B"]}, "b"),
    ({"starts_with": "Dear"}, "Oh dear"),
    ({"ends_with": "regards"}, "regards, John"),
    ({"regex": r"\b30\s+days\b"}, "130 days"),
    ({"regex": {"pattern": r"\d+", "full": True}}, "123 "),
    ({"word_count": 3}, "one two three four"),
    ({"word_count": {"min": 1}}, "  \n"),
    ({"char_count": 2}, "äöü"),
    ({"is_refusal": None}, "You have 30 days."),
    ({"is_refusal": None}, "I can't recommend this restaurant enough!"),
    ({"is_refusal": None}, "You cannot return it after 30 days."),
    ({"is_refusal": None}, ""),
    ({"must_cite": None}, "It is so."),
    ({"must_cite": ["1", "3"]}, "It is so [1]."),
    ({"must_cite": {"known": ["1", "2"]}}, "It is so [1][9]."),
    ({"must_cite": {"min": 2}}, "[1] and again [1]"),
    ({"contains_pii": ["email"]}, "jo at example.com, @jo, a@b"),
    ({"contains_pii": ["card"]}, "order 4111111111111112"),
    ({"contains_pii": ["iban"]}, "GB82 WEST 1234 5698 7654 33"),
    ({"contains_pii": ["phone"]}, "on 2024-01-15 at 12.30, 1,234.50 for 12-05-2024"),
    ({"contains_pii": ["us_ssn"]}, "000-45-6789 and 123-00-6789"),
    ({"contains_pii": ["ip"]}, "10.0.0.1, 999.1.1.1 and version 1.2.3.4.5"),
    ({"no_pii": None}, "jo@example.com"),
    ({"no_pii": ["phone"]}, "+14155552671"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "answer"), RIGHT)
def test_a_right_answer_passes(bench, written, answer):
    """The assertion holds."""
    assert bench.passes(written, answer), bench.score(written, answer).reason


@pytest.mark.parametrize(("written", "answer"), WRONG)
def test_a_wrong_answer_fails_with_a_reason(bench, written, answer):
    """The assertion does not hold, and says why in one line."""
    scored = bench.score(written, answer)
    assert scored.passed is False
    assert scored.reason
    assert "\n" not in scored.reason


def test_a_long_answer_is_quoted_short(bench):
    """A reason never repeats 100 KB."""
    reason = bench.score({"contains": "needle"}, "hay " * 25_000).reason
    assert len(reason) < 250
    assert "(100000 characters)" in reason


@pytest.mark.parametrize("name", ["contains", "equals", "starts_with", "ends_with", "icontains"])
def test_a_text_may_come_from_the_case(bench, name):
    """Without a value, `expected` is compared with."""
    assert bench.passes(name, "30", expected=30)
    assert not bench.passes(name, "31", expected=30)


def test_a_list_may_come_from_the_case(bench):
    """Without values, `expected` is the list, or the one text."""
    assert bench.score("contains_all", "a", expected=["a", "b"]).value == 0.5
    assert bench.passes("contains_any", "b", expected=["a", "b"])
    assert bench.passes("equals_any", "a", expected="a")


@given(st.text(), st.text())
def test_contains_is_pythons_in(haystack, needle):
    """For texts whose accents are composed."""
    from unicodedata import normalize

    from pytest_evals.scorers.text import _contains

    haystack, needle = normalize("NFC", haystack), normalize("NFC", needle)
    assert (needle in haystack) == _contains(haystack, needle, ignore_case=False).passed


def test_a_pattern_that_explodes_ends_as_an_error(bench):
    """Soon, and with what to do."""
    begun = time.process_time()
    scored = bench.bind({"regex": "(a|aa)+$"}).evaluate_now(bench.context("a" * 60 + "!"))
    assert time.process_time() - begun < 3
    assert scored.kind == "error"
    assert "avoid nested repeats" in scored.message


def test_the_time_limit_of_a_pattern_is_kept():
    """One that does explode is stopped."""
    with pytest.raises(ScoringError, match="on an output of 61 characters"):
        search(compile_pattern("(a|aa)+$"), "a" * 60 + "!")


@given(st.text(max_size=30))
def test_an_escaped_text_matches_itself_only(text):
    """A literal pattern is found where the text is, and does not match everything."""
    import re

    pattern = compile_pattern(re.escape(text))
    assert search(pattern, f"x{text}y")
    assert matches_everything(pattern) == (text == "")


def test_a_refusal_is_told_by_the_model_itself(bench):
    """Its own word, and a content filter's, count whatever the text."""
    from pytest_evals.exchange import Response

    said = Response(text="", refusal="I will not.")
    assert bench.passes("is_refusal", "", response=said)
    assert bench.passes("is_refusal", "Well", finish_reason="content_filter")
    assert not bench.passes("is_refusal", "Well", finish_reason="stop")


def test_personal_data_is_masked_in_the_reason(bench):
    """A report is no place for it either."""
    scored = bench.score("no_pii", "jo.doe@example.com and 4111111111111111")
    assert "email jo…om" in scored.reason
    assert "card 41…11" in scored.reason
    assert "example" not in scored.model_dump_json()


@given(st.integers(min_value=0, max_value=10**17))
def test_luhn_takes_exactly_one_check_digit(number):
    """Of the ten numbers that differ in the last digit, one is right."""
    from pytest_evals.scorers.pii import luhn

    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


HOSTILE = [
    "\0" * 100, "\ud800", "a" * 200_000, "[" * 50_000, "{" * 50_000, "1." * 50_000, "@" * 50_000,
    "a@" * 20_000, "4 " * 50_000, "+1-" * 30_000, "<" * 50_000, "<a" * 30_000, "<!--" * 20_000,
    "&" * 50_000, "- " * 30_000, "(" * 50_000, "9^9^9^9^9", "9!!!!", "-" * 50_000, "$" * 50_000,
    "\\boxed{" * 20_000, "```\n" * 20_000, "'" * 50_000, "&a [*a, *b]", "a: " * 20_000,
]  # fmt: skip
CHEAP = [
    {"contains": "zz"}, {"icontains": "zz"}, "no_pii", "must_cite", "is_refusal", {"regex": "zz+$"},
    {"numeric": 9999}, {"math_equal": "x+1"}, "is_json", "contains_json", {"set_match": ["q"]},
    {"multiple_choice": "B"}, "is_xml", "is_html", "is_yaml", {"is_yaml": {"inside": True}},
    {"label": {"labels": ["p", "q"], "expected": "p"}}, {"exact_match": "zz"}, {"token_f1": "zz"},
    {"json_equals": [1]},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text[:8]))
@pytest.mark.parametrize("written", CHEAP, ids=str)
def test_a_hostile_answer_is_scored_quickly(bench, written, hostile):
    """No answer makes a cheap scorer slow, or break."""
    bound, ctx = bench.bind(written), replace(bench.context(), answer=hostile)
    begun = time.monotonic()
    scored = bound.evaluate_now(ctx)
    assert time.monotonic() - begun < 2
    assert scored.kind == "score", scored.message
    assert not scored.passed or written in ("no_pii", "must_cite")
