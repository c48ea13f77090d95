"""The lint of the language: what it reports, and what it leaves alone."""

import pytest

from tests.docs._scripts import load_script

lint = load_script("_lint_language")


def problems(tmp_path, text, name="page.md"):
    """Return what the lint says of one file, without the path."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return [f"{problem.line}: {problem.message}" for problem in lint.check(path)]


def test_a_phrase_of_the_glossary_is_reported_with_its_term(tmp_path):
    """The line is the one on which the phrase begins; a line break inside it does not hide it."""
    text = "An id\nstands\ntwice here.\n"
    assert problems(tmp_path, text) == ["2: 'stands twice': use 'duplicate'"]


@pytest.mark.parametrize(
    "text",
    [
        "The id `stands twice` in a report.\n",
        "```console\nid stands twice\n```\n",
        "<!-- id stands twice -->\n",
        "The progress bar ends.\n",
        "<!-- language: allow 'bar': the bar of a drawing -->\nA bar.\n",
        "Barely twice, outstanding.\n",
    ],
)
def test_code_exceptions_and_allowed_lines_are_left_alone(text, tmp_path):
    """None of these is prose with a word to avoid."""
    assert problems(tmp_path, text) == []


def test_an_allow_comment_allows_its_own_word_only(tmp_path):
    """Another word on the same line is reported."""
    text = "<!-- language: allow 'bar': a drawing -->\nA bar is drawn anew.\n"
    assert problems(tmp_path, text) == ["2: 'anew': use 'again'"]


def test_an_allow_comment_needs_a_reason(tmp_path):
    """Without one it allows nothing."""
    assert problems(tmp_path, "A bar. <!-- language: allow 'bar': -->\n") == [
        "1: 'bar': use 'required'"
    ]


def test_docstrings_comments_and_messages_of_python_are_checked(tmp_path):
    """Code in a docstring, keys and identifiers are not prose."""
    text = '''"""Asks nobody::

    nobody
"""

KEYS = {"anew": 1}
# It is drawn
# anew.
MESSAGE = f"{KEYS} stands twice"
'''
    assert problems(tmp_path, text, "module.py") == [
        "1: 'ask* nobody': use 'call'",
        "8: 'anew': use 'again'",
        "9: 'stands twice': use 'duplicate'",
    ]


def test_local_names_and_parameters_are_checked_and_fields_are_not(tmp_path):
    """A field of a class can be a public key."""
    text = "class Span:\n    kind: str\n\n\ndef read(kind):\n    found = kind\n    return found\n"
    assert problems(tmp_path, text, "module.py") == [
        "5: name 'kind': use a noun that says what it holds",
        "6: name 'found': use a noun that says what it holds",
    ]


def test_long_sentences_are_warnings(tmp_path):
    """Each is counted; none fails the lint."""
    path = tmp_path / "page.md"
    path.write_text("Word " * 31 + ".\n\nShort.\n", "utf-8")
    assert [w.message for w in lint.long_sentences(path)] == ["32 words in a sentence"]
    assert lint.main([str(path)]) == 0


def test_every_phrase_of_the_glossary_is_found(tmp_path):
    """A phrase that the lint could not match would be a dead entry."""
    assert len(lint.terms()) > 60
    for term in lint.terms():
        assert problems(tmp_path, f"So {term.phrase.replace('*', 's')} .\n"), term.phrase
