"""A word diff of two answers. Pure."""

import re
from difflib import SequenceMatcher

Piece = tuple[str, str]
"""``=`` (in both), ``-`` (only in the old text) or ``+`` (only in the new one), and the text."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MAX_LENGTH = 2000


def word_diff(before: str, now: str) -> tuple[Piece, ...]:
    """Return the word diff of two texts: common, removed and added pieces.

    Texts with few words in common are one removed and one added piece. Only the beginnings of very
    long texts are compared.
    """
    old, new = _WORD.findall(before[:_MAX_LENGTH]), _WORD.findall(now[:_MAX_LENGTH])
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if old and new and matcher.ratio() < 0.35:
        return (("-", "".join(old)), ("+", "".join(new)))
    pieces: list[Piece] = []
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            pieces.append(("=", "".join(old[a:b])))
            continue
        if b > a:
            pieces.append(("-", "".join(old[a:b])))
        if d > c:
            pieces.append(("+", "".join(new[c:d])))
    return tuple(_joined(pieces))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join changes that are separated by spaces only, so that a changed phrase is one piece."""
    joined: list[Piece] = []
    place = 0
    while place < len(pieces):
        run = place
        while run < len(pieces) and (pieces[run][0] != "=" or _between(pieces, run)):
            run += 1
        if run == place:
            joined.append(pieces[place])
            place += 1
            continue
        old = "".join(text for mark, text in pieces[place:run] if mark != "+")
        new = "".join(text for mark, text in pieces[place:run] if mark != "-")
        joined += [(mark, text) for mark, text in (("-", old), ("+", new)) if text]
        place = run
    return joined


def _between(pieces: list[Piece], place: int) -> bool:
    """Whether a piece is only space between two changes."""
    inside = 0 < place < len(pieces) - 1
    return inside and pieces[place][1].isspace() and pieces[place + 1][0] != "="
