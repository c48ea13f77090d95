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
"""A piece of a changed text: a space (it stayed), ``-`` (taken out) or ``+`` (put in); the text."""


def words_changed(before: str, now: str) -> list[Part]:
    """Return how one line became another, word by word; long stretches that stayed are cut.

    Args:
        before: the text before; it is made harmless and set on one line.
        now: the text now.
    """
    one, two = (_words(text) for text in (before, now))
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    same = (one[i] for a, _, n in matcher.get_matching_blocks() for i in range(a, a + n))
    words = max(sum(not word.isspace() for word in side) for side in (one, two))
    if sum(not word.isspace() for word in same) < _ALIKE * words:
        old, new = (shorten("".join(side), _MOST_SHOWN) for side in (one, two))
        return [part for part in (("-", old), (" ", " "), ("+", new)) if part[1]]
    parts: list[Part] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        old, new = "".join(one[a:b]), "".join(two[c:d])
        if kind == "equal":
            last = b == len(one) and d == len(two)
            parts.append((" ", _cut(old, start=not (a or c), end=last)))
            continue
        parts += [("-", old)] if old else []
        parts += [("+", new)] if new else []
    return parts


def _words(text: str) -> list[str]:
    return _WORD.findall(neutral(" ".join(text.split()), lines=False))[:_MOST_WORDS]


def _cut(text: str, *, start: bool, end: bool) -> str:
    """Cut what stayed the same to what stands beside a change."""
    if len(text) <= 2 * _CONTEXT + 5:
        return text
    head = "" if start else text[:_CONTEXT]
    return f"{head} ... {'' if end else text[-_CONTEXT:]}".lstrip(" " if start else "")


def lines_changed(before: str, now: str) -> Iterator[Part]:
    """Yield how a text of several lines became another: the changed lines and one around them."""
    one, two = (neutral(text).expandtabs(4).split("\n") for text in (before, now))
    changed = [
        line for line in unified_diff(one, two, n=1, lineterm="") if not line.startswith("@@")
    ][2:]
    for line in changed[:_MOST_LINES]:
        yield line[0], line[1:]
    if len(changed) > _MOST_LINES:
        yield " ", f"... {len(changed) - _MOST_LINES} more changed lines"
