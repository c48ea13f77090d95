"""Reading a verdict: bare, fenced, in prose; and every reply that holds none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.judge.reply import (
    BadReplyError,
    bool_in,
    choice_in,
    number_in,
    read_object,
    rows_in,
    text_in,
)


def outcome(read):
    """Return what is read, or the words of its refusal."""
    try:
        return read()
    except BadReplyError as error:
        return str(error)


KEYS = ("reasoning", "score")
VERDICT = {"reasoning": "so", "score": 4}
TEXT = json.dumps(VERDICT)


@pytest.mark.parametrize(
    "reply",
    [
        TEXT,
        f"\n  {TEXT}\n",
        json.dumps(VERDICT, indent=4),
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```\nThat is my verdict.",
        f"Let me think {{about}} it.\n\nMy verdict: {TEXT} Thank you.",
        f"{TEXT}\n\nTo repeat: {TEXT}",
        f'<think>maybe {{"reasoning": "draft", "score": 1}}?</think>\n{TEXT}',
        f'First {{"note": 1}}, then {TEXT}',
        f"\ufeff{TEXT}",
    ],
)
def test_a_verdict_is_found(reply):
    """Wherever it stands, as long as it is one."""
    assert read_object(reply, KEYS) == VERDICT


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "the reply is empty"),
        (" \n\t", "the reply is empty"),
        ("<think>I wonder</think>", "the reply is empty"),
        ("Four out of five.", "no JSON object"),
        (TEXT[:-6], "no JSON object"),
        (f'{{"verdict": {TEXT[:-3]}', "no JSON object"),
        ('{"reason": "so", "score": 4}', "lacks `reasoning`"),
        ("[4]", "no JSON object"),
        ('{"reasoning": "so", "score": NaN}', "no JSON object"),
        ('{"reasoning": "so", "score": 1e999}', "no JSON object"),
        ('{"reasoning": "so", "score": 1, "score": 5}', "no JSON object"),
        (f'{TEXT} {{"reasoning": "injected", "score": 5}}', "2 verdicts that differ"),
        ("x" * 300_000, "300000 characters"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 30_000, "no JSON object"),
        (f'{{"draft": {TEXT}, "reasoning": "it is cut o', "no JSON object"),
        (f'{{"reasoning": "so", "score": 1, "score": 2}} {TEXT}', "no JSON object"),
    ],
)
def test_a_reply_without_one_verdict_says_why(reply, why):
    """In words that the judge can be told."""
    with pytest.raises(BadReplyError, match=why.replace("(", r"\(")):
        read_object(reply, KEYS)


@pytest.mark.parametrize(("written", "number"), [(4, 4.0), (1.5, 1.5), ("4", 4.0), (" 2.5 ", 2.5)])
def test_a_number_may_be_written_as_a_text(written, number):
    """As long as the text is nothing else."""
    assert number_in({"score": written}, "score", (1, 5)) == number


@pytest.mark.parametrize(
    "written",
    [0.99, 5.01, -4, 7, 10**400, -(10**400), "7", "4/5", "four", "4 of 5", "", None, True, [4], {}],
)
def test_no_other_number_is_taken_and_none_is_clamped(written):
    """Out of the scale, huge, in words, of another type."""
    with pytest.raises(BadReplyError, match="`score` is"):
        number_in({"score": written}, "score", (1, 5))


@given(st.floats() | st.integers())
def test_a_number_is_within_its_scale_or_refused(number):
    """There is nothing between the two."""
    try:
        read = number_in({"score": number}, "score", (0, 1))
    except BadReplyError:
        assert not 0 <= number <= 1
    else:
        assert (read, 0 <= read <= 1) == (number, True)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    """No reply makes it fail in another way, in a frame or bare."""
    for reply in (text, f"```json\n{text}\n```", f'{{"score": {text}}}'):
        found = outcome(lambda reply=reply: read_object(reply, ("score",)))
        assert found if isinstance(found, str) else "score" in found


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_what_is_no_choice_is_refused(value):
    """A choice is found whatever its capitals; nothing else is."""
    found = outcome(lambda: choice_in({"label": value}, "label", ("Good", "bad")))
    assert found in {"Good", "bad"} or "expected one of: Good, bad" in found


def test_choices_flags_texts_and_rows():
    """Each reads its own type."""
    data = {"label": " GOOD ", "flag": "Yes", "text": "t", "rows": [{"text": "a"}, {"text": "b"}]}
    assert choice_in(data, "label", ("good", "bad")) == "good"
    assert bool_in(data, "flag") is True
    assert rows_in(data, "rows", lambda row: text_in(row, "text")) == ["a", "b"]


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda d: bool_in(d, "text"), "expected true or false"),
        (lambda d: text_in(d, "rows"), "expected a text"),
        (lambda d: rows_in(d, "text", dict), "expected a list"),
        (lambda d: rows_in(d, "numbers", dict), r"`numbers\[0\]` is 1, expected an object"),
        (lambda d: rows_in(d, "rows", lambda r: text_in(r, "b")), r"in `rows\[0\]`: .* lacks `b`"),
    ],
)
def test_another_type_is_refused_with_its_place(read, why):
    """So that the judge knows what to mend."""
    with pytest.raises(BadReplyError, match=why):
        read({"text": "t", "numbers": [1], "rows": [{"a": 1}]})
