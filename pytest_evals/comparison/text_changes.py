"""How a text changed: word by word or line by line. Pure."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff

from pytest_evals.ground.plain_text import neutral, shorten

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_WORDS = 2000
_MOST_SHOWN = 400
_ALIKE = 0.4
"""Texts that share fewer of their words are shown one after the other."""
_CONTEXT = 32
_MOST_LINES = 16
Part = tuple[str, str]
"""A part of a changed text: a mark (space: unchanged, ``-`` removed, ``+`` added), and text."""


def words_changed(before: str, now: str) -> list[Part]:
    """Return how one line became another, word by word; long unchanged parts are shortened.

    Args:
        before: the old text; it is escaped and joined to one line.
        now: the new text.
    """
    words_before, words_now = (_words(text) for text in (before, now))
    matcher = SequenceMatcher(None, words_before, words_now, autojunk=False)
    same = (words_before[i] for a, _, n in matcher.get_matching_blocks() for i in range(a, a + n))
    words = max(sum(not word.isspace() for word in side) for side in (words_before, words_now))
    if sum(not word.isspace() for word in same) < _ALIKE * words:
        old, new = (shorten("".join(side), _MOST_SHOWN) for side in (words_before, words_now))
        return [part for part in (("-", old), (" ", " "), ("+", new)) if part[1]]
    parts: list[Part] = []
    for operation, a, b, c, d in matcher.get_opcodes():
        old, new = "".join(words_before[a:b]), "".join(words_now[c:d])
        if operation == "equal":
            last = b == len(words_before) and d == len(words_now)
            parts.append((" ", _cut(old, start=not (a or c), end=last)))
            continue
        parts += [("-", old)] if old else []
        parts += [("+", new)] if new else []
    return parts


def _words(text: str) -> list[str]:
    return _WORD.findall(neutral(" ".join(text.split()), lines=False))[:_MOST_WORDS]


def _cut(text: str, *, start: bool, end: bool) -> str:
    """Shorten an unchanged part to what is next to a change."""
    if len(text) <= 2 * _CONTEXT + 5:
        return text
    head = "" if start else text[:_CONTEXT]
    return f"{head} ... {'' if end else text[-_CONTEXT:]}".lstrip(" " if start else "")


def lines_changed(before: str, now: str) -> Iterator[Part]:
    """Yield the changed lines of a text of several lines, with one line of context."""
    lines_before, lines_now = (neutral(text).expandtabs(4).split("\n") for text in (before, now))
    changed = [
        line
        for line in unified_diff(lines_before, lines_now, n=1, lineterm="")
        if not line.startswith("@@")
    ][2:]
    for line in changed[:_MOST_LINES]:
        yield line[0], line[1:]
    if len(changed) > _MOST_LINES:
        yield " ", f"... {len(changed) - _MOST_LINES} more changed lines"
